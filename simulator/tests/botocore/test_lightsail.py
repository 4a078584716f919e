"""boto3 and the aws CLI against Lightsail: every operation."""

import datetime
import json
import time

import botocore.exceptions
import pytest

OWNED = [{"key": "windlass.dev/cluster", "value": "c1"}, {"key": "windlass.dev/uid", "value": "u1"}]
INSTANCE = {
    "instanceNames": ["web"],
    "availabilityZone": "us-east-1a",
    "blueprintId": "ubuntu_24_04",
    "bundleId": "nano_3_0",
    "tags": OWNED,
}


def refused(call, *args, **kwargs):
    """Type, sub-code, message and HTTP status of an error."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"]["Code"], response.get("code"), response["Error"]["Message"], status


def invalid(message, sub_code=None):
    return "InvalidInputException", sub_code, message, 400


def missing(kind, name):
    return "NotFoundException", "DoesNotExist", f"The {kind} does not exist: {name}", 400


def wait_until(look, wanted):
    deadline = time.monotonic() + 10
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"{seen} is not {wanted}"
        time.sleep(0.02)


def wait_for(state, lightsail, name="web"):
    wait_until(lambda: lightsail.get_instance_state(instanceName=name)["state"]["name"], state)


def running(lightsail, name="web", **more):
    lightsail.create_instances(**{**INSTANCE, "instanceNames": [name], **more})
    wait_for("running", lightsail, name)
    return lightsail.get_instance(instanceName=name)["instance"]


def test_an_instance_lives(simulator, lightsail):
    (operation,) = lightsail.create_instances(**INSTANCE, userData="#!/bin/sh\n")["operations"]
    assert operation["createdAt"] == operation["statusChangedAt"]
    created = operation.pop("createdAt")
    assert abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()) < 60
    del operation["statusChangedAt"]
    identity = operation.pop("id")
    assert operation == {
        "resourceName": "web",
        "resourceType": "Instance",
        "location": {"availabilityZone": "us-east-1a", "regionName": "us-east-1"},
        "isTerminal": False,
        "operationType": "CreateInstance",
        "status": "Started",
    }
    pending = lightsail.get_instance(instanceName="web")["instance"]
    assert pending["state"] == {"code": 0, "name": "pending"} and "publicIpAddress" not in pending
    wait_for("running", lightsail)
    wait_until(lambda: "publicIpAddress" in lightsail.get_instance(instanceName="web")["instance"], True)
    instance = lightsail.get_instance(instanceName="web", includeHealthStatus=True)["instance"]
    for member in ("arn", "supportCode", "createdAt", "privateIpAddress", "publicIpAddress", "ipv6Addresses"):
        assert instance.pop(member)
    (disk,) = instance["hardware"].pop("disks")
    del disk["createdAt"]
    assert disk == {
        "sizeInGb": 20,
        "isSystemDisk": True,
        "iops": 60,
        "path": "/dev/xvda",
        "attachedTo": "web",
        "attachmentState": "attached",
    }
    ports = [(port["fromPort"], port["accessType"]) for port in instance["networking"].pop("ports")]
    assert ports == [(80, "public"), (22, "public")]
    assert instance == {
        "name": "web",
        "location": {"availabilityZone": "us-east-1a", "regionName": "us-east-1"},
        "resourceType": "Instance",
        "tags": OWNED,
        "blueprintId": "ubuntu_24_04",
        "blueprintName": "Ubuntu",
        "bundleId": "nano_3_0",
        "isStaticIp": False,
        "ipAddressType": "dualstack",
        "hardware": {"cpuCount": 2, "ramSizeInGb": 0.5},
        "networking": {"monthlyTransfer": {"gbPerMonthAllocated": 1024}},
        "state": {"code": 16, "name": "running"},
        "username": "ubuntu",
        "sshKeyName": "LightsailDefaultKeyPair",
        "metadataOptions": {
            "state": "applied",
            "httpTokens": "optional",
            "httpEndpoint": "enabled",
            "httpPutResponseHopLimit": 1,
            "httpProtocolIpv6": "disabled",
        },
        "instanceStatus": {"status": "ok"},
        "systemStatus": {"status": "ok"},
    }
    done = lightsail.get_operation(operationId=identity)["operation"]
    assert (done["status"], done["isTerminal"]) == ("Succeeded", True)
    assert lightsail.reboot_instance(instanceName="web")["operations"][0]["status"] == "Succeeded"
    assert refused(lightsail.start_instance, instanceName="web") == invalid(
        "The Instance web cannot be started when it is running."
    )
    assert lightsail.stop_instance(instanceName="web")["operations"][0]["status"] == "Started"
    assert refused(lightsail.reboot_instance, instanceName="web")[2].endswith("when it is stopping.")
    lightsail.stop_instance(instanceName="web", force=True)
    wait_for("stopped", lightsail)
    assert refused(lightsail.stop_instance, instanceName="web")[2].endswith("when it is stopped.")
    lightsail.start_instance(instanceName="web")
    wait_for("running", lightsail)
    assert lightsail.delete_instance(instanceName="web")["operations"][0]["isTerminal"] is True
    wait_until(lambda: lightsail.get_instances()["instances"], [])
    assert refused(lightsail.get_instance, instanceName="web") == missing("Instance", "web")
    kinds = [one["operationType"] for one in lightsail.get_operations_for_resource(resourceName="web")["operations"]]
    assert kinds == ["CreateInstance", "RebootInstance", "StopInstance", "StopInstance", "StartInstance", "DeleteInstance"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"instanceNames": ["x"]}, invalid("x is not a valid resource name. Resource names must be at least 2 characters "
                                           "long and contain only alphanumerics, -, _, and .")),
        ({"instanceNames": []}, invalid("Instance names must be given and be unique.")),
        ({"availabilityZone": "us-east-2a"}, invalid("The given Availability Zone is invalid. It must be one of the "
                                                     "following: us-east-1a,us-east-1b,us-east-1c.")),
        ({"bundleId": "nano_1_0"}, invalid("The specified bundle does not exist in this region: nano_1_0")),
        ({"bundleId": "nano_3_1"}, invalid("The specified bundle does not exist in this region: nano_3_1")),
        ({"bundleId": "nano_2_0"}, invalid("The specified bundle is not active: nano_2_0")),
        ({"blueprintId": "beos"}, invalid("The specified blueprint does not exist in this region: beos")),
        ({"blueprintId": "ubuntu_20_04"}, invalid("The specified blueprint is not active: ubuntu_20_04")),
        ({"blueprintId": "windows_server_2022"}, invalid("The bundle nano_3_0 does not support the platform WINDOWS of the "
                                                         "blueprint windows_server_2022.")),
        ({"blueprintId": "windows_server_2022_sql_2022_express", "bundleId": "micro_win_3_0"},
         invalid("The blueprint windows_server_2022_sql_2022_express requires a bundle with a power of at least 1000: "
                 "micro_win_3_0")),
        ({"ipAddressType": "ipv6"}, invalid("The bundle nano_3_0 does not support the IP address type ipv6.")),
        ({"bundleId": "nano_ipv6_3_0"}, invalid("The bundle nano_ipv6_3_0 does not support the IP address type dualstack.")),
        ({"keyPairName": "mine"}, missing("KeyPair", "mine")),
        ({"userData": "x" * 16385}, invalid("User data is limited to 16384 bytes.")),
        ({"tags": [{"key": "aws:name"}]}, invalid("The tag key is not valid: aws:name")),
        ({"tags": [{"key": "k" * 129}]}, invalid("The tag key is not valid: " + "k" * 129)),
        ({"tags": [{"key": "k", "value": "a;b"}]}, invalid("The value of the tag k is not valid: a;b")),
        ({"tags": [{"key": f"k{n}"} for n in range(51)]}, invalid("A resource cannot have more than 50 tags.")),
        ({"ipAddressType": "ipv5"}, invalid("1 validation error detected: Value 'ipv5' at 'ipAddressType' failed to satisfy "
                                            "constraint: Member must satisfy enum value set: [dualstack, ipv4, ipv6]")),
        ({"addOns": [{"addOnType": "StopInstanceOnIdle"}]},
         invalid("StopInstanceOnIdle is available for Lightsail for Research instances only.")),
    ],
)
def test_a_create_that_aws_refuses_makes_nothing(lightsail, change, error):
    assert refused(lightsail.create_instances, **{**INSTANCE, **change}) == error
    assert lightsail.get_instances()["instances"] == [] and lightsail.get_active_names()["activeNames"] == []


def test_several_instances_in_one_call_and_pages(simulator_with, lightsail_of):
    lightsail = lightsail_of(simulator_with("--page-size", "2"))
    names = ["a1", "b2", "c3"]
    operations = lightsail.create_instances(**{**INSTANCE, "instanceNames": names})["operations"]
    assert [one["resourceName"] for one in operations] == names
    assert refused(lightsail.create_instances, **{**INSTANCE, "instanceNames": ["d4", "b2"]}) == invalid(
        "Some names are already in use: b2", "NameExists"
    )
    for method, member, count in [
        ("get_instances", "instances", 3),
        ("get_operations", "operations", 3),
        ("get_active_names", "activeNames", 3),
        ("get_blueprints", "blueprints", 14),
        ("get_bundles", "bundles", 22),
    ]:
        pages = [page[member] for page in lightsail.get_paginator(method).paginate()]
        assert max(len(page) for page in pages) == 2 and sum(len(page) for page in pages) == count, method
    assert refused(lightsail.get_instances, pageToken="zz") == invalid("The page token is not valid.")


def test_the_catalogue(simulator, lightsail, lightsail_of):
    bundles = {one["bundleId"]: one for one in lightsail.get_bundles(includeInactive=True)["bundles"]}
    assert bundles["nano_3_0"] == {
        "price": 5.0,
        "cpuCount": 2,
        "diskSizeInGb": 20,
        "bundleId": "nano_3_0",
        "instanceType": "nano",
        "isActive": True,
        "name": "Nano",
        "power": 298,
        "ramSizeInGb": 0.5,
        "transferPerMonthInGb": 1024,
        "supportedPlatforms": ["LINUX_UNIX"],
        "publicIpv4AddressCount": 1,
    }
    assert bundles["nano_ipv6_3_0"]["publicIpv4AddressCount"] == 0
    assert bundles["nano_win_3_0"]["supportedPlatforms"] == ["WINDOWS"] and bundles["nano_win_3_0"]["diskSizeInGb"] == 30
    assert [one for one in bundles if not bundles[one]["isActive"]] == ["nano_2_0", "micro_2_0", "small_2_0"]
    assert "nano_2_0" not in [one["bundleId"] for one in lightsail.get_bundles()["bundles"]]
    blueprints = {one["blueprintId"]: one for one in lightsail.get_blueprints(includeInactive=True)["blueprints"]}
    wordpress = blueprints["wordpress"]
    assert (wordpress["type"], wordpress["platform"], wordpress["minPower"]) == ("app", "LINUX_UNIX", 0)
    assert blueprints["ubuntu_20_04"]["isActive"] is False
    assert blueprints["windows_server_2022_sql_2022_express"]["minPower"] == 1000
    assert lightsail.get_bundles(appCategory="LfR")["bundles"] == []
    assert lightsail.get_blueprints(appCategory="LfR")["blueprints"] == []
    mumbai = lightsail_of(simulator, region="ap-south-1")
    assert "nano_3_1" in [one["bundleId"] for one in mumbai.get_bundles()["bundles"]]
    regions = {one["name"]: one for one in lightsail.get_regions()["regions"]}
    assert len(regions) == 19 and regions["us-east-1"]["availabilityZones"] == []
    zoned = lightsail.get_regions(includeAvailabilityZones=True)["regions"][0]["availabilityZones"]
    assert zoned == [{"zoneName": f"us-east-1{letter}", "state": "available"} for letter in "abc"]
    simulator.admin("DELETE", "/catalogue/ubuntu_24_04")
    assert refused(lightsail.create_instances, **INSTANCE)[2] == "The specified blueprint is not active: ubuntu_24_04"


def test_a_windows_instance(lightsail):
    instance = running(lightsail, blueprintId="windows_server_2022", bundleId="medium_win_3_0")
    assert (instance["username"], instance["hardware"]["disks"][0]["path"]) == ("Administrator", "/dev/sda1")
    assert [port["fromPort"] for port in instance["networking"]["ports"]] == [80, 22, 3389]
    assert refused(lightsail.enable_add_on, resourceName="web", addOnRequest={"addOnType": "AutoSnapshot"}) == invalid(
        "The AutoSnapshot add-on is not supported for Windows instances."
    )
    assert refused(
        lightsail.set_ip_address_type,
        resourceType="Instance", resourceName="web", ipAddressType="ipv6", acceptBundleUpdate=True,
    ) == invalid("There is no bundle for the IP address type ipv6: medium_win_3_0")


def states(lightsail):
    listed = lightsail.get_instance_port_states(instanceName="web")["portStates"]
    return [(p["fromPort"], p["toPort"], p["protocol"], p["cidrs"], p["ipv6Cidrs"], p["cidrListAliases"]) for p in listed]


def test_ports(lightsail):
    running(lightsail)
    web = {"instanceName": "web"}
    assert states(lightsail) == [
        (80, 80, "tcp", ["0.0.0.0/0"], ["::/0"], []),
        (22, 22, "tcp", ["0.0.0.0/0"], ["::/0"], ["lightsail-connect"]),
    ]
    infos = [
        {"fromPort": 443, "toPort": 444, "protocol": "tcp"},
        {"protocol": "all", "cidrs": ["192.0.2.0/24"]},
        {"fromPort": 8, "toPort": -1, "protocol": "icmp"},
        {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrListAliases": ["lightsail-connect"]},
    ]
    operation = lightsail.put_instance_public_ports(**web, portInfos=infos)["operation"]
    assert operation["operationDetails"] == "443-444/tcp,0-65535/all,8--1/icmp,22/tcp"
    assert (operation["operationType"], operation["status"]) == ("PutInstancePublicPorts", "Succeeded")
    assert states(lightsail) == [
        (443, 444, "tcp", ["0.0.0.0/0"], ["::/0"], []),
        (0, 65535, "all", ["192.0.2.0/24"], [], []),
        (8, -1, "icmp", ["0.0.0.0/0"], [], []),
        (22, 22, "tcp", [], [], ["lightsail-connect"]),
    ]
    upper = {"fromPort": 53, "toPort": 53, "protocol": "UDP", "ipv6Cidrs": ["2001:db8::/32"]}
    lightsail.put_instance_public_ports(**web, portInfos=[])
    lightsail.open_instance_public_ports(**web, portInfo=upper)
    assert states(lightsail) == [(53, 53, "udp", [], ["2001:db8::/32"], [])]
    lightsail.close_instance_public_ports(**web, portInfo=upper)
    assert states(lightsail) == []
    for info, message in [
        ({"fromPort": 2, "toPort": 1, "protocol": "tcp"}, "The port range is not valid for tcp: 2-1"),
        ({"fromPort": 2, "protocol": "tcp"}, "fromPort and toPort must be given."),
        ({"fromPort": 2, "toPort": 2, "protocol": "sctp"}, "The protocol is not valid: sctp"),
        ({"fromPort": 2, "toPort": 2, "protocol": "tcp", "cidrs": ["::/0"]}, "The CIDR block is not valid: ::/0"),
        ({"fromPort": 2, "toPort": 2, "protocol": "tcp", "ipv6Cidrs": ["x"]}, "The CIDR block is not valid: x"),
        ({"fromPort": 2, "toPort": 2, "protocol": "tcp", "cidrListAliases": ["x"]}, "The CIDR list alias is not valid: x"),
    ]:
        assert refused(lightsail.open_instance_public_ports, **web, portInfo=info) == invalid(message)
    many = [{"fromPort": n, "toPort": n, "protocol": "tcp"} for n in range(61)]
    assert refused(lightsail.put_instance_public_ports, **web, portInfos=many) == invalid(
        "An instance cannot have more than 60 firewall rules."
    )
    assert refused(lightsail.get_instance_port_states, instanceName="none") == missing("Instance", "none")


def test_static_ips(simulator, lightsail):
    running(lightsail)
    (operation,) = lightsail.allocate_static_ip(staticIpName="ip-1")["operations"]
    assert (operation["location"]["availabilityZone"], operation["status"]) == ("all", "Succeeded")
    both = lightsail.attach_static_ip(staticIpName="ip-1", instanceName="web")["operations"]
    assert [(one["resourceName"], one["operationDetails"]) for one in both] == [("ip-1", "web"), ("web", "ip-1")]
    ip = lightsail.get_static_ip(staticIpName="ip-1")["staticIp"]
    assert ip["supportCode"] == f"123456789012/{ip['ipAddress']}" and ":StaticIp/" in ip["arn"]
    instance = lightsail.get_instance(instanceName="web")["instance"]
    assert (instance["isStaticIp"], instance["publicIpAddress"]) == (True, ip["ipAddress"])
    lightsail.allocate_static_ip(staticIpName="ip-2")
    assert [one["name"] for one in lightsail.get_static_ips()["staticIps"]] == ["ip-1", "ip-2"]
    for call, input, message in [
        (lightsail.attach_static_ip, {"staticIpName": "ip-1", "instanceName": "web"}, "The StaticIp ip-1 is already attached to web."),
        (lightsail.attach_static_ip, {"staticIpName": "ip-2", "instanceName": "web"}, "The Instance web has a static IP already: ip-1"),
        (lightsail.release_static_ip, {"staticIpName": "ip-1"}, "The StaticIp ip-1 is attached to web. Detach it before releasing it."),
        (lightsail.detach_static_ip, {"staticIpName": "ip-2"}, "The StaticIp ip-2 is not attached."),
        (lightsail.tag_resource, {"resourceName": "ip-1", "tags": OWNED}, "The resource type StaticIp does not support tags: ip-1"),
        (lightsail.set_ip_address_type,
         {"resourceType": "Instance", "resourceName": "web", "ipAddressType": "ipv6", "acceptBundleUpdate": True},
         "Detach the static IP from web before making it IPv6-only."),
    ]:
        assert refused(call, **input) == invalid(message)
    assert refused(lightsail.allocate_static_ip, staticIpName="web") == invalid("Some names are already in use: web", "NameExists")
    assert refused(lightsail.get_static_ip, staticIpName="none") == missing("StaticIp", "none")
    lightsail.detach_static_ip(staticIpName="ip-1")
    lightsail.release_static_ip(staticIpName="ip-1")
    seen = simulator.admin("GET", "/static-ips")["static_ips"]
    assert [(one["name"], one["attached_to"]) for one in seen] == [("ip-2", None)]


def add_on(time_of_day):
    return {"addOnType": "AutoSnapshot", "autoSnapshotAddOnRequest": {"snapshotTimeOfDay": time_of_day}}


def test_add_ons(simulator, lightsail):
    running(lightsail)
    assert refused(lightsail.disable_add_on, resourceName="web", addOnType="AutoSnapshot") == invalid(
        "AutoSnapshot not enabled for the resource"
    )
    (operation,) = lightsail.enable_add_on(resourceName="web", addOnRequest=add_on("04:00"))["operations"]
    assert (operation["operationType"], operation["status"]) == ("EnableAddOn", "Started")
    listed = lambda: lightsail.get_instance(instanceName="web")["instance"]["addOns"]
    wait_until(lambda: listed()[0]["status"], "Enabled")
    assert listed()[0] == {
        "name": "AutoSnapshot", "status": "Enabled", "snapshotTimeOfDay": "04:00", "nextSnapshotTimeOfDay": "04:00",
    }
    assert refused(lightsail.enable_add_on, resourceName="web", addOnRequest=add_on("04:00")) == invalid(
        "The addOn is already in requested state"
    )
    assert refused(lightsail.enable_add_on, resourceName="web", addOnRequest=add_on("04:30"))[2].startswith("snapshotTimeOfDay must")
    simulator.admin("POST", "/clock/advance", {"seconds": 3 * 86400})
    snapshots = lightsail.get_auto_snapshots(resourceName="web")
    assert (snapshots["resourceType"], len(snapshots["autoSnapshots"])) == ("Instance", 3)
    assert snapshots["autoSnapshots"][0]["status"] == "Success"
    assert refused(lightsail.delete_instance, instanceName="web") == invalid(
        "You cannot delete the Instance web with addons. Specify the forceDeleteAddons parameter to delete the Instance and "
        "its associated addons."
    )
    lightsail.disable_add_on(resourceName="web", addOnType="AutoSnapshot")
    wait_until(lambda: listed()[0]["status"], "Disabled")
    lightsail.delete_instance(instanceName="web", forceDeleteAddOns=True)
    running(lightsail, "with", addOns=[add_on("23:00")])
    wait_until(lambda: lightsail.get_instance(instanceName="with")["instance"]["addOns"][0]["status"], "Enabled")


def test_address_types(lightsail):
    before = running(lightsail)
    change = {"resourceType": "Instance", "resourceName": "web"}
    assert refused(lightsail.set_ip_address_type, **change, ipAddressType="ipv6") == invalid(
        "Changing the IP address type of web to ipv6 changes its bundle. Specify acceptBundleUpdate to accept it."
    )
    assert refused(lightsail.set_ip_address_type, **{**change, "resourceType": "Distribution"}, ipAddressType="ipv6")[0] == (
        "InvalidInputException"
    )
    kind = lambda: lightsail.get_instance(instanceName="web")["instance"]["ipAddressType"]
    lightsail.set_ip_address_type(**change, ipAddressType="ipv6", acceptBundleUpdate=True)
    wait_until(kind, "ipv6")
    only6 = lightsail.get_instance(instanceName="web")["instance"]
    assert (only6["bundleId"], only6["ipv6Addresses"]) == ("nano_ipv6_3_0", before["ipv6Addresses"])
    assert "publicIpAddress" not in only6 and only6["networking"]["ports"][0]["cidrs"] == []
    lightsail.allocate_static_ip(staticIpName="ip-1")
    assert refused(lightsail.attach_static_ip, staticIpName="ip-1", instanceName="web")[2] == (
        "The Instance web is IPv6-only and cannot have a static IP."
    )
    lightsail.set_ip_address_type(**change, ipAddressType="ipv4", acceptBundleUpdate=True)
    wait_until(kind, "ipv4")
    only4 = lightsail.get_instance(instanceName="web")["instance"]
    assert (only4["bundleId"], only4["ipv6Addresses"]) == ("nano_3_0", [])


def test_metadata_options(simulator, lightsail, lightsail_of):
    running(lightsail)
    update = lightsail.update_instance_metadata_options
    operation = update(instanceName="web", httpTokens="required", httpPutResponseHopLimit=2)["operation"]
    assert operation["operationType"] == "UpdateInstanceMetadataOptions"
    options = lambda: lightsail.get_instance(instanceName="web")["instance"]["metadataOptions"]
    assert (options()["state"], options()["httpTokens"]) == ("pending", "required")
    wait_until(lambda: options()["state"], "applied")
    update(instanceName="web", httpEndpoint="disabled")
    assert (options()["httpTokens"], options()["httpEndpoint"], options()["httpPutResponseHopLimit"]) == (
        "optional", "disabled", 2,
    )
    assert refused(update, instanceName="web", httpProtocolIpv6="enabled") == invalid(
        "httpProtocolIpv6 is available in the Region eu-north-1 only."
    )
    assert refused(update, instanceName="web", httpPutResponseHopLimit=65)[0] == "InvalidInputException"
    north = lightsail_of(simulator, region="eu-north-1")
    running(north, availabilityZone="eu-north-1a")
    north.update_instance_metadata_options(instanceName="web", httpProtocolIpv6="enabled")
    assert north.get_instance(instanceName="web")["instance"]["metadataOptions"]["httpProtocolIpv6"] == "enabled"


def test_tags(lightsail):
    instance = running(lightsail, tags=[*OWNED, {"key": "bare"}])
    assert {"key": "bare"} in instance["tags"]
    (operation,) = lightsail.tag_resource(resourceName="web", tags=[{"key": "team", "value": "a"}])["operations"]
    assert (operation["operationType"], operation["isTerminal"]) == ("TagResource", True)
    lightsail.tag_resource(resourceName="web", resourceArn=instance["arn"], tags=[{"key": "team", "value": "b"}])
    lightsail.untag_resource(resourceName="web", tagKeys=["bare", "never"])
    tags = {one["key"]: one.get("value") for one in lightsail.get_instance(instanceName="web")["instance"]["tags"]}
    assert tags == {"windlass.dev/cluster": "c1", "windlass.dev/uid": "u1", "team": "b"}
    assert refused(lightsail.tag_resource, resourceName="web", resourceArn=instance["arn"] + "x", tags=OWNED)[0] == (
        "NotFoundException"
    )
    assert refused(lightsail.untag_resource, resourceName="none", tagKeys=["k"]) == missing("resource", "none")
    many = [{"key": f"k{n}"} for n in range(48)]
    assert refused(lightsail.tag_resource, resourceName="web", tags=many) == invalid(
        "A resource cannot have more than 50 tags."
    )


def test_key_pairs(lightsail):
    made = lightsail.create_key_pair(keyPairName="mine", tags=[{"key": "k", "value": "v"}])
    assert made["privateKeyBase64"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert made["operation"]["operationType"] == "CreateKeyPair"
    public = made["publicKeyBase64"]
    assert public.startswith("ssh-rsa ssh-rsa AAAAB3NzaC1yc2E")
    assert refused(lightsail.import_key_pair, keyPairName="mine", publicKeyBase64=public)[1] == "NameExists"
    lightsail.import_key_pair(keyPairName="theirs", publicKeyBase64=public.removeprefix("ssh-rsa ") + " me@example.com")
    for bad in ["ssh-ed25519 AAAA", "ssh-rsa AAAA", public[:-40]]:
        assert refused(lightsail.import_key_pair, keyPairName="bad", publicKeyBase64=bad) == invalid(
            "The public key must be an ssh-rsa key."
        )
    names = lambda **more: [one["name"] for one in lightsail.get_key_pairs(**more)["keyPairs"]]
    assert (names(), names(includeDefaultKeyPair=True)) == (
        ["mine", "theirs"], ["LightsailDefaultKeyPair", "mine", "theirs"],
    )
    assert lightsail.get_key_pair(keyPairName="mine")["keyPair"]["tags"] == [{"key": "k", "value": "v"}]
    assert running(lightsail, keyPairName="mine")["sshKeyName"] == "mine"
    lightsail.delete_key_pair(keyPairName="mine")
    assert refused(lightsail.delete_key_pair, keyPairName="mine") == missing("KeyPair", "mine")
    assert refused(lightsail.delete_key_pair, keyPairName="LightsailDefaultKeyPair")[0] == "InvalidInputException"


def test_faults_and_people(simulator, lightsail):
    simulator.admin("POST", "/faults", {
        "operation": "CreateInstances", "nth": 1, "effect": "FailsLater", "code": "NoRoom", "message": "no room here",
    })
    identity = lightsail.create_instances(**INSTANCE)["operations"][0]["id"]
    wait_until(lambda: lightsail.get_operation(operationId=identity)["operation"]["status"], "Failed")
    failed = lightsail.get_operation(operationId=identity)["operation"]
    assert (failed["errorCode"], failed["errorDetails"], failed["isTerminal"]) == ("NoRoom", "no room here", True)
    assert lightsail.get_instances()["instances"] == []
    assert refused(lightsail.get_operation, operationId="none") == missing("Operation", "none")
    assert simulator.admin("POST", "/faults", {"operation": "GetInstance", "effect": "FailsLater"}) == 400
    running(lightsail)
    assert simulator.admin("POST", "/by-hand/lightsail/StopInstance", {"instanceName": "web"})["operations"]
    wait_for("stopped", lightsail)
    assert simulator.admin("POST", "/by-hand/lightsail/StopInstance", {"instanceName": "web"}) == 409
    assert simulator.admin("POST", "/instances", {"name": "theirs", "tags": {"team": "b"}}) == 204
    assert simulator.admin("POST", "/instances", {"name": "theirs"}) == 409
    assert simulator.admin("GET", "/instances/theirs")["state"] == "running"
    assert simulator.admin("GET", "/instances/none") == 404
    simulator.admin("POST", "/lightsail-names", {"name": "disk-1", "resource_type": "Disk"})
    assert lightsail.get_active_names()["activeNames"] == ["disk-1", "theirs", "web"]
    lightsail.delete_instance(instanceName="theirs")
    rules = [one["rule"] for one in simulator.admin("GET", "/violations")["violations"]]
    assert rules == ["ForeignWrite"]
    entries = simulator.admin("GET", "/audit?since=0")["entries"]
    assert (entries[0]["service"], entries[0]["resource"], entries[0]["mutating"]) == ("lightsail", "web", True)
    assert entries[1]["mutating"] is False


def test_unknown_operations_and_odd_bodies(simulator):
    import urllib.error
    import urllib.request

    def call(operation, body):
        scope = "AKIA123456789012SIMU/20260101/us-east-1/lightsail/aws4_request"
        headers = {
            "X-Amz-Target": f"Lightsail_20161128.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.1",
        }
        request = urllib.request.Request(simulator.url + "/", body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    assert call("CreateContainerService", "{}") == (400, {"__type": "UnknownOperationException", "message": ""})
    assert call("GetInstance", "[]")[1]["__type"] == "SerializationException"
    assert call("GetInstance", '{"instanceName": 1}')[1]["__type"] == "SerializationException"
    assert call("GetInstance", "{}") == (400, {
        "__type": "InvalidInputException",
        "message": "1 validation error detected: Value null at 'instanceName' failed to satisfy constraint: "
                   "Member must not be null",
    })
    assert call("GetInstances", '{"unheardOf": 1}') == (200, {"instances": []})


def test_an_instance_by_hand(aws_lightsail):
    made = aws_lightsail(
        "create-instances", "--instance-names", "web", "--availability-zone", "us-east-1a", "--blueprint-id", "wordpress",
        "--bundle-id", "micro_3_0", "--tags", "key=team,value=a",
    )
    assert made["operations"][0]["status"] == "Started"
    time.sleep(0.3)
    assert aws_lightsail("get-instance-state", "--instance-name", "web") == {"state": {"code": 16, "name": "running"}}
    instance = aws_lightsail("get-instances")["instances"][0]
    assert (instance["username"], instance["tags"]) == ("bitnami", [{"key": "team", "value": "a"}])
    aws_lightsail("put-instance-public-ports", "--instance-name", "web", "--port-infos", "fromPort=22,toPort=22,protocol=TCP")
    states = aws_lightsail("get-instance-port-states", "--instance-name", "web")["portStates"]
    assert [(one["fromPort"], one["protocol"], one["state"]) for one in states] == [(22, "tcp", "open")]
    refusal = aws_lightsail("start-instance", "--instance-name", "web", fails=True)
    assert "(InvalidInputException) when calling the StartInstance operation: The Instance web cannot" in refusal
    refusal = aws_lightsail("get-instance", "--instance-name", "none", fails=True)
    assert "(NotFoundException) when calling the GetInstance operation: The Instance does not exist: none" in refusal
    aws_lightsail("allocate-static-ip", "--static-ip-name", "ip")
    aws_lightsail("attach-static-ip", "--static-ip-name", "ip", "--instance-name", "web")
    assert aws_lightsail("get-static-ip", "--static-ip-name", "ip")["staticIp"]["attachedTo"] == "web"
    aws_lightsail("delete-instance", "--instance-name", "web")
    time.sleep(0.2)
    assert aws_lightsail("get-instances") == {"instances": []}
    assert len(aws_lightsail("get-bundles", "--include-inactive")["bundles"]) == 25
