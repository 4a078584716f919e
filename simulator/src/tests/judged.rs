//! What a careful operator never does.

use super::*;

#[tokio::test]
async fn an_update_while_running_is_judged_by_the_rule_of_its_age() {
    for (age, refused) in [(RunningRule::Y2017, true), (RunningRule::Today, false)] {
        let world = running(Settings { rules: age, ..Settings::default() }).await;
        let result = call(&world, "UpdateFleet", json!({"Name": "f", "ImageName": "windlass-demo-v2"})).await;
        assert_eq!((result.is_err(), rules(&world)), (refused, vec![Rule::ForbiddenUpdate; usize::from(refused)]));
    }
}

#[tokio::test]
async fn every_attribute_but_two_needs_a_stop_under_the_rule_of_2017() {
    let changes = [
        ("DisplayName", json!("d"), true),
        ("ComputeCapacity", json!({"DesiredInstances": 3}), true),
        ("Description", json!("d"), false),
        ("InstanceType", json!("stream.standard.large"), false),
        ("ImageArn", json!("arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v2"), false),
        ("VpcConfig", json!({"SubnetIds": ["subnet-1"]}), false),
        ("MaxUserDurationInSeconds", json!(3600), false),
        ("DisconnectTimeoutInSeconds", json!(60), false),
        ("IdleDisconnectTimeoutInSeconds", json!(70), false),
        ("EnableDefaultInternetAccess", json!(true), false),
        ("DomainJoinInfo", json!({"DirectoryName": "corp.example.com"}), false),
        ("IamRoleArn", json!("arn:aws:iam::123456789012:role/r"), false),
        ("StreamView", json!("DESKTOP"), false),
        ("DisableIMDSV1", json!(true), false),
        ("RootVolumeConfig", json!({"VolumeSizeInGb": 300}), false),
        ("AttributesToDelete", json!(["IAM_ROLE_ARN"]), false),
        ("DeleteVpcConfig", json!(true), false),
    ];
    for (member, value, taken) in changes {
        let world = running(Settings { rules: RunningRule::Y2017, ..Settings::default() }).await;
        let before = look(&world, "f");
        let result = call(&world, "UpdateFleet", json!({"Name": "f", member: value})).await;
        let expected = if taken { None } else { Some("ResourceInUseException".to_owned()) };
        assert_eq!(result.err(), expected, "{member}");
        assert_eq!(look(&world, "f") == before, !taken, "{member}");
        call(&world, "StopFleet", json!({"Name": "f"})).await.unwrap();
        world.advance(5 * MINUTE);
        call(&world, "UpdateFleet", json!({"Name": "f", member: value})).await.unwrap();
    }
}

#[tokio::test]
async fn careless_writes_are_violations() {
    let world = running(Settings::default()).await;
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::UselessWrite]);
    call(&world, "CreateFleet", fleet_named("g", "u")).await.unwrap();
    assert_eq!(rules(&world)[1..], [Rule::DuplicateCreate], "two fleets for one uid");
    let mut untagged = fleet_named("h", "u3");
    untagged["Tags"] = json!({"team": "a"});
    call(&world, "CreateFleet", untagged).await.unwrap();
    assert_eq!(rules(&world)[2..], [Rule::UntaggedCreate]);
    call(&world, "UpdateFleet", json!({"Name": "h", "DisplayName": "x"})).await.unwrap();
    assert_eq!(rules(&world)[3..], [Rule::ForeignWrite]);
    world.edit_fleet("g", |fleet| {
        fleet.tags.insert("windlass.dev/cluster".to_owned(), "another".to_owned());
    });
    call(&world, "DeleteFleet", json!({"Name": "g"})).await.unwrap();
    assert_eq!(rules(&world)[4..], [Rule::ForeignWrite]);
    world.pardon(Rule::ForeignWrite);
    call(&world, "DeleteFleet", json!({"Name": "h"})).await.unwrap();
    assert_eq!(rules(&world).len(), 5);
}

#[tokio::test]
async fn adoption_is_legal_of_what_nobody_owns_and_of_ones_own_past() {
    let world = running(Settings::default()).await;
    let arn = look(&world, "f").arn;
    let identity = |uid: &str, name: &str| {
        json!({"windlass.dev/cluster": "c1", "windlass.dev/uid": uid, "windlass.dev/kind": "Fleet.appstream.windlass.dev",
               "windlass.dev/namespace": "team", "windlass.dev/name": name})
    };
    let tag = |tags: Json| call(&world, "TagResource", json!({"ResourceArn": arn.clone(), "Tags": tags}));
    world.edit_fleet("f", |fleet| fleet.tags.clear());
    tag(identity("u1", "fleet")).await.unwrap();
    tag(identity("u2", "fleet")).await.unwrap();
    assert_eq!(rules(&world), []);
    world.edit_fleet("f", |fleet| {
        fleet.tags.insert("windlass.dev/cluster".to_owned(), "another".to_owned());
    });
    tag(identity("u3", "fleet")).await.unwrap();
    assert_eq!(rules(&world), [Rule::ForeignWrite]);
}

#[tokio::test]
async fn ending_sessions_needs_leave() {
    for operation in ["StopFleet", "ExpireSession", "DisassociateFleet"] {
        for allowed in [false, true] {
            let world = running(Settings::default()).await;
            world.pardon(Rule::ForeignWrite);
            let session = world.open_session("desk", "f", "alice", AuthenticationType::AwsAd).unwrap();
            if allowed {
                world.allow_stopping_sessions("f");
            }
            let input = json!({"Name": "f", "FleetName": "f", "StackName": "desk", "SessionId": session.0});
            let _ = call(&world, operation, input).await;
            let expected = if allowed { vec![] } else { vec![Rule::SessionKilled] };
            assert_eq!(rules(&world), expected, "{operation}");
        }
    }
}

#[tokio::test]
async fn only_named_callers_are_judged_once_one_is_named() {
    let world = running(Settings::default()).await;
    let operator = credentials("123456789012").0;
    world.judge(&operator);
    let person = "AKIA123456789012PERS";
    call_as(&world, person, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), []);
    call_as(&world, &operator, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::UselessWrite]);
}

#[tokio::test]
async fn what_is_younger_than_the_lag_is_no_violation() {
    let world = World::new(Settings { visibility_lag: Duration::from_secs(5), ..Settings::default() });
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap_err();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), []);
    world.advance(Duration::from_secs(5));
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap_err();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::DuplicateCreate, Rule::UselessWrite]);
}

#[tokio::test]
async fn stacks_and_builders_are_judged_like_fleets() {
    let world = World::new(Settings::default());
    let owned = |uid: &str| json!({"windlass.dev/cluster": "c1", "windlass.dev/uid": uid});
    call(&world, "CreateStack", json!({"Name": "s", "Tags": owned("s")})).await.unwrap();
    call(&world, "CreateStack", json!({"Name": "s", "Tags": owned("s")})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::DuplicateCreate]);
    world.script(Fault::nth("CreateStack", 1, FaultEffect::AppliedNoAnswer));
    call(&world, "CreateStack", json!({"Name": "t", "Tags": owned("t")})).await.unwrap_err();
    call(&world, "CreateStack", json!({"Name": "t", "Tags": owned("t")})).await.unwrap_err();
    assert_eq!(rules(&world).len(), 1, "one repeat after a lost answer is excused");
    call(&world, "CreateImageBuilder", builder_named("b", "b")).await.unwrap();
    call(&world, "CreateImageBuilder", builder_named("b2", "b")).await.unwrap();
    assert_eq!(rules(&world)[1..], [Rule::DuplicateCreate]);
    world.put_stack("theirs");
    call(&world, "UpdateStack", json!({"Name": "theirs", "Description": "mine"})).await.unwrap();
    call(&world, "DeleteStack", json!({"Name": "theirs"})).await.unwrap();
    let bare = json!({"ResourceArn": "arn:aws:appstream:us-east-1:123456789012:image-builder/b2", "TagKeys":
                      ["windlass.dev/uid"]});
    world.out_of_band("appstream", "UntagResource", &bare).unwrap();
    world.advance(10 * MINUTE);
    call(&world, "StopImageBuilder", json!({"Name": "b2"})).await.unwrap();
    assert_eq!(rules(&world)[2..], [Rule::ForeignWrite; 3]);
    let stack = world.stack("123456789012", "us-east-1", "s").unwrap();
    assert_eq!((stack.fleet, stack.settings["UserSettings"].as_array().unwrap().len()), (None, 9));
    assert!(world.stack_errors("s", &["STORAGE_CONNECTOR_ERROR"]));
    let described = call(&world, "DescribeStacks", json!({"Names": ["s"]})).await.unwrap();
    assert_eq!(described["Stacks"][0]["StackErrors"][0]["ErrorCode"], "STORAGE_CONNECTOR_ERROR");
    assert!(world.delete_stack_out_of_band("s"));
}
