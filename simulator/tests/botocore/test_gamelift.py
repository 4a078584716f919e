"""boto3 and the aws CLI against GameLift: every operation, in both protocols."""

import datetime

import botocore.exceptions
import pytest


@pytest.fixture
def gamelift(simulator, client):
    return client(simulator, "gamelift")


def fleet(simulator, **seed):
    return simulator.admin("POST", "/gamelift/fleets", seed)


def compute(simulator, of, **seed):
    return simulator.admin("POST", f"/gamelift/fleets/{of['id']}/computes", seed)


def refused(call, **input):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**input)
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def invalid(message):
    return "InvalidRequestException", message, 400


def missing(message):
    return "NotFoundException", message, 400


def recent(at):
    return abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) < 60


def test_fleets_are_described(simulator, gamelift):
    ec2 = fleet(simulator, operating_system="WINDOWS_2022", server_sdk=4, locations=["eu-west-1"])
    anywhere = fleet(simulator, kind="ANYWHERE", locations=["custom-office"])
    container = fleet(simulator, kind="CONTAINER")
    assert container["id"].startswith("containerfleet-")
    everything = gamelift.describe_fleet_attributes()["FleetAttributes"]
    assert {one["FleetId"]: one["ComputeType"] for one in everything} == {ec2["id"]: "EC2", anywhere["id"]: "ANYWHERE"}
    asked = [ec2["arn"], container["id"], "fleet-none"]
    (one,) = gamelift.describe_fleet_attributes(FleetIds=asked)["FleetAttributes"]
    assert recent(one.pop("CreationTime"))
    assert one == {
        "FleetId": ec2["id"],
        "FleetArn": f"arn:aws:gamelift:us-east-1::fleet/{ec2['id']}",
        "FleetType": "ON_DEMAND",
        "InstanceType": "c5.large",
        "Name": "fleet of WINDOWS_2022",
        "Status": "ACTIVE",
        "BuildId": ec2["id"].replace("fleet-", "build-"),
        "OperatingSystem": "WINDOWS_2022",
        "NewGameSessionProtectionPolicy": "NoProtection",
        "MetricGroups": ["default"],
        "CertificateConfiguration": {"CertificateType": "DISABLED"},
        "ComputeType": "EC2",
    }
    places = gamelift.describe_fleet_location_attributes(FleetId=ec2["id"])
    assert (places["FleetId"], places["FleetArn"]) == (ec2["id"], ec2["arn"])
    states = [one["LocationState"] for one in places["LocationAttributes"]]
    assert states == [{"Location": "us-east-1", "Status": "ACTIVE"}, {"Location": "eu-west-1", "Status": "ACTIVE"}]
    remote = gamelift.describe_fleet_location_attributes(FleetId=ec2["id"], Locations=["eu-west-1"])
    assert len(remote["LocationAttributes"]) == 1
    described = gamelift.describe_container_fleet(FleetId=container["arn"])["ContainerFleet"]
    assert (described["Status"], described["InstanceType"]) == ("ACTIVE", "c5.large")
    assert described["LocationAttributes"] == [{"Location": "us-east-1", "Status": "ACTIVE"}]
    assert refused(gamelift.describe_container_fleet, FleetId=ec2["id"]) == missing(
        f"Container fleet {ec2['id']} was not found."
    )
    assert refused(gamelift.describe_fleet_location_attributes, FleetId="fleet-none") == missing(
        "Fleet fleet-none was not found."
    )
    simulator.admin("PATCH", f"/gamelift/fleets/{ec2['id']}", {"status": "DELETING"})
    assert gamelift.describe_fleet_attributes(FleetIds=[ec2["id"]])["FleetAttributes"][0]["Status"] == "DELETING"
    assert simulator.admin("DELETE", f"/gamelift/fleets/{ec2['id']}") == 204
    assert gamelift.describe_fleet_attributes(FleetIds=[ec2["id"]])["FleetAttributes"] == []


def test_instances_and_their_keys(simulator, gamelift):
    linux, windows = fleet(simulator, server_sdk=4), fleet(simulator, server_sdk=4, operating_system="WINDOWS_2016")
    instance, other = compute(simulator, linux), compute(simulator, windows)
    (shown,) = gamelift.describe_instances(FleetId=linux["id"])["Instances"]
    assert recent(shown.pop("CreationTime"))
    address = instance["ip_address"]
    assert shown == {
        "FleetId": linux["id"],
        "FleetArn": linux["arn"],
        "InstanceId": instance["name"],
        "IpAddress": address,
        "DnsName": f"ec2-{address.replace('.', '-')}.us-east-1.compute.amazonaws.com",
        "OperatingSystem": "AMAZON_LINUX_2023",
        "Type": "c5.large",
        "Status": "ACTIVE",
        "Location": "us-east-1",
    }
    access = gamelift.get_instance_access(FleetId=linux["arn"], InstanceId=instance["name"])["InstanceAccess"]
    secret = access["Credentials"].pop("Secret")
    assert secret.startswith("-----BEGIN RSA PRIVATE KEY-----\n") and secret.endswith("\n-----END RSA PRIVATE KEY-----")
    assert access == {
        "FleetId": linux["id"],
        "InstanceId": instance["name"],
        "IpAddress": address,
        "OperatingSystem": "AMAZON_LINUX_2023",
        "Credentials": {"UserName": "gl-user-remote"},
    }
    password = gamelift.get_instance_access(FleetId=windows["id"], InstanceId=other["name"])["InstanceAccess"]
    assert len(password["Credentials"]["Secret"]) == 20
    given = simulator.admin("GET", "/secrets")["secrets"]
    assert {(one["resource"], one["member"]) for one in given} == {(instance["name"], "Secret"), (other["name"], "Secret")}
    ask = gamelift.get_instance_access
    assert refused(ask, FleetId=linux["id"], InstanceId="i-none") == missing(
        f"Instance i-none was not found in fleet {linux['id']}."
    )
    assert refused(ask, FleetId="fleet-none", InstanceId="i-1") == missing("Fleet fleet-none was not found.")
    code, message, _ = refused(ask, FleetId="none", InstanceId="i-1")
    assert code == "InvalidRequestException" and message.startswith(
        "1 validation error detected: Value 'none' at 'fleetId' failed to satisfy constraint: Member must satisfy regular "
        "expression pattern: "
    )
    assert refused(gamelift.describe_instances, FleetId=linux["id"], InstanceId="i-none")[0] == "NotFoundException"
    assert gamelift.describe_instances(FleetId=linux["id"], Location="eu-west-1")["Instances"] == []
    simulator.admin("PATCH", f"/gamelift/fleets/{linux['id']}", {"status": "TERMINATED"})
    assert refused(ask, FleetId=linux["id"], InstanceId=instance["name"]) == invalid(
        f"Fleet {linux['id']} cannot be accessed while it is TERMINATED."
    )
    newer = fleet(simulator)
    younger = compute(simulator, newer)["name"]
    assert refused(ask, FleetId=newer["id"], InstanceId=younger) == invalid(
        f"GetInstanceAccess is not supported for fleet {newer['id']}. Use GetComputeAccess instead."
    )


def test_computes_and_their_credentials(simulator, gamelift):
    ec2, container = fleet(simulator), fleet(simulator, kind="CONTAINER")
    instance = compute(simulator, ec2)
    servers = compute(simulator, container, containers=["game", "logs"])
    (shown,) = gamelift.list_compute(FleetId=ec2["id"])["ComputeList"]
    assert shown == gamelift.describe_compute(FleetId=ec2["id"], ComputeName=instance["name"])["Compute"]
    assert (shown["ComputeStatus"], shown["InstanceId"], "ComputeArn" in shown) == ("Active", instance["name"], False)
    answer = gamelift.get_compute_access(FleetId=ec2["id"], ComputeName=instance["name"])
    del answer["ResponseMetadata"]
    keys = answer.pop("Credentials")
    assert answer == {} and set(keys) == {"AccessKeyId", "SecretAccessKey", "SessionToken"}
    again = gamelift.get_compute_access(FleetId=ec2["id"], ComputeName=instance["name"])["Credentials"]
    assert all(keys[member] != again[member] for member in ("SecretAccessKey", "SessionToken"))
    (shown,) = gamelift.list_compute(FleetId=container["id"], ContainerGroupDefinitionName="game-server")["ComputeList"]
    ids = [{"ContainerName": one["name"], "ContainerRuntimeId": one["runtime_id"]} for one in servers["containers"]]
    assert (shown["ComputeStatus"], shown["ContainerAttributes"]) == ("ACTIVE", ids)
    answer = gamelift.get_compute_access(FleetId=container["id"], ComputeName=servers["name"])
    del answer["ResponseMetadata"], answer["Credentials"]
    assert answer == {
        "FleetId": container["id"],
        "FleetArn": container["arn"],
        "ComputeName": servers["name"],
        "ComputeArn": servers["arn"],
        "Target": servers["instance_id"],
        "ContainerIdentifiers": ids,
    }
    assert simulator.admin("POST", f"/gamelift/fleets/{container['id']}/restarts/{servers['name']}") == 204
    restarted = gamelift.get_compute_access(FleetId=container["id"], ComputeName=servers["arn"])["ContainerIdentifiers"]
    assert [one["ContainerName"] for one in restarted] == ["game", "logs"] and restarted != ids
    route = f"/gamelift/fleets/{container['id']}/computes/{servers['name']}"
    assert simulator.admin("PATCH", route, {"status": "IMPAIRED"}) == 204
    assert gamelift.list_compute(FleetId=container["id"], ComputeStatus="ACTIVE")["ComputeList"] == []
    assert len(gamelift.list_compute(FleetId=container["id"], ComputeStatus="IMPAIRED")["ComputeList"]) == 1
    assert simulator.admin("DELETE", route) == 204
    gone = f"Compute {servers['name']} was not found in fleet {container['id']}."
    for call in (gamelift.describe_compute, gamelift.get_compute_access):
        assert refused(call, FleetId=container["id"], ComputeName=servers["name"]) == missing(gone)
    assert refused(gamelift.list_compute, FleetId="fleet-none") == invalid("Fleet fleet-none was not found.")
    older = fleet(simulator, server_sdk=4)
    machine = compute(simulator, older)["name"]
    assert refused(gamelift.get_compute_access, FleetId=older["id"], ComputeName=machine) == invalid(
        f"GetComputeAccess is not supported for fleet {older['id']}. Use GetInstanceAccess instead."
    )


def test_an_anywhere_fleet(simulator, gamelift):
    anywhere = fleet(simulator, kind="ANYWHERE", locations=["custom-office"])
    compute(simulator, anywhere, name="desk-1")
    (shown,) = gamelift.list_compute(FleetId=anywhere["id"], Location="custom-office")["ComputeList"]
    assert (shown["ComputeName"], shown["GameLiftServiceSdkEndpoint"]) == (
        "desk-1", "wss://us-east-1.api.amazongamelift.com",
    )
    assert "InstanceId" not in shown and "Type" not in shown
    assert refused(gamelift.get_compute_access, FleetId=anywhere["id"], ComputeName="desk-1") == invalid(
        f"GetComputeAccess is not supported for Anywhere fleets: {anywhere['id']}"
    )
    assert refused(gamelift.describe_instances, FleetId=anywhere["id"]) == invalid(
        f"DescribeInstances is not supported for Anywhere fleets: {anywhere['id']}"
    )
    assert refused(gamelift.get_instance_access, FleetId=anywhere["id"], InstanceId="desk-1")[0] == (
        "InvalidRequestException"
    )


def test_pages(simulator, gamelift):
    ec2 = fleet(simulator)
    names = sorted(compute(simulator, ec2)["name"] for _ in range(3))
    for method, member, name in [
        ("list_compute", "ComputeList", "ComputeName"), ("describe_instances", "Instances", "InstanceId"),
    ]:
        pages = gamelift.get_paginator(method).paginate(FleetId=ec2["id"], PaginationConfig={"PageSize": 2})
        listed = [[one[name] for one in page[member]] for page in pages]
        assert listed == [names[:2], names[2:]], method
    assert refused(gamelift.list_compute, FleetId=ec2["id"], NextToken="zz") == invalid("The NextToken is not valid.")


def test_by_hand(simulator, aws, models):
    def gamelift(*arguments, **options):
        return aws(simulator, "gamelift", *arguments, **options)

    older, newer = fleet(simulator, server_sdk=4), fleet(simulator)
    container = fleet(simulator, kind="CONTAINER")
    instance, server = compute(simulator, older)["name"], compute(simulator, newer)["name"]
    group = compute(simulator, container)["name"]
    attributes = gamelift("describe-fleet-attributes", "--fleet-ids", older["id"])["FleetAttributes"]
    assert attributes[0]["FleetArn"] == older["arn"]
    places = gamelift("describe-fleet-location-attributes", "--fleet-id", newer["id"])["LocationAttributes"]
    assert places[0]["LocationState"]["Location"] == "us-east-1"
    assert gamelift("describe-container-fleet", "--fleet-id", container["id"])["ContainerFleet"]["Status"] == "ACTIVE"
    assert gamelift("describe-instances", "--fleet-id", older["id"])["Instances"][0]["InstanceId"] == instance
    assert gamelift("list-compute", "--fleet-id", newer["id"])["ComputeList"][0]["ComputeName"] == server
    described = gamelift("describe-compute", "--fleet-id", container["id"], "--compute-name", group)
    assert described["Compute"]["ComputeName"] == group
    access = gamelift("get-instance-access", "--fleet-id", older["id"], "--instance-id", instance)["InstanceAccess"]
    assert access["Credentials"]["UserName"] == "gl-user-remote"
    keys = gamelift("get-compute-access", "--fleet-id", newer["id"], "--compute-name", server)["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA123456789012")
    refusal = gamelift("get-compute-access", "--fleet-id", newer["id"], "--compute-name", "none", fails=True)
    assert "(NotFoundException) when calling the GetComputeAccess operation: Compute none was not found" in refusal
    spoken = {entry["protocol"] for entry in simulator.admin("GET", "/audit")["entries"]}
    assert spoken == {{"json": "json-1.1", "smithy-rpc-v2-cbor": "rpc-v2-cbor"}[models[0]]}
