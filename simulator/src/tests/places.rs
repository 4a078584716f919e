//! Accounts, quotas, signatures and the clock.

use super::*;

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let world = World::new(Settings::default());
    let other = credentials("210987654321").0;
    call(&world, "CreateFleet", fleet_named("f", "u1")).await.unwrap();
    call_as(&world, &other, "CreateFleet", fleet_named("f", "u2")).await.unwrap();
    let arns: Vec<String> = world.fleets().into_iter().map(|fleet| fleet.arn).collect();
    assert_eq!(
        arns,
        ["arn:aws:appstream:us-east-1:123456789012:fleet/f", "arn:aws:appstream:us-east-1:210987654321:fleet/f"]
    );
    let arn = json!({"ResourceArn": arns[1]});
    assert_eq!(call(&world, "ListTagsForResource", arn).await, Err("ResourceNotFoundException".to_owned()));
}

#[tokio::test]
async fn quotas_are_refused_as_aws_does() {
    let quotas = Quotas { fleets: Some(1), instances_per_type: Some(3), ..Quotas::default() };
    let world = running(Settings { quotas, ..Settings::default() }).await;
    let limit = Err("LimitExceededException".to_owned());
    assert_eq!(call(&world, "CreateFleet", fleet_named("g", "u2")).await, limit);
    let raise = request(
        &credentials("123456789012").0,
        "UpdateFleet",
        &json!({"Name": "f", "ComputeCapacity": {"DesiredInstances": 4}}).to_string(),
    );
    let (status, error) = send(&world, raise).await;
    let message = "The Instance type 'stream.standard.medium' capacity limit for fleet f' was exceeded. \
                   Requested: 4, Limit: 3";
    assert_eq!((status, error["Message"].as_str()), (400, Some(message)));
}

#[tokio::test]
async fn signatures_decide_and_ill_formed_ones_get_awss_own_errors() {
    let world = World::new(Settings::default());
    let with = |authorization: Option<&str>| {
        let mut request = request("AKIA", "DescribeFleets", "{}");
        request.headers_mut().remove("authorization");
        if let Some(text) = authorization {
            request.headers_mut().insert("authorization", text.parse().unwrap());
        }
        request
    };
    let sts = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let short = "AWS4-HMAC-SHA256 Credential=K/us-east-1, SignedHeaders=host, Signature=0";
    let cases = [
        (None, "MissingAuthenticationTokenException"),
        (Some("Bearer x"), "IncompleteSignatureException"),
        (Some("AWS4-HMAC-SHA256 Credential=K"), "IncompleteSignatureException"),
        (Some(short), "IncompleteSignatureException"),
        (Some(sts), "InvalidSignatureException"),
    ];
    for (authorization, code) in cases {
        let (status, error) = send(&world, with(authorization)).await;
        assert_eq!((status, error["__type"].as_str()), (403, Some(code)), "{authorization:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_world_follows_a_paused_clock_and_hangs_on_it() {
    let world = World::new(Settings::default());
    let (begun, start) = (tokio::time::Instant::now(), jiff::Timestamp::UNIX_EPOCH);
    world.follow(move || start + jiff::SignedDuration::try_from(begun.elapsed()).unwrap());
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    tokio::time::sleep(12 * MINUTE).await;
    assert_eq!(look(&world, "f").state, FleetState::Running);
    world.script(Fault::nth("StopFleet", 1, FaultEffect::Hang(MINUTE)));
    let stop = tokio::time::timeout(MINUTE / 2, call(&world, "StopFleet", json!({"Name": "f"}))).await;
    assert!(stop.is_err());
    tokio::time::sleep(MINUTE).await;
    assert_eq!(look(&world, "f").state, FleetState::Running, "a caller that hangs up changes nothing");
    world.script(Fault::nth("StopFleet", 1, FaultEffect::AppliedThenHang(MINUTE)));
    let stop = tokio::time::timeout(MINUTE / 2, call(&world, "StopFleet", json!({"Name": "f"}))).await;
    assert!(stop.is_err());
    assert_eq!(look(&world, "f").state, FleetState::Stopping);
}
