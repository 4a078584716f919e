//! The real Rust SDK against GameLift, in process and over HTTP. It speaks CBOR and cannot be told to speak JSON: boto3 does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sdk;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_gamelift::Client;
use aws_sdk_gamelift::error::ProvideErrorMetadata;
use aws_sdk_gamelift::types::{
    ComputeStatus, ComputeType, ContainerFleetStatus, FleetStatus, ListComputeInputStatus, OperatingSystem,
};
use simulator::{
    ComputeSeed, ComputeState, Fault, FaultEffect, GameFleetEdit, GameFleetKind, GameFleetSeed, GameFleetStatus,
    GameFleetView, Role, Settings, World, credentials,
};

use sdk::code;

/// Keys take a while to make, and machines of tests are slow.
const PATIENCE: Duration = Duration::from_secs(5);

fn in_process(world: &World) -> Client {
    Client::new(&sdk::in_process(world, PATIENCE))
}

async fn over_http(world: &World) -> Client {
    Client::new(&sdk::over_http(world, PATIENCE).await)
}

fn fleet(world: &World, kind: GameFleetKind, server_sdk: u8, operating_system: &str) -> GameFleetView {
    let operating_system = operating_system.to_owned();
    world.put_game_fleet(&GameFleetSeed { kind, server_sdk, operating_system, locations: vec![] })
}

fn compute(world: &World, fleet: &GameFleetView) -> String {
    world.put_compute(&fleet.id, &ComputeSeed::default()).unwrap().name
}

/// An instance of an older build, from its fleet to its key.
async fn older(world: &World, client: &Client) {
    let fleet = fleet(world, GameFleetKind::Ec2, 4, "AMAZON_LINUX_2023");
    let instance = compute(world, &fleet);
    assert_eq!(fleet.arn, format!("arn:aws:gamelift:us-east-1::fleet/{}", fleet.id));
    let asked = client.describe_fleet_attributes().fleet_ids(&fleet.arn).fleet_ids("fleet-none");
    let found = asked.send().await.unwrap().fleet_attributes.unwrap();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.fleet_id(), one.status()), (Some(fleet.id.as_str()), Some(&FleetStatus::Active)));
    assert_eq!(
        (one.compute_type(), one.operating_system()),
        (Some(&ComputeType::Ec2), Some(&OperatingSystem::AmazonLinux2023))
    );
    assert_eq!(one.creation_time().unwrap().secs(), world.now().as_second());
    let described = client.describe_instances().fleet_id(&fleet.id).send().await.unwrap();
    let [shown] = described.instances() else { panic!("{described:?}") };
    assert_eq!((shown.instance_id(), shown.location()), (Some(instance.as_str()), Some("us-east-1")));
    let ask = |fleet: &str, instance: &str| client.get_instance_access().fleet_id(fleet).instance_id(instance).send();
    let access = ask(&fleet.arn, &instance).await.unwrap().instance_access.unwrap();
    assert_eq!((access.fleet_id(), access.ip_address()), (Some(fleet.id.as_str()), shown.ip_address()));
    let credentials = access.credentials().unwrap();
    let secret = credentials.secret().unwrap();
    assert_eq!(credentials.user_name(), Some("gl-user-remote"));
    assert!(
        secret.starts_with("-----BEGIN RSA PRIVATE KEY-----\n") && secret.ends_with("-----END RSA PRIVATE KEY-----")
    );
    let again = ask(&fleet.id, &instance).await.unwrap().instance_access.unwrap();
    assert_eq!(again.credentials(), Some(credentials));
    let gone = ask(&fleet.id, "i-none").await.unwrap_err();
    assert!(gone.as_service_error().unwrap().is_not_found_exception());
    assert_eq!(gone.message(), Some(format!("Instance i-none was not found in fleet {}.", fleet.id).as_str()));
    assert_eq!(code(ask("fleet-none", "i-1").await), "NotFoundException: Fleet fleet-none was not found.");
    assert!(code(ask("no fleet", "i-1").await).starts_with("InvalidRequestException: 1 validation error detected: "));
    let other = client.get_compute_access().fleet_id(&fleet.id).compute_name(&instance).send().await;
    assert!(code(other).ends_with("Use GetInstanceAccess instead."));
}

#[tokio::test]
async fn an_older_instance_is_accessed_in_process_and_over_http() {
    let world = World::new(Settings::default());
    older(&world, &in_process(&world)).await;
    let client = over_http(&world).await;
    older(&world, &client).await;
    assert_eq!(world.violations(), []);
}

#[tokio::test]
async fn a_windows_instance_has_a_password() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let fleet = fleet(&world, GameFleetKind::Ec2, 4, "WINDOWS_2022");
    let (one, other) = (compute(&world, &fleet), compute(&world, &fleet));
    let mut secrets = Vec::new();
    for instance in [one, other] {
        let answer = client.get_instance_access().fleet_id(&fleet.id).instance_id(instance).send().await.unwrap();
        let access = answer.instance_access.unwrap();
        assert_eq!(access.operating_system(), Some(&OperatingSystem::Windows2022));
        secrets.push(access.credentials.unwrap().secret.unwrap());
    }
    assert!(secrets[0] != secrets[1] && secrets.iter().all(|secret| secret.len() == 20), "each has its own");
}

#[tokio::test]
async fn computes_of_ec2_fleets_get_new_credentials_and_nothing_else() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let fleet = fleet(&world, GameFleetKind::Ec2, 5, "AMAZON_LINUX_2023");
    let name = compute(&world, &fleet);
    let shown = client.describe_compute().fleet_id(&fleet.id).compute_name(&name).send().await.unwrap();
    let shown = shown.compute.unwrap();
    assert_eq!((shown.compute_arn(), shown.instance_id()), (None, Some(name.as_str())));
    assert_eq!(shown.compute_status(), Some(&ComputeStatus::from("Active")), "no value of the enum");
    let ask = || client.get_compute_access().fleet_id(&fleet.id).compute_name(&name).send();
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!((first.target(), first.compute_arn(), first.fleet_id()), (None, None, None));
    let (first, second) = (first.credentials.unwrap(), second.credentials.unwrap());
    assert!(first.access_key_id().unwrap().starts_with("ASIA"));
    assert_ne!(first.secret_access_key(), second.secret_access_key());
    assert_ne!(first.session_token(), second.session_token());
    let listed = world.secrets();
    let kept: Vec<_> = listed.iter().map(|secret| secret.value.as_str()).collect();
    for secret in [first.secret_access_key(), first.session_token(), second.session_token()] {
        assert!(kept.contains(&secret.unwrap()));
    }
    let old_way = client.get_instance_access().fleet_id(&fleet.id).instance_id(&name).send().await;
    assert!(code(old_way).ends_with("Use GetComputeAccess instead."));
}

#[tokio::test]
async fn a_container_fleet_names_its_target_and_containers() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let fleet = fleet(&world, GameFleetKind::Container, 5, "AMAZON_LINUX_2023");
    let two = ComputeSeed { containers: vec!["game".into(), "logs".into()], ..ComputeSeed::default() };
    let first = world.put_compute(&fleet.id, &two).unwrap();
    let beside = ComputeSeed { instance_id: first.instance_id.clone(), ..ComputeSeed::default() };
    let second = world.put_compute(&fleet.id, &beside).unwrap();
    assert_eq!((first.instance_id.as_ref(), &first.ip_address), (second.instance_id.as_ref(), &second.ip_address));
    let described = client.describe_container_fleet().fleet_id(&fleet.id).send().await.unwrap();
    assert_eq!(described.container_fleet().unwrap().status(), Some(&ContainerFleetStatus::Active));
    let hidden = client.describe_fleet_attributes().fleet_ids(&fleet.id).send().await.unwrap();
    assert_eq!(hidden.fleet_attributes().len(), 0, "DescribeFleetAttributes knows no container fleets");
    let instances = client.describe_instances().fleet_id(&fleet.id).send().await.unwrap();
    assert_eq!(instances.instances().len(), 1, "both computes are on one instance");
    let by_arn = client.get_compute_access().fleet_id(&fleet.id).compute_name(first.arn.as_ref().unwrap());
    let access = by_arn.send().await.unwrap();
    assert_eq!((access.compute_name(), access.target()), (Some(first.name.as_str()), first.instance_id.as_deref()));
    let names: Vec<_> = access.container_identifiers().iter().map(|one| one.container_name().unwrap()).collect();
    assert_eq!(names, ["game", "logs"]);
    let ids = |view: &simulator::ComputeView| -> Vec<String> {
        view.containers.iter().map(|one| one.runtime_id.clone()).collect()
    };
    assert!(world.restart_containers(&fleet.id, &first.name));
    let now = world.game_fleets()[0].computes.iter().find(|one| one.name == first.name).unwrap().clone();
    assert_ne!(ids(&now), ids(&first));
    assert!(world.edit_compute(&fleet.id, &second.name, ComputeState::Impaired));
    let impaired = client.list_compute().fleet_id(&fleet.id).compute_status(ListComputeInputStatus::Impaired);
    let listed = impaired.send().await.unwrap();
    assert_eq!(listed.compute_list()[0].compute_name(), Some(second.name.as_str()));
    assert_eq!(listed.compute_list()[0].compute_status(), Some(&ComputeStatus::Impaired));
    let named = client.list_compute().fleet_id(&fleet.id).container_group_definition_name("another");
    assert_eq!(named.send().await.unwrap().compute_list().len(), 0);
}

#[tokio::test]
async fn an_anywhere_fleet_gives_no_access() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let seed = GameFleetSeed {
        kind: GameFleetKind::Anywhere,
        locations: vec!["custom-office".into()],
        ..GameFleetSeed::default()
    };
    let fleet = world.put_game_fleet(&seed);
    let named = ComputeSeed { name: Some("desk-1".into()), ..ComputeSeed::default() };
    assert_eq!(world.put_compute(&fleet.id, &named).unwrap().location, "custom-office");
    let shown = client.describe_fleet_attributes().fleet_ids(&fleet.id).send().await.unwrap();
    assert_eq!(shown.fleet_attributes()[0].compute_type(), Some(&ComputeType::Anywhere));
    let listed = client.list_compute().fleet_id(&fleet.id).send().await.unwrap();
    assert_eq!(
        (listed.compute_list()[0].compute_name(), listed.compute_list()[0].instance_id()),
        (Some("desk-1"), None)
    );
    let access = client.get_compute_access().fleet_id(&fleet.id).compute_name("desk-1").send().await;
    let refused =
        format!("InvalidRequestException: GetComputeAccess is not supported for Anywhere fleets: {}", fleet.id);
    assert_eq!(code(access), refused);
    let instances = client.describe_instances().fleet_id(&fleet.id).send().await;
    assert!(code(instances).starts_with("InvalidRequestException"));
}

#[tokio::test]
async fn remote_locations_are_shown_when_they_are_asked_for() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let seed = GameFleetSeed { locations: vec!["eu-west-1".into()], ..GameFleetSeed::default() };
    let fleet = world.put_game_fleet(&seed);
    let remote = ComputeSeed { location: Some("eu-west-1".into()), ..ComputeSeed::default() };
    let far = world.put_compute(&fleet.id, &remote).unwrap().name;
    let nowhere = ComputeSeed { location: Some("eu-west-3".into()), ..ComputeSeed::default() };
    assert_eq!(world.put_compute(&fleet.id, &nowhere), None);
    let places = client.describe_fleet_location_attributes().fleet_id(&fleet.id).send().await.unwrap();
    let names: Vec<_> =
        places.location_attributes().iter().map(|one| one.location_state().unwrap().location().unwrap()).collect();
    assert_eq!(names, ["us-east-1", "eu-west-1"]);
    let home = client.describe_instances().fleet_id(&fleet.id).send().await.unwrap();
    assert_eq!(home.instances().len(), 0, "the home Region's only");
    let away = client.describe_instances().fleet_id(&fleet.id).location("eu-west-1").send().await.unwrap();
    assert_eq!(away.instances()[0].instance_id(), Some(far.as_str()));
    assert!(world.remove_compute(&fleet.id, &far));
    let missing = client.describe_compute().fleet_id(&fleet.id).compute_name(&far).send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_not_found_exception());
    assert!(world.remove_game_fleet(&fleet.id));
    let unknown = client.list_compute().fleet_id(&fleet.id).send().await;
    assert_eq!(
        code(unknown),
        format!("InvalidRequestException: Fleet {} was not found.", fleet.id),
        "not in its model"
    );
}

#[tokio::test]
async fn a_fleet_in_another_status_gives_no_access() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let fleet = fleet(&world, GameFleetKind::Ec2, 5, "AMAZON_LINUX_2023");
    let name = compute(&world, &fleet);
    let cases = [
        (GameFleetStatus::New, false),
        (GameFleetStatus::Activating, true),
        (GameFleetStatus::Active, true),
        (GameFleetStatus::Error, true),
        (GameFleetStatus::Deleting, false),
    ];
    for (status, taken) in cases {
        assert!(world.edit_game_fleet(&fleet.id, GameFleetEdit { status }));
        let answer = client.get_compute_access().fleet_id(&fleet.id).compute_name(&name).send().await;
        let refused =
            format!("InvalidRequestException: Fleet {} cannot be accessed while it is {}.", fleet.id, status.as_str());
        assert_eq!(code(answer), if taken { "Ok".to_owned() } else { refused });
    }
}

#[tokio::test]
async fn lists_have_pages_and_faults_reach_them() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let fleet = fleet(&world, GameFleetKind::Ec2, 5, "AMAZON_LINUX_2023");
    for _ in 0..3 {
        compute(&world, &fleet);
    }
    let first = client.list_compute().fleet_id(&fleet.id).limit(2).send().await.unwrap();
    let rest = client.list_compute().fleet_id(&fleet.id).limit(2).set_next_token(first.next_token.clone());
    let rest = rest.send().await.unwrap();
    assert_eq!((first.compute_list().len(), rest.compute_list().len(), rest.next_token()), (2, 1, None));
    let bad = client.list_compute().fleet_id(&fleet.id).next_token("zz").send().await;
    assert_eq!(code(bad), "InvalidRequestException: The NextToken is not valid.");
    world.script(Fault::nth("ListCompute", 1, FaultEffect::Throttle).on(&fleet.id));
    assert_eq!(code(client.list_compute().fleet_id(&fleet.id).send().await), "ThrottlingException: Rate exceeded");
    world.script(Fault::nth("GetComputeAccess", 1, FaultEffect::AppliedHalfAnswer));
    let name = first.compute_list()[0].compute_name().unwrap();
    let half = client.get_compute_access().fleet_id(&fleet.id).compute_name(name).send().await;
    assert!(half.is_err());
    assert_eq!(world.secrets().len(), 3, "what half an answer showed is a secret too");
    let entry = world.audit().pop().unwrap();
    assert_eq!((entry.service.as_str(), entry.resource.as_deref(), entry.mutating), ("gamelift", Some(name), false));
}

#[tokio::test]
async fn a_role_without_the_permission_is_told_so() {
    let world = World::new(Settings::default());
    let arn = "arn:aws:iam::123456789012:role/games".to_owned();
    world.make_role(Role { arn: arn.clone(), allows: Some(vec!["gamelift:Describe*".into()]), ..Role::default() });
    let (id, secret) = credentials("123456789012");
    let sts = aws_sdk_sts::Client::from_conf(
        aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
            .region(aws_sdk_sts::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new(id, secret, None, None, "test"))
            .http_client(world.http_client())
            .build(),
    );
    let ask = |seconds: i32| sts.assume_role().role_arn(&arn).role_session_name("s1").duration_seconds(seconds).send();
    let long = ask(7200).await.unwrap_err();
    assert_eq!(long.message(), Some("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    let keys = ask(3600).await.unwrap().credentials.unwrap();
    let token = Some(keys.session_token().to_owned());
    let session = Credentials::new(keys.access_key_id(), keys.secret_access_key(), token, None, "role");
    let config = aws_sdk_gamelift::config::Builder::from(&sdk::in_process(&world, PATIENCE));
    let client = Client::from_conf(config.credentials_provider(session).build());
    assert_eq!(code(client.describe_fleet_attributes().send().await), "Ok");
    assert_eq!(
        code(client.get_compute_access().fleet_id("fleet-1").compute_name("i-1").send().await),
        "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/games/s1 is not authorized to perform: \
         gamelift:GetComputeAccess on resource: * because no identity-based policy allows the gamelift:GetComputeAccess action"
    );
}
