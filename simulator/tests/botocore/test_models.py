"""The simulator's tables of inputs against botocore's models: operations, required members, types, enums and bounds."""

import json
import urllib.error
import urllib.request

import botocore.session
import pytest

APPSTREAM = """
AssociateApplicationFleet AssociateFleet CreateFleet CreateImageBuilder CreateImageBuilderStreamingURL CreateStack
CreateStreamingURL DeleteFleet DeleteImageBuilder DeleteStack DescribeApplicationFleetAssociations DescribeFleets
DescribeImageBuilders DescribeImages DescribeSessions DescribeStacks DisassociateApplicationFleet DisassociateFleet
DrainSessionInstance ExpireSession ListAssociatedFleets ListAssociatedStacks ListTagsForResource StartFleet
StartImageBuilder StopFleet StopImageBuilder TagResource UntagResource UpdateFleet UpdateImageBuilder UpdateStack
"""
LIGHTSAIL = """
AllocateStaticIp AttachStaticIp CloseInstancePublicPorts CreateInstances CreateKeyPair DeleteInstance DeleteKeyPair
DetachStaticIp DisableAddOn EnableAddOn GetActiveNames GetAutoSnapshots GetBlueprints GetBundles GetInstance
GetInstanceAccessDetails GetInstancePortStates GetInstanceState GetInstances GetKeyPair GetKeyPairs GetOperation GetOperations
GetOperationsForResource GetRegions GetStaticIp GetStaticIps ImportKeyPair OpenInstancePublicPorts
PutInstancePublicPorts RebootInstance ReleaseStaticIp SetIpAddressType StartInstance StopInstance TagResource
UntagResource UpdateInstanceMetadataOptions
"""
GAMELIFT = """
DescribeCompute DescribeContainerFleet DescribeFleetAttributes DescribeFleetLocationAttributes DescribeInstances
GetComputeAccess GetInstanceAccess ListCompute
"""
NAMES = {"appstream": APPSTREAM, "lightsail": LIGHTSAIL, "gamelift": GAMELIFT}
OPERATIONS = [(service, name) for service, names in NAMES.items() for name in names.split()]
SHAPES = {"appstream": "PhotonAdminProxyService", "lightsail": "Lightsail_20161128", "gamelift": "GameLift"}


@pytest.fixture(scope="module")
def speak(request):
    """Sends an input that no client would: `speak(service, operation, input)` returns status and JSON."""
    from conftest import Simulator

    server = Simulator()
    request.addfinalizer(server.close)

    def call(service, operation, body):
        scope = f"AKIA123456789012SIMU/20260101/us-east-1/{service}/aws4_request"
        headers = {
            "X-Amz-Target": f"{SHAPES[service]}.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.1",
        }
        sent = urllib.request.Request(server.url + "/", json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(sent, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return call


def shape_of(service, operation):
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def lowered(name):
    return name[:1].lower() + name[1:]


def text_of(answer):
    return answer.get("Message", answer.get("message", ""))


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_required_members_are_the_models(speak, service, operation):
    shape = shape_of(service, operation)
    required = shape.required_members if shape else []
    status, answer = speak(service, operation, {})
    named = {part.split("'")[1] for part in text_of(answer).split("; ") if "Member must not be null" in part}
    assert named == {lowered(name) for name in required}, answer
    assert answer.get("__type") != "UnknownOperationException"


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_member_has_the_models_type(speak, service, operation):
    shape = shape_of(service, operation)
    wrong = {"string": True, "boolean": "x", "integer": "x", "long": "x", "list": "x", "map": "x", "structure": "x"}
    for name, member in (shape.members if shape else {}).items():
        answer = speak(service, operation, {name: wrong[member.type_name]})[1]
        assert answer.get("__type") == "SerializationException", f"{name}: {answer}"


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_enum_is_the_models(speak, service, operation):
    shape = shape_of(service, operation)
    # In prose these have fewer values than the model's enum of all services' resources.
    excused = {("SetIpAddressType", "resourceType")}
    for name, member in (shape.members if shape else {}).items():
        if member.type_name == "string" and member.enum and (operation, name) not in excused:
            said = text_of(speak(service, operation, {name: "Nonsense"})[1])
            assert f"Member must satisfy enum value set: [{', '.join(member.enum)}]" in said, f"{name}: {said}"


@pytest.mark.parametrize("operation", GAMELIFT.split())
def test_every_pattern_and_bound_of_gamelift_is_the_models(speak, operation):
    for name, member in shape_of("gamelift", operation).members.items():
        bounds = member.metadata
        if "pattern" in bounds:
            said = text_of(speak("gamelift", operation, {name: "!"})[1])
            assert f"Member must satisfy regular expression pattern: {bounds['pattern']}" in said, f"{name}: {said}"
        if member.type_name == "string" and "max" in bounds:
            said = text_of(speak("gamelift", operation, {name: "!" * (bounds["max"] + 1)})[1])
            assert f"Member must have length less than or equal to {bounds['max']}" in said, f"{name}: {said}"
        if member.type_name == "list":
            too_few = [] if bounds.get("min") else None
            if too_few is not None:
                said = text_of(speak("gamelift", operation, {name: too_few})[1])
                assert f"Member must have length greater than or equal to {bounds['min']}" in said, f"{name}: {said}"
            said = text_of(speak("gamelift", operation, {name: ["!"]})[1])
            assert f"pattern: {member.member.metadata['pattern']}" in said, f"{name}: {said}"
        if member.type_name == "integer" and "min" in bounds:
            said = text_of(speak("gamelift", operation, {name: bounds["min"] - 1})[1])
            assert f"Member must have value greater than or equal to {bounds['min']}" in said, f"{name}: {said}"
