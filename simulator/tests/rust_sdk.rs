//! The real Rust SDK against a world: in process and over HTTP, in both of AppStream's protocols.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sdk;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_appstream::Client;
use aws_sdk_appstream::error::ProvideErrorMetadata;
use aws_sdk_appstream::types::{ComputeCapacity, FleetAttribute, FleetState as AwsState, FleetType};
use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
use simulator::{
    AuthenticationType, Fault, FaultEffect, FleetState, Outcome, Rule, RunningRule, Settings, World, credentials,
};

use sdk::code;

#[derive(Clone, Copy, Debug)]
enum Speaks {
    Cbor,
    Json,
}

/// Long enough for an answer, short enough for the ones that never come.
const PATIENCE: Duration = Duration::from_secs(1);

fn in_process(world: &World, speaks: Speaks) -> Client {
    client(&sdk::in_process(world, PATIENCE), speaks)
}

async fn over_http(world: &World, speaks: Speaks) -> Client {
    client(&sdk::over_http(world, PATIENCE).await, speaks)
}

fn client(config: &SdkConfig, speaks: Speaks) -> Client {
    let config = aws_sdk_appstream::config::Builder::from(config);
    Client::from_conf(match speaks {
        // The SDK's own choice.
        Speaks::Cbor => config.build(),
        Speaks::Json => config.protocol(AwsJsonRpcProtocol::aws_json_1_1()).build(),
    })
}

async fn create(client: &Client, name: &str, uid: &str) {
    created(client, name, uid).await.unwrap();
}

async fn created(
    client: &Client,
    name: &str,
    uid: &str,
) -> Result<
    aws_sdk_appstream::operation::create_fleet::CreateFleetOutput,
    aws_sdk_appstream::error::SdkError<aws_sdk_appstream::operation::create_fleet::CreateFleetError>,
> {
    client
        .create_fleet()
        .name(name)
        .instance_type("stream.standard.medium")
        .image_name("windlass-demo-v1")
        .fleet_type(FleetType::OnDemand)
        .compute_capacity(ComputeCapacity::builder().desired_instances(2).build())
        .tags("windlass.dev/cluster", "c1")
        .tags("windlass.dev/uid", uid)
        .send()
        .await
}

async fn state(client: &Client, name: &str) -> AwsState {
    let fleets = client.describe_fleets().names(name).send().await.unwrap();
    fleets.fleets()[0].state().cloned().unwrap()
}

async fn life(world: &World, client: &Client) {
    create(client, "life", "u1").await;
    let fleet = client.describe_fleets().names("life").send().await.unwrap().fleets()[0].clone();
    assert_eq!(fleet.arn(), Some("arn:aws:appstream:us-east-1:123456789012:fleet/life"));
    assert_eq!(fleet.image_arn(), Some("arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v1"));
    assert_eq!(fleet.image_name(), Some("windlass-demo-v1"));
    assert_eq!(fleet.stream_view().map(|view| view.as_str()), Some("APP"));
    assert_eq!(fleet.platform().map(|platform| platform.as_str()), Some("WINDOWS_SERVER_2022"));
    assert_eq!(fleet.state(), Some(&AwsState::Stopped));
    assert!(fleet.created_time().is_some());

    client.start_fleet().name("life").send().await.unwrap();
    assert_eq!(state(client, "life").await, AwsState::Starting);
    world.advance(Duration::from_secs(12 * 60));
    assert_eq!(state(client, "life").await, AwsState::Running);

    client
        .create_stack()
        .name("desk")
        .tags("windlass.dev/cluster", "c1")
        .tags("windlass.dev/uid", "u2")
        .send()
        .await
        .unwrap();
    client.associate_fleet().fleet_name("life").stack_name("desk").send().await.unwrap();
    let session = world.open_session("desk", "life", "alice", AuthenticationType::Saml).unwrap();
    let sessions = client.describe_sessions().stack_name("desk").fleet_name("life").send().await.unwrap();
    assert_eq!(sessions.sessions().len(), 0, "without a type only API sessions are shown");
    let sessions = client
        .describe_sessions()
        .stack_name("desk")
        .fleet_name("life")
        .authentication_type("SAML".into())
        .send()
        .await
        .unwrap();
    assert_eq!(sessions.sessions()[0].id(), Some(session.0.as_str()));
    let capacity = client.describe_fleets().names("life").send().await.unwrap().fleets()[0]
        .compute_capacity_status()
        .cloned()
        .unwrap();
    assert_eq!(
        (capacity.desired(), capacity.running(), capacity.in_use(), capacity.available()),
        (Some(2), Some(2), Some(1), Some(1))
    );

    let refused = client.update_fleet().name("life").description("new").send().await;
    assert_eq!(
        code(refused),
        "ResourceInUseException: Cannot update the attribute for fleet life when it is ACTIVE. \
         The fleet must be stopped to complete this action."
    );
    client.update_fleet().name("life").display_name("Life").send().await.unwrap();
    world.end_session(&session);
    client.stop_fleet().name("life").send().await.unwrap();
    world.advance(Duration::from_secs(5 * 60));
    assert_eq!(state(client, "life").await, AwsState::Stopped);
    let refused = client.delete_fleet().name("life").send().await;
    assert_eq!(
        code(refused),
        "ResourceInUseException: The fleet life is associated with a stack. To delete the fleet, you must dissociate \
         it from the stack."
    );
    client.disassociate_fleet().fleet_name("life").stack_name("desk").send().await.unwrap();
    client.delete_fleet().name("life").send().await.unwrap();
    client.delete_stack().name("desk").send().await.unwrap();
    assert!(code(client.describe_fleets().names("life").send().await).starts_with("ResourceNotFoundException"));
    let rules: Vec<Rule> = world.violations().into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::ForbiddenUpdate], "{:#?}", world.violations());
}

#[tokio::test]
async fn a_fleet_lives_in_process_over_cbor() {
    let world = World::new(Settings::default());
    life(&world, &in_process(&world, Speaks::Cbor)).await;
}

#[tokio::test]
async fn a_fleet_lives_in_process_over_json() {
    let world = World::new(Settings::default());
    life(&world, &in_process(&world, Speaks::Json)).await;
}

#[tokio::test]
async fn a_fleet_lives_over_http_and_cbor() {
    let world = World::new(Settings { rules: RunningRule::Y2017, ..Settings::default() });
    let client = over_http(&world, Speaks::Cbor).await;
    life(&world, &client).await;
}

#[tokio::test]
async fn a_fleet_lives_over_http_and_json() {
    let world = World::new(Settings::default());
    let client = over_http(&world, Speaks::Json).await;
    life(&world, &client).await;
}

#[tokio::test]
async fn lists_come_in_pages_and_end() {
    for empty_next_token in [false, true] {
        let world = World::new(Settings { page_size: 2, empty_next_token, ..Settings::default() });
        let client = in_process(&world, Speaks::Cbor);
        for name in ["a", "b", "c"] {
            create(&client, name, name).await;
        }
        let first = client.describe_fleets().send().await.unwrap();
        assert_eq!(first.fleets().iter().map(|fleet| fleet.name().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
        let second = client.describe_fleets().set_next_token(first.next_token).send().await.unwrap();
        assert_eq!(second.fleets().iter().map(|fleet| fleet.name().unwrap()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(second.next_token(), empty_next_token.then_some(""));
    }
}

#[tokio::test]
async fn a_lost_answer_is_applied_and_one_repeat_is_excused() {
    for http in [false, true] {
        let world = World::new(Settings::default());
        let client = if http { over_http(&world, Speaks::Cbor).await } else { in_process(&world, Speaks::Cbor) };
        world.script(Fault::nth("CreateFleet", 1, FaultEffect::AppliedNoAnswer));
        let lost = created(&client, "f", "u").await.unwrap_err();
        assert!(lost.as_service_error().is_none(), "{lost:?}");
        assert_eq!(world.fleets().len(), 1);
        let again = code(created(&client, "f", "u").await);
        assert!(again.starts_with("ResourceAlreadyExistsException"), "{again}");
        assert_eq!(world.violations(), []);
        created(&client, "f", "u").await.unwrap_err();
        let rules: Vec<Rule> = world.violations().into_iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, [Rule::DuplicateCreate]);
        let outcomes: Vec<_> = world.audit().into_iter().map(|entry| (entry.outcome, entry.answered)).collect();
        let exists = Outcome::Err { code: "ResourceAlreadyExistsException".to_owned() };
        assert_eq!(outcomes, [(Outcome::Ok, false), (exists.clone(), true), (exists, true)]);
    }
}

#[tokio::test]
async fn every_effect_of_the_script_reaches_the_client() {
    let coded = FaultEffect::Coded { code: "InvalidRoleException".into(), message: "no such role".into(), status: 400 };
    let effects = [
        (FaultEffect::Throttle, "ThrottlingException: Rate exceeded", 0),
        (coded, "InvalidRoleException: no such role", 0),
        (FaultEffect::NotAppliedNoAnswer, "none: none", 0),
        (FaultEffect::AppliedNoAnswer, "none: none", 1),
        (FaultEffect::AppliedHalfAnswer, "none: none", 1),
        (FaultEffect::Hang(Duration::from_millis(10)), "Ok", 1),
        (FaultEffect::Hang(Duration::from_secs(60)), "none: none", 0),
    ];
    for http in [false, true] {
        for (effect, expected, fleets) in &effects {
            let world = World::new(Settings::default());
            let client = if http { over_http(&world, Speaks::Cbor).await } else { in_process(&world, Speaks::Cbor) };
            world.script(Fault::every("CreateFleet", effect.clone()).on("f"));
            assert_eq!(
                (code(created(&client, "f", "u").await).as_str(), world.fleets().len()),
                (*expected, *fleets),
                "{effect:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_over_http_changes_nothing() {
    let world = World::new(Settings::default());
    let client = over_http(&world, Speaks::Cbor).await;
    // The client gives up after one second.
    world.script(Fault::nth("CreateFleet", 1, FaultEffect::Hang(Duration::from_millis(1500))));
    created(&client, "f", "u").await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.fleets(), []);
}

#[tokio::test]
async fn a_short_page_goes_on() {
    let world = World::new(Settings::default());
    let client = in_process(&world, Speaks::Cbor);
    for name in ["a", "b"] {
        create(&client, name, name).await;
    }
    world.script(Fault::nth("DescribeFleets", 1, FaultEffect::Partial { keep: 0 }));
    let first = client.describe_fleets().send().await.unwrap();
    assert_eq!(first.fleets().len(), 0);
    let rest = client.describe_fleets().set_next_token(first.next_token).send().await.unwrap();
    assert_eq!(rest.fleets().len(), 2);
}

#[tokio::test]
async fn reads_lag_behind_writes() {
    let world = World::new(Settings { visibility_lag: Duration::from_secs(5), ..Settings::default() });
    let client = in_process(&world, Speaks::Cbor);
    create(&client, "f", "u").await;
    assert!(code(client.describe_fleets().names("f").send().await).starts_with("ResourceNotFoundException"));
    world.advance(Duration::from_secs(5));
    assert_eq!(state(&client, "f").await, AwsState::Stopped);
    client.start_fleet().name("f").send().await.unwrap();
    assert_eq!(state(&client, "f").await, AwsState::Stopped);
    world.advance(Duration::from_secs(5));
    assert_eq!(state(&client, "f").await, AwsState::Starting);
}

#[tokio::test]
async fn more_than_the_rate_is_throttled() {
    let world = World::new(Settings { request_rate: Some(2.0), ..Settings::default() });
    let client = in_process(&world, Speaks::Cbor);
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(code(client.describe_fleets().send().await));
    }
    assert_eq!(codes, ["Ok", "Ok", "ThrottlingException: Rate exceeded"]);
    world.advance(Duration::from_millis(500));
    assert_eq!(code(client.describe_fleets().send().await), "Ok");
}

#[tokio::test]
async fn attributes_are_deleted_and_absent_ones_kept() {
    let world = World::new(Settings::default());
    let client = in_process(&world, Speaks::Cbor);
    create(&client, "f", "u").await;
    client
        .update_fleet()
        .name("f")
        .iam_role_arn("arn:aws:iam::123456789012:role/machine")
        .description("first")
        .send()
        .await
        .unwrap();
    let updated = client
        .update_fleet()
        .name("f")
        .display_name("F")
        .attributes_to_delete(FleetAttribute::IamRoleArn)
        .send()
        .await
        .unwrap();
    let fleet = updated.fleet().unwrap();
    assert_eq!((fleet.iam_role_arn(), fleet.description(), fleet.display_name()), (None, Some("first"), Some("F")));
}

#[tokio::test]
async fn a_stop_kills_sessions_and_is_counted_unless_allowed() {
    let world = World::new(Settings::default());
    let client = in_process(&world, Speaks::Cbor);
    create(&client, "f", "u").await;
    client.start_fleet().name("f").send().await.unwrap();
    world.advance(Duration::from_secs(720));
    world.associate("f", "desk");
    world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    client.stop_fleet().name("f").send().await.unwrap();
    let fleet = world.fleet("123456789012", "us-east-1", "f").unwrap();
    assert_eq!((fleet.state, fleet.sessions_killed, fleet.sessions), (FleetState::Stopping, 1, vec![]));
    let rules: Vec<Rule> = world.violations().into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::SessionKilled]);
}

#[tokio::test]
async fn sts_knows_users_and_assumed_roles() {
    let world = World::new(Settings::default());
    let (id, secret) = credentials("210987654321");
    let sts = |keys: Credentials| {
        aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::Config::builder()
                .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
                .region(aws_sdk_sts::config::Region::new("eu-west-1"))
                .credentials_provider(keys)
                .http_client(world.http_client())
                .build(),
        )
    };
    let user = sts(Credentials::new(id, secret, None, None, "test"));
    assert_eq!(user.get_caller_identity().send().await.unwrap().account(), Some("210987654321"));
    let role = user
        .assume_role()
        .role_arn("arn:aws:iam::333333333333:role/team-a")
        .role_session_name("windlass-team-a")
        .send()
        .await
        .unwrap();
    let given = role.credentials().unwrap();
    let session = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        "test",
    );
    let identity = sts(session.clone()).get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws:sts::333333333333:assumed-role/team-a/windlass-team-a"));
    world.advance(Duration::from_secs(3600));
    let expired = sts(session).get_caller_identity().send().await.unwrap_err();
    assert_eq!(expired.code(), Some("ExpiredTokenException"));
}
