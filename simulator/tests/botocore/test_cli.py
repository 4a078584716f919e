"""The aws CLI against the simulator."""

import json
import time


def test_a_fleet_by_hand(simulator, aws, models):
    def appstream(*arguments, **options):
        return aws(simulator, "appstream", *arguments, **options)

    made = appstream(
        "create-fleet", "--name", "f", "--instance-type", "stream.standard.medium", "--image-name", "windlass-demo-v1",
        "--fleet-type", "ON_DEMAND", "--compute-capacity", "DesiredInstances=1", "--tags", "team=a",
    )
    assert made["Fleet"]["State"] == "STOPPED"
    appstream("create-stack", "--name", "desk")
    appstream("associate-fleet", "--fleet-name", "f", "--stack-name", "desk")
    assert appstream("list-associated-stacks", "--fleet-name", "f")["Names"] == ["desk"]
    appstream("start-fleet", "--name", "f")
    time.sleep(0.3)
    assert appstream("describe-fleets", "--names", "f")["Fleets"][0]["State"] == "RUNNING"
    url = appstream("create-streaming-url", "--stack-name", "desk", "--fleet-name", "f", "--user-id", "alice")
    token = url["StreamingURL"].rsplit("/", 1)[1]
    opened = simulator.admin("GET", f"/streams/{token}")["id"]
    listed = appstream("describe-sessions", "--stack-name", "desk", "--fleet-name", "f")["Sessions"]
    assert [one["Id"] for one in listed] == [opened]
    appstream("expire-session", "--session-id", opened)
    refusal = appstream("update-fleet", "--name", "f", "--description", "d", fails=True)
    assert "(ResourceInUseException) when calling the UpdateFleet operation: Cannot update the attribute" in refusal
    appstream("stop-fleet", "--name", "f")
    appstream("disassociate-fleet", "--fleet-name", "f", "--stack-name", "desk")
    tags = appstream("list-tags-for-resource", "--resource-arn", made["Fleet"]["Arn"])
    assert tags == {"Tags": {"team": "a"}}
    time.sleep(0.2)
    appstream("delete-fleet", "--name", "f")
    assert appstream("describe-fleets") == {"Fleets": []}
    spoken = {entry["protocol"] for entry in simulator.admin("GET", "/audit")["entries"]}
    assert spoken == {{"json": "json-1.1", "smithy-rpc-v2-cbor": "rpc-v2-cbor"}[models[0]]}


def test_who_am_i(simulator, aws):
    assert aws(simulator, "sts", "get-caller-identity")["Account"] == "123456789012"


def test_images(simulator, aws):
    images = aws(simulator, "appstream", "describe-images", "--type", "PRIVATE")["Images"]
    assert "windlass-demo-v1" in json.dumps(images)
