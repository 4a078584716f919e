//! Image builders: the image that they make, and their failures.

use super::*;

#[tokio::test]
async fn a_builder_that_makes_an_image_is_left_alone() {
    let world = World::new(Settings::default());
    call(&world, "CreateImageBuilder", builder_named("b", "u")).await.unwrap();
    call(&world, "StopImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::AgainstTransition], "it is PENDING");
    world.advance(10 * MINUTE);
    assert!(world.begin_snapshot("b", "mine"));
    assert!(!world.begin_snapshot("b", "mine"));
    assert_eq!(builder_state(&world).await, "SNAPSHOTTING");
    for operation in ["StopImageBuilder", "DeleteImageBuilder", "StartImageBuilder", "UpdateImageBuilder"] {
        let refused = call(&world, operation, json!({"Name": "b"})).await;
        assert_eq!(refused, Err("OperationNotPermittedException".to_owned()), "{operation}");
    }
    assert_eq!(rules(&world), [Rule::AgainstTransition; 5]);
    world.advance(1000 * MINUTE);
    assert_eq!(builder_state(&world).await, "SNAPSHOTTING", "it lasts until somebody finishes it");
    assert!(world.finish_snapshot("b", "mine"));
    assert_eq!(builder_state(&world).await, "STOPPED");
    let images = call(&world, "DescribeImages", json!({"Names": ["mine"]})).await.unwrap();
    assert_eq!(images["Images"][0]["State"], "AVAILABLE");
    call(&world, "StopImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    assert_eq!(rules(&world)[5..], [Rule::UselessWrite]);
    call(&world, "StartImageBuilder", json!({"Name": "b", "AppstreamAgentVersion": "LATEST"})).await.unwrap();
    world.advance(10 * MINUTE);
    call(&world, "UpdateImageBuilder", json!({"Name": "b", "Description": "x"})).await.unwrap_err();
    assert_eq!(rules(&world)[6..], [Rule::ForbiddenUpdate]);
    call(&world, "DeleteImageBuilder", json!({"Name": "b"})).await.unwrap();
    assert_eq!(builder_state(&world).await, "DELETING");
    world.advance(MINUTE);
    assert_eq!(world.builders(), []);
}

#[tokio::test]
async fn a_failed_builder_says_why_and_can_only_be_deleted() {
    let world = World::new(Settings::default());
    call(&world, "CreateImageBuilder", builder_named("b", "u")).await.unwrap();
    assert!(world.fail_builder("b", &["SUBNET_NOT_FOUND"]));
    let described = call(&world, "DescribeImageBuilders", json!({})).await.unwrap();
    let builder = &described["ImageBuilders"][0];
    assert_eq!(
        (&builder["State"], &builder["ImageBuilderErrors"][0]["ErrorCode"], &builder["StateChangeReason"]["Code"]),
        (&json!("FAILED"), &json!("SUBNET_NOT_FOUND"), &json!("INTERNAL_ERROR"))
    );
    call(&world, "StartImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    call(&world, "DeleteImageBuilder", json!({"Name": "b"})).await.unwrap();
    assert!(world.put_builder_into("b", BuilderState::PendingQualification));
    assert_eq!(builder_state(&world).await, "PENDING_QUALIFICATION");
    assert!(world.delete_builder_out_of_band("b"));
    assert_eq!((world.builders(), rules(&world)), (vec![], vec![]));
}
