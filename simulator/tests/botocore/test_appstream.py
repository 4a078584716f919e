"""boto3 against the simulator: every operation, in both protocols."""

import datetime
import time
import urllib.request

import botocore.exceptions
import pytest

OWNED = {"windlass.dev/cluster": "c1", "windlass.dev/uid": "u1"}
FLEET = {
    "Name": "f",
    "InstanceType": "stream.standard.medium",
    "FleetType": "ON_DEMAND",
    "ImageName": "windlass-demo-v1",
    "ComputeCapacity": {"DesiredInstances": 1},
    "Tags": OWNED,
}


def refused(call, *args, **kwargs):
    """Code, message and HTTP status of an error."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def wait_for(state, appstream, name="f"):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        fleet = appstream.describe_fleets(Names=[name])["Fleets"][0]
        if fleet["State"] == state:
            return fleet
        time.sleep(0.02)
    raise AssertionError(f"{name} is {fleet['State']}, not {state}")


def running(appstream, simulator, name="f", **more):
    appstream.create_fleet(**{**FLEET, "Name": name, **more})
    appstream.create_stack(Name="desk", Tags={**OWNED, "windlass.dev/uid": "u2"})
    appstream.associate_fleet(FleetName=name, StackName="desk")
    appstream.start_fleet(Name=name)
    return wait_for("RUNNING", appstream, name)


def test_a_fleet_lives(simulator, client):
    appstream = client(simulator)
    made = appstream.create_fleet(**FLEET)["Fleet"]
    assert made["State"] == "STOPPED"
    created = made.pop("CreatedTime")
    assert isinstance(created, datetime.datetime)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 60
    assert made == {
        "Arn": "arn:aws:appstream:us-east-1:123456789012:fleet/f",
        "Name": "f",
        "State": "STOPPED",
        "ImageName": "windlass-demo-v1",
        "ImageArn": "arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v1",
        "InstanceType": "stream.standard.medium",
        "FleetType": "ON_DEMAND",
        "ComputeCapacityStatus": {"Desired": 1, "Running": 0, "InUse": 0, "Available": 0},
        "MaxUserDurationInSeconds": 57600,
        "DisconnectTimeoutInSeconds": 900,
        "IdleDisconnectTimeoutInSeconds": 0,
        "EnableDefaultInternetAccess": False,
        "StreamView": "APP",
        "Platform": "WINDOWS_SERVER_2022",
    }
    appstream.start_fleet(Name="f")
    assert refused(appstream.update_fleet, Name="f", DisplayName="x")[0] == "ResourceInUseException"
    fleet = wait_for("RUNNING", appstream)
    assert fleet["ComputeCapacityStatus"] == {"Desired": 1, "Running": 1, "InUse": 0, "Available": 1}
    updated = appstream.update_fleet(Name="f", DisplayName="F", ComputeCapacity={"DesiredInstances": 2})["Fleet"]
    assert (updated["DisplayName"], updated["ComputeCapacityStatus"]["Desired"]) == ("F", 2)
    assert refused(appstream.update_fleet, Name="f", InstanceType="stream.standard.large") == (
        "ResourceInUseException",
        "Cannot update the attribute for fleet f when it is ACTIVE. The fleet must be stopped to complete this action.",
        400,
    )
    assert refused(appstream.delete_fleet, Name="f")[0] == "ResourceInUseException"
    assert appstream.stop_fleet(Name="f")["ResponseMetadata"]["HTTPStatusCode"] == 200
    wait_for("STOPPED", appstream)
    appstream.update_fleet(
        Name="f",
        InstanceType="stream.standard.large",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        IamRoleArn="arn:aws:iam::123456789012:role/machine",
        DisableIMDSV1=True,
        RootVolumeConfig={"VolumeSizeInGb": 300},
    )
    fleet = appstream.update_fleet(
        Name="f", AttributesToDelete=["VPC_CONFIGURATION_SECURITY_GROUP_IDS", "IAM_ROLE_ARN", "VOLUME_CONFIGURATION"]
    )["Fleet"]
    assert fleet["VpcConfig"] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-0default0000000"]}
    assert "IamRoleArn" not in fleet and "RootVolumeConfig" not in fleet and fleet["DisableIMDSV1"] is True
    assert "VpcConfig" not in appstream.update_fleet(Name="f", DeleteVpcConfig=True)["Fleet"]
    appstream.delete_fleet(Name="f")
    status = 404 if appstream.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor" else 400
    message = "The fleet f for account 123456789012 does not exist."
    assert refused(appstream.describe_fleets, Names=["f"]) == ("ResourceNotFoundException", message, status)


def test_lists_are_paged_to_their_end(simulator_with, client):
    for flags in (["--page-size", "2"], ["--page-size", "2", "--empty-next-token"]):
        appstream = client(simulator_with(*flags))
        for name in "abcde":
            appstream.create_fleet(**{**FLEET, "Name": name})
        pages = [[f["Name"] for f in page["Fleets"]] for page in appstream.get_paginator("describe_fleets").paginate()]
        assert pages == [["a", "b"], ["c", "d"], ["e"]]


def test_stacks_and_associations(simulator, client):
    appstream = client(simulator)
    stack = appstream.create_stack(
        Name="desk",
        DisplayName="Desk",
        RedirectURL="https://example.com/bye",
        StorageConnectors=[{"ConnectorType": "HOMEFOLDERS"}],
        UserSettings=[{"Action": "FILE_UPLOAD", "Permission": "DISABLED"}],
        ApplicationSettings={"Enabled": True},
        Tags=OWNED,
    )["Stack"]
    settings = {one["Action"]: one["Permission"] for one in stack["UserSettings"]}
    assert len(settings) == 9 and settings["FILE_UPLOAD"] == "DISABLED" and settings["FILE_DOWNLOAD"] == "ENABLED"
    assert stack["ApplicationSettings"]["SettingsGroup"] == "desk" and "S3BucketName" in stack["ApplicationSettings"]
    updated = appstream.update_stack(
        Name="desk",
        Description="d",
        StorageConnectors=[{"ConnectorType": "GOOGLE_DRIVE", "Domains": ["example.com"]}],
        AttributesToDelete=["REDIRECT_URL"],
    )["Stack"]
    assert {one["ConnectorType"] for one in updated["StorageConnectors"]} == {"HOMEFOLDERS", "GOOGLE_DRIVE"}
    assert "RedirectURL" not in updated and updated["DisplayName"] == "Desk"
    appstream.create_fleet(**FLEET)
    appstream.associate_fleet(FleetName="f", StackName="desk")
    appstream.associate_fleet(FleetName="f", StackName="desk")
    assert appstream.list_associated_fleets(StackName="desk")["Names"] == ["f"]
    assert appstream.list_associated_stacks(FleetName="f")["Names"] == ["desk"]
    assert appstream.list_associated_stacks(FleetName="unknown")["Names"] == []
    appstream.create_fleet(**{**FLEET, "Name": "g"})
    assert refused(appstream.associate_fleet, FleetName="g", StackName="desk")[0] == "OperationNotPermittedException"
    assert refused(appstream.delete_fleet, Name="f")[:2] == (
        "ResourceInUseException",
        "The fleet f is associated with a stack. To delete the fleet, you must dissociate it from the stack.",
    )
    assert refused(appstream.delete_stack, Name="desk")[:2] == (
        "ResourceInUseException",
        "Cannot delete stack desk. This stack has fleets associated with it. "
        "Only stacks with no fleets associated with it can be deleted.",
    )
    appstream.disassociate_fleet(FleetName="f", StackName="desk")
    appstream.delete_stack(Name="desk")
    assert appstream.describe_stacks()["Stacks"] == []
    assert refused(appstream.describe_stacks, Names=["desk"])[0] == "ResourceNotFoundException"


def test_images_are_found_by_name_arn_and_type(simulator, client):
    appstream = client(simulator)
    shared = "arn:aws:appstream:us-east-1:210987654321:image/windlass-demo-shared"
    assert refused(appstream.describe_images, Names=["windlass-demo-shared"])[0] == "ResourceNotFoundException"
    image = appstream.describe_images(Arns=[shared])["Images"][0]
    assert (image["Visibility"], image["ImagePermissions"]["allowFleet"]) == ("SHARED", True)
    assert [one["Name"] for one in appstream.describe_images(Type="SHARED")["Images"]] == ["windlass-demo-shared"]
    pages = list(appstream.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 3}))
    assert len(pages) > 1 and sum(len(page["Images"]) for page in pages) == 10
    assert refused(appstream.create_fleet, **{**FLEET, "ImageName": "windlass-demo-deprecated"})[:2] == (
        "ResourceNotAvailableException",
        "The image windlass-demo-deprecated is DEPRECATED. "
        "The image must be in an AVAILABLE state for this action to succeed.",
    )
    missing = refused(appstream.create_fleet, **{**FLEET, "ImageName": "windlass-demo-shared"})
    assert missing[1] == "The image windlass-demo-shared for account 123456789012 does not exist."
    by_arn = {key: value for key, value in FLEET.items() if key != "ImageName"}
    made = appstream.create_fleet(**by_arn, ImageArn=shared)["Fleet"]
    assert made["ImageName"] == "windlass-demo-shared"


def test_sessions_are_listed_by_authentication_type(simulator, client):
    appstream = client(simulator)
    running(appstream, simulator, ComputeCapacity={"DesiredInstances": 3})
    opened = {}
    for kind in ("API", "SAML", "USERPOOL"):
        body = {"stack": "desk", "fleet": "f", "user": f"user-{kind}", "authentication": kind}
        opened[kind] = simulator.admin("POST", "/sessions", body)["id"]
    body = {"stack": "desk", "fleet": "f", "user": "late"}
    assert simulator.admin("POST", "/sessions", body) == 409, "no instance is free"
    pair = {"StackName": "desk", "FleetName": "f"}
    assert [one["Id"] for one in appstream.describe_sessions(**pair)["Sessions"]] == [opened["API"]]
    session = appstream.describe_sessions(**pair, AuthenticationType="SAML")["Sessions"][0]
    assert (session["Id"], session["State"], session["ConnectionState"]) == (opened["SAML"], "ACTIVE", "CONNECTED")
    assert session["MaxExpirationTime"] - session["StartTime"] == datetime.timedelta(seconds=57600)
    assert refused(appstream.describe_sessions, **pair, UserId="user-API")[0] == "InvalidParameterCombinationException"
    counts = appstream.describe_fleets(Names=["f"])["Fleets"][0]["ComputeCapacityStatus"]
    assert counts == {"Desired": 3, "Running": 3, "InUse": 3, "Available": 0}
    assert refused(appstream.disassociate_fleet, FleetName="f", StackName="desk")[0] == "ResourceInUseException"
    for session in opened.values():
        appstream.expire_session(SessionId=session)
    appstream.expire_session(SessionId="unknown")
    assert [one["State"] for one in appstream.describe_sessions(**pair)["Sessions"]] == ["EXPIRED"]
    assert refused(appstream.drain_session_instance, SessionId="unknown")[0] == "ResourceNotFoundException"


def test_a_streaming_url_opens_a_session_when_followed(simulator, client):
    appstream = client(simulator)
    running(appstream, simulator)
    who = {"StackName": "desk", "FleetName": "f", "UserId": "alice"}
    answer = appstream.create_streaming_url(**who, Validity=30)
    assert answer["Expires"] > datetime.datetime.now(datetime.timezone.utc)
    assert appstream.describe_sessions(StackName="desk", FleetName="f")["Sessions"] == []
    with urllib.request.urlopen(answer["StreamingURL"], timeout=10) as opened:
        assert opened.status == 201
    assert appstream.describe_sessions(StackName="desk", FleetName="f")["Sessions"][0]["UserId"] == "alice"
    assert refused(appstream.create_streaming_url, **who, Validity=0)[0] == "InvalidParameterCombinationException"


def test_a_multi_session_fleet_counts_sessions(simulator, client):
    appstream = client(simulator)
    running(appstream, simulator, MaxSessionsPerInstance=2, ComputeCapacity={"DesiredSessions": 4})
    body = {"stack": "desk", "fleet": "f", "user": "a", "authentication": "SAML"}
    first = simulator.admin("POST", "/sessions", body)["id"]
    counts = appstream.describe_fleets(Names=["f"])["Fleets"][0]["ComputeCapacityStatus"]
    assert counts == {
        "Desired": 2,
        "Running": 2,
        "InUse": 1,
        "Available": 1,
        "DesiredUserSessions": 4,
        "ActualUserSessions": 4,
        "ActiveUserSessions": 1,
        "AvailableUserSessions": 3,
        "Draining": 0,
        "DrainModeActiveUserSessions": 0,
        "DrainModeUnusedUserSessions": 0,
    }
    appstream.drain_session_instance(SessionId=first)
    listed = appstream.describe_sessions(StackName="desk", FleetName="f", AuthenticationType="SAML")["Sessions"]
    assert listed[0]["InstanceDrainStatus"] == "DRAINING"


def test_image_builders(simulator_with, client):
    simulator = simulator_with("--speed", "6000")
    appstream = client(simulator)
    made = appstream.create_image_builder(
        Name="b", InstanceType="stream.standard.medium", ImageName="windlass-demo-v1", Tags=OWNED
    )["ImageBuilder"]
    assert (made["State"], made["Platform"]) == ("PENDING", "WINDOWS_SERVER_2022")
    assert refused(appstream.stop_image_builder, Name="b")[0] == "OperationNotPermittedException"

    def wait(state):
        deadline = time.monotonic() + 10
        while appstream.describe_image_builders(Names=["b"])["ImageBuilders"][0]["State"] != state:
            assert time.monotonic() < deadline, state
            time.sleep(0.02)

    wait("RUNNING")
    assert appstream.create_image_builder_streaming_url(Name="b")["StreamingURL"].startswith(simulator.url)
    assert appstream.stop_image_builder(Name="b")["ImageBuilder"]["State"] == "STOPPING"
    wait("STOPPED")
    assert appstream.update_image_builder(Name="b", DisplayName="B")["ImageBuilder"]["DisplayName"] == "B"
    appstream.start_image_builder(Name="b")
    wait("RUNNING")
    assert appstream.delete_image_builder(Name="b")["ImageBuilder"]["State"] == "DELETING"
    time.sleep(0.1)
    assert appstream.describe_image_builders()["ImageBuilders"] == []
    assert refused(appstream.describe_image_builders, Names=["b"])[0] == "ResourceNotFoundException"


def test_elastic_fleets_and_their_applications(simulator, client):
    appstream = client(simulator)
    arn = simulator.admin("POST", "/applications", {"name": "editor"})["arn"]
    elastic = {
        "Name": "e",
        "InstanceType": "stream.standard.small",
        "FleetType": "ELASTIC",
        "Platform": "AMAZON_LINUX2",
        "MaxConcurrentSessions": 2,
        "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
    }
    for without in ("Platform", "MaxConcurrentSessions", "VpcConfig"):
        lacking = {key: value for key, value in elastic.items() if key != without}
        assert refused(appstream.create_fleet, **lacking)[0] == "InvalidParameterCombinationException", without
    made = appstream.create_fleet(**elastic)["Fleet"]
    assert made["ComputeCapacityStatus"] == {"Desired": 0}
    appstream.associate_application_fleet(FleetName="e", ApplicationArn=arn)
    pairs = appstream.describe_application_fleet_associations(FleetName="e")["ApplicationFleetAssociations"]
    assert pairs == [{"FleetName": "e", "ApplicationArn": arn}]
    appstream.disassociate_application_fleet(FleetName="e", ApplicationArn=arn)
    assert appstream.describe_application_fleet_associations(ApplicationArn=arn)["ApplicationFleetAssociations"] == []
    assert refused(appstream.describe_application_fleet_associations)[0] == "InvalidParameterCombinationException"


def test_tags(simulator, client):
    appstream = client(simulator)
    arn = appstream.create_fleet(**FLEET)["Fleet"]["Arn"]
    appstream.tag_resource(ResourceArn=arn, Tags={"team": "größe", "empty": ""})
    appstream.untag_resource(ResourceArn=arn, TagKeys=["empty", "never"])
    assert appstream.list_tags_for_resource(ResourceArn=arn)["Tags"] == {**OWNED, "team": "größe"}
    many = {f"key-{n}": "v" for n in range(48)}
    assert refused(appstream.tag_resource, ResourceArn=arn, Tags=many)[0] == "LimitExceededException"
    assert refused(appstream.list_tags_for_resource, ResourceArn=arn + "x")[0] == "ResourceNotFoundException"


def test_the_model_is_checked_in_awss_words(simulator, client):
    appstream = client(simulator)
    code, message, status = refused(appstream.create_fleet, **{**FLEET, "Name": "-f"})
    assert (code, status) == ("ValidationException", 400)
    assert message == (
        "1 validation error detected: Value '-f' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$"
    )
    for change, code in [
        ({"ImageArn": "arn:aws:appstream:us-east-1::image/x"}, "InvalidParameterCombinationException"),
        ({"ComputeCapacity": {"DesiredInstances": 1, "DesiredSessions": 1}}, "InvalidParameterCombinationException"),
        ({"ComputeCapacity": {"DesiredSessions": 1}}, "InvalidParameterCombinationException"),
        ({"MaxConcurrentSessions": 1}, "InvalidParameterCombinationException"),
        ({"MaxUserDurationInSeconds": 432001}, "InvalidParameterCombinationException"),
        ({"InstanceType": "stream.graphics-g4dn.xlarge"}, "InvalidParameterCombinationException"),
        ({"Platform": "AMAZON_LINUX2"}, "InvalidParameterCombinationException"),
        ({"FleetType": "SOMETIMES_ON"}, "ValidationException"),
        ({"Tags": {"aws:mine": "x"}}, "ValidationException"),
        ({"Description": "d" * 257}, "ValidationException"),
        ({"VpcConfig": {"SecurityGroupIds": [f"sg-{n}" for n in range(6)]}}, "ValidationException"),
    ]:
        assert refused(appstream.create_fleet, **{**FLEET, **change})[0] == code, change
    appstream.create_fleet(**FLEET)
    assert refused(appstream.create_fleet, **FLEET)[0] == "ResourceAlreadyExistsException"


def test_an_unknown_operation_is_refused(simulator, client):
    appstream = client(simulator)
    code, _, status = refused(appstream.describe_users, AuthenticationType="USERPOOL")
    assert (code, status) == ("UnknownOperationException", 400)


def test_faults_audit_and_violations_over_http(simulator, client):
    appstream = client(simulator)
    fault = {"operation": "CreateFleet", "nth": 1, "resource": "f", "effect": "AppliedNoAnswer"}
    assert simulator.admin("POST", "/faults", fault) == 204
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        appstream.create_fleet(**FLEET)
    assert refused(appstream.create_fleet, **FLEET)[0] == "ResourceAlreadyExistsException"
    simulator.admin("POST", "/faults", {"operation": "*", "nth": 1, "effect": "Throttle"})
    assert refused(appstream.describe_fleets)[:2] == ("ThrottlingException", "Rate exceeded")
    coded = {"operation": "StartFleet", "effect": "Coded", "code": "InvalidRoleException", "message": "m", "status": 400}
    simulator.admin("POST", "/faults", coded)
    assert refused(appstream.start_fleet, Name="f")[0] == "InvalidRoleException"
    assert simulator.admin("DELETE", "/faults") == 204
    assert simulator.admin("POST", "/faults", {"operation": "StartFleet", "effect": "Nonsense"}) == 400
    simulator.admin("POST", "/faults", {"operation": "StopFleet", "nth": 1, "effect": "ServerError"})
    assert refused(appstream.stop_fleet, Name="f")[2] == 500
    simulator.admin("PATCH", "/fleets/f", {"tags": {}, "desired_instances": 4, "settings": {"Description": "by hand"}})
    fleet = appstream.describe_fleets(Names=["f"])["Fleets"][0]
    assert (fleet["Description"], fleet["ComputeCapacityStatus"]["Desired"]) == ("by hand", 4)
    appstream.update_fleet(Name="f", DisplayName="not mine")
    entries = simulator.admin("GET", "/audit")["entries"]
    assert [(one["operation"], one["answered"]) for one in entries[:2]] == [("CreateFleet", False), ("CreateFleet", True)]
    assert entries[0]["caller"] == "arn:aws:iam::123456789012:user/akia123456789012simu"
    summary = simulator.admin("GET", "/audit?summary=1")["summary"]
    assert (summary["by_operation"]["CreateFleet"], summary["by_code"]["ThrottlingException"]) == (2, 1)
    # StopFleet of a stopped fleet, then the write to a fleet that has lost its ownership tags.
    assert [one["rule"] for one in simulator.admin("GET", "/violations")["violations"]] == ["UselessWrite", "ForeignWrite"]
    assert simulator.admin("POST", "/reset") == 204
    assert simulator.admin("GET", "/fleets") == {"fleets": []}


def test_the_rule_of_2017(simulator_with, client):
    simulator = simulator_with("--rules", "2017")
    appstream = client(simulator)
    running(appstream, simulator)
    assert refused(appstream.update_fleet, Name="f", ImageName="windlass-demo-v2")[0] == "ResourceInUseException"
    appstream.update_fleet(Name="f", DisplayName="still fine")


def test_the_rule_of_today(simulator, client):
    appstream = client(simulator)
    running(appstream, simulator)
    assert appstream.update_fleet(Name="f", ImageName="windlass-demo-v2")["Fleet"]["State"] == "RUNNING"
    another_system = refused(appstream.update_fleet, Name="f", ImageName="windlass-demo-2019")
    assert another_system[0] == "ResourceInUseException"


def test_builders_in_every_state(simulator, client):
    appstream = client(simulator)
    made = appstream.create_image_builder(
        Name="b", InstanceType="stream.standard.medium", ImageName="windlass-demo-v1", Tags=OWNED,
        VpcConfig={"SubnetIds": ["subnet-1"]}, AppstreamAgentVersion="LATEST", DisplayName="B",
    )["ImageBuilder"]
    assert made["VpcConfig"] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-0default0000000"]}
    assert (made["LatestAppstreamAgentVersion"], made["EnableDefaultInternetAccess"]) == ("TRUE", False)

    def look():
        return appstream.describe_image_builders(Names=["b"])["ImageBuilders"][0]

    states = appstream.meta.service_model.shape_for("ImageBuilderState").enum
    for state in states:
        assert simulator.admin("POST", "/builders/b/state", {"state": state}) == 204
        assert look()["State"] == state
    assert simulator.admin("POST", "/builders/b/state", {"state": "RUNNING"}) == 204
    assert simulator.admin("POST", "/builders/b/snapshot", {"image": "mine"}) == 204
    assert (look()["State"], appstream.describe_images(Names=["mine"])["Images"][0]["State"]) == ("SNAPSHOTTING", "PENDING")
    for call in (appstream.stop_image_builder, appstream.delete_image_builder, appstream.start_image_builder):
        code, message, _ = refused(call, Name="b")
        assert code == "OperationNotPermittedException" and message.endswith("when it is SNAPSHOTTING.")
    assert [one["rule"] for one in simulator.admin("GET", "/violations")["violations"]] == ["AgainstTransition"] * 3
    assert simulator.admin("DELETE", "/builders/b/snapshot", {"image": "mine"}) == 204
    assert (look()["State"], appstream.describe_images(Names=["mine"])["Images"][0]["State"]) == ("STOPPED", "AVAILABLE")
    assert "DisplayName" not in appstream.update_image_builder(Name="b", DisplayName="")["ImageBuilder"]
    assert simulator.admin("POST", "/builders/b/errors", {"codes": ["IAM_SERVICE_ROLE_IS_MISSING"]}) == 204
    failed = look()
    assert (failed["State"], failed["StateChangeReason"]["Code"]) == ("FAILED", "INTERNAL_ERROR")
    assert [one["ErrorCode"] for one in failed["ImageBuilderErrors"]] == ["IAM_SERVICE_ROLE_IS_MISSING"]
    assert isinstance(failed["ImageBuilderErrors"][0]["ErrorTimestamp"], datetime.datetime)
    assert simulator.admin("GET", "/builders")["builders"][0]["errors"] == ["IAM_SERVICE_ROLE_IS_MISSING"]
    assert appstream.delete_image_builder(Name="b")["ImageBuilder"]["State"] == "DELETING"


STACK = {
    "DisplayName": "Desk",
    "Description": "d",
    "RedirectURL": "https://example.com/bye",
    "FeedbackURL": "https://example.com/how",
    "StorageConnectors": [{"ConnectorType": "ONE_DRIVE", "Domains": ["example.com"]}],
    "AccessEndpoints": [{"EndpointType": "STREAMING", "VpceId": "vpce-1"}],
    "EmbedHostDomains": ["apps.example.com"],
    "StreamingExperienceSettings": {"PreferredProtocol": "UDP"},
    "ContentRedirection": {"HostToClient": {"Enabled": True, "AllowedUrls": ["https://example.com/a"]}},
    "StorageConnectorAuthentication": "REUSE_CREDENTIALS",
    "AgentAccessConfig": {
        "Settings": [{"AgentAction": "COMPUTER_VISION", "Permission": "ENABLED"}],
        "ScreenResolution": "W_1280xH_720",
        "ScreenImageFormat": "PNG",
    },
}
REMOVAL = {
    "StorageConnectors": "STORAGE_CONNECTORS",
    "RedirectURL": "REDIRECT_URL",
    "FeedbackURL": "FEEDBACK_URL",
    "AccessEndpoints": "ACCESS_ENDPOINTS",
    "EmbedHostDomains": "EMBED_HOST_DOMAINS",
    "StreamingExperienceSettings": "STREAMING_EXPERIENCE_SETTINGS",
    "ContentRedirection": "CONTENT_REDIRECTION",
    "StorageConnectorAuthentication": "STORAGE_CONNECTOR_AUTHENTICATION",
    "AgentAccessConfig": "AGENT_ACCESS_CONFIG",
}


def test_every_member_of_a_stack_is_set_shown_and_removed(simulator, client):
    appstream = client(simulator)
    made = appstream.create_stack(Name="whole", **STACK)["Stack"]
    assert {member: made[member] for member in STACK} == STACK
    appstream.create_stack(Name="bare")
    bare = appstream.describe_stacks(Names=["bare"])["Stacks"][0]
    for member, value in STACK.items():
        assert appstream.update_stack(Name="bare", **{member: value})["Stack"][member] == value, member
        removal = {"AttributesToDelete": [REMOVAL[member]]} if member in REMOVAL else {member: ""}
        appstream.update_stack(Name="bare", **removal)
        assert appstream.describe_stacks(Names=["bare"])["Stacks"][0] == bare, member
    permission = {"Action": "FILE_UPLOAD", "Permission": "DISABLED"}
    changed = appstream.update_stack(Name="bare", UserSettings=[permission], ApplicationSettings={"Enabled": True})["Stack"]
    assert permission in changed["UserSettings"] and changed["ApplicationSettings"]["Enabled"] is True
    appstream.update_stack(Name="bare", AttributesToDelete=["USER_SETTINGS"], ApplicationSettings={"Enabled": False})
    assert appstream.describe_stacks(Names=["bare"])["Stacks"][0] == bare
    assert simulator.admin("GET", "/stacks/whole")["settings"]["DisplayName"] == "Desk"
