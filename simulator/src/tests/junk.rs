//! Inputs that no client sends: an error or an answer, never a panic.

use super::*;

#[tokio::test]
async fn no_input_makes_a_panic() {
    let junk = [
        "",
        "[]",
        "null",
        "{",
        "\u{0}",
        "{\"Name\": 1}",
        "{\"Name\": null}",
        "{\"Name\": \"f\", \"Tags\": []}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": 9223372036854775807}}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": -5}}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": 1.5}}",
        "{\"Names\": [\"\"], \"NextToken\": \"zz\"}",
        "{\"NextToken\": \"é\"}",
        "{\"NextToken\": \"00\"}",
        "{\"ResourceArn\": \"arn:aws:appstream:us-east-1:123456789012:fleet\", \"Tags\": {\"a\": \"b\"}, \"TagKeys\": [\"a\"]}",
        "{\"StackName\": \"s\", \"FleetName\": \"f\", \"Limit\": -1, \"UserId\": \"aa\", \"Validity\": -1}",
    ];
    let operations = [
        "CreateFleet",
        "UpdateFleet",
        "DescribeFleets",
        "StartFleet",
        "StopFleet",
        "DeleteFleet",
        "AssociateFleet",
        "DisassociateFleet",
        "ListAssociatedFleets",
        "ListAssociatedStacks",
        "AssociateApplicationFleet",
        "DisassociateApplicationFleet",
        "DescribeApplicationFleetAssociations",
        "CreateStack",
        "UpdateStack",
        "DeleteStack",
        "DescribeStacks",
        "DescribeImages",
        "DescribeSessions",
        "ExpireSession",
        "DrainSessionInstance",
        "CreateStreamingURL",
        "CreateImageBuilder",
        "UpdateImageBuilder",
        "DescribeImageBuilders",
        "StartImageBuilder",
        "StopImageBuilder",
        "DeleteImageBuilder",
        "CreateImageBuilderStreamingURL",
        "TagResource",
        "UntagResource",
        "ListTagsForResource",
        "NoSuchOperation",
        "",
    ];
    let world = running(Settings::default()).await;
    let key = credentials("123456789012").0;
    for operation in operations {
        for body in junk {
            let (status, _) = send(&world, request(&key, operation, body)).await;
            assert!((200..500).contains(&status), "{operation} {body}: {status}");
        }
    }
}

#[tokio::test]
async fn no_input_to_lightsail_makes_a_panic() {
    let junk = [
        "",
        "[]",
        "null",
        "{",
        "{}",
        "{\"instanceName\": 1}",
        "{\"instanceName\": \"\", \"instanceNames\": [\"\"], \"staticIpName\": \"é\", \"resourceName\": \"web\"}",
        "{\"instanceName\": \"web\", \"portInfos\": [{}], \"portInfo\": {\"fromPort\": -1, \"toPort\": -1, \"protocol\": \"all\"}}",
        "{\"instanceName\": \"web\", \"portInfos\": [null], \"portInfo\": {\"fromPort\": 65535, \"toPort\": 0, \"protocol\": \"tcp\"}}",
        "{\"instanceName\": \"web\", \"portInfo\": {\"fromPort\": 1, \"toPort\": 1, \"protocol\": \"tcp\", \"cidrs\": [\"/\", \"\"]}}",
        "{\"resourceName\": \"web\", \"addOnRequest\": {\"addOnType\": \"AutoSnapshot\", \"autoSnapshotAddOnRequest\": {\"snapshotTimeOfDay\": \"é:00\"}}}",
        "{\"resourceName\": \"web\", \"addOnRequest\": {\"addOnType\": \"AutoSnapshot\", \"autoSnapshotAddOnRequest\": {\"snapshotTimeOfDay\": \"99:00\"}}}",
        "{\"resourceName\": \"web\", \"tags\": [{}, {\"key\": null}], \"tagKeys\": []}",
        "{\"resourceName\": \"web\", \"resourceType\": \"Instance\", \"ipAddressType\": \"ipv6\"}",
        "{\"instanceName\": \"web\", \"httpPutResponseHopLimit\": -9223372036854775808}",
        "{\"instanceName\": \"web\", \"attributeUpdates\": {\"bundleId\": \"auto\"}}",
        "{\"instanceName\": \"web\", \"protocol\": \"rdp\"}",
        "{\"pageToken\": \"zz\", \"operationId\": \"é\"}",
        "{\"pageToken\": \"é\", \"operationId\": \"\"}",
        "{\"pageToken\": \"00\", \"keyPairName\": \"\", \"publicKeyBase64\": \"\"}",
    ];
    let operations = [
        "CreateInstances",
        "GetInstance",
        "GetInstances",
        "GetInstanceState",
        "GetInstanceAccessDetails",
        "StartInstance",
        "StopInstance",
        "RebootInstance",
        "DeleteInstance",
        "PutInstancePublicPorts",
        "OpenInstancePublicPorts",
        "CloseInstancePublicPorts",
        "GetInstancePortStates",
        "AllocateStaticIp",
        "AttachStaticIp",
        "DetachStaticIp",
        "ReleaseStaticIp",
        "GetStaticIp",
        "GetStaticIps",
        "EnableAddOn",
        "DisableAddOn",
        "GetAutoSnapshots",
        "SetIpAddressType",
        "UpdateInstanceMetadataOptions",
        "TagResource",
        "UntagResource",
        "GetBlueprints",
        "GetBundles",
        "GetRegions",
        "GetOperation",
        "GetOperations",
        "GetOperationsForResource",
        "GetKeyPair",
        "GetKeyPairs",
        "CreateKeyPair",
        "ImportKeyPair",
        "DeleteKeyPair",
        "GetActiveNames",
        "NoSuchOperation",
        "",
    ];
    let world = World::new(Settings::default());
    let key = credentials("123456789012").0;
    for operation in operations {
        if world.instances().is_empty() {
            world.put_instance(&InstanceSeed::named("web")).unwrap();
        }
        for body in junk {
            let (status, _) = send(&world, request_to("lightsail", "Lightsail_20161128", &key, operation, body)).await;
            assert!((200..500).contains(&status), "{operation} {body}: {status}");
        }
        world.advance(100_000 * MINUTE);
    }
}

#[tokio::test]
async fn no_input_to_gamelift_makes_a_panic() {
    let junk = [
        "",
        "[]",
        "null",
        "{",
        "{}",
        "{\"FleetId\": 1}",
        "{\"FleetId\": \"\", \"InstanceId\": \"\", \"ComputeName\": \"\"}",
        "{\"FleetId\": \"fleet-é\", \"InstanceId\": \"é\", \"ComputeName\": \"/\"}",
        "{\"FleetId\": \"fleet-1\", \"InstanceId\": \"i-1\", \"ComputeName\": \"arn:aws:gamelift:::compute/a\"}",
        "{\"FleetId\": \"arn::fleet/fleet-1\", \"Limit\": 0, \"NextToken\": \"zz\"}",
        "{\"FleetIds\": [null], \"Locations\": [1]}",
        "{\"FleetIds\": [], \"Limit\": 9223372036854775807}",
    ];
    let operations = [
        "DescribeFleetAttributes",
        "DescribeFleetLocationAttributes",
        "DescribeContainerFleet",
        "DescribeInstances",
        "ListCompute",
        "DescribeCompute",
        "GetInstanceAccess",
        "GetComputeAccess",
        "CreateFleet",
        "",
    ];
    let world = World::new(Settings::default());
    let key = credentials("123456789012").0;
    for operation in operations {
        for body in junk {
            let (status, _) = send(&world, request_to("gamelift", "GameLift", &key, operation, body)).await;
            assert!((200..500).contains(&status), "{operation} {body}: {status}");
        }
    }
}
