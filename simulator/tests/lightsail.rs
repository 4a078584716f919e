//! The real Rust SDK against Lightsail, in process and over HTTP, and the rules of a careful operator.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sdk;

use std::time::Duration;

use aws_sdk_lightsail::Client;
use aws_sdk_lightsail::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lightsail::types::{
    AddOnRequest, AddOnType, AutoSnapshotAddOnRequest, Instance, InstanceAttributeUpdates, IpAddressType,
    NetworkProtocol, OperationStatus, PortInfo, ResourceType, Tag,
};
use serde_json::json;
use simulator::{Fault, FaultEffect, InstanceSeed, InstanceState, Rule, Settings, World, WrongState};

use sdk::code;

/// Keys take a while to make, and machines of tests are slow.
const PATIENCE: Duration = Duration::from_secs(5);

fn in_process(world: &World) -> Client {
    Client::new(&sdk::in_process(world, PATIENCE))
}

async fn over_http(world: &World) -> Client {
    Client::new(&sdk::over_http(world, PATIENCE).await)
}

fn rules(world: &World) -> Vec<Rule> {
    world.violations().into_iter().map(|violation| violation.rule).collect()
}

fn after(world: &World, seconds: u64) {
    world.advance(Duration::from_secs(seconds));
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

type CreateError = SdkError<aws_sdk_lightsail::operation::create_instances::CreateInstancesError>;
type CreateAnswer = aws_sdk_lightsail::operation::create_instances::CreateInstancesOutput;

async fn created(client: &Client, name: &str, uid: &str) -> Result<CreateAnswer, CreateError> {
    client
        .create_instances()
        .instance_names(name)
        .availability_zone("us-east-1a")
        .blueprint_id("ubuntu_24_04")
        .bundle_id("nano_3_0")
        .user_data("#!/bin/sh\n")
        .tags(tag("windlass.dev/cluster", "c1"))
        .tags(tag("windlass.dev/uid", uid))
        .send()
        .await
}

/// A world with one running instance `web` of uid `u1`.
async fn running(settings: Settings) -> (World, Client) {
    let world = World::new(settings);
    let client = in_process(&world);
    created(&client, "web", "u1").await.unwrap();
    after(&world, 60);
    (world, client)
}

async fn look(client: &Client) -> Instance {
    client.get_instance().instance_name("web").send().await.unwrap().instance.unwrap()
}

fn state(instance: &Instance) -> &str {
    instance.state().and_then(|state| state.name()).unwrap()
}

async fn life(world: &World, client: &Client) {
    let begun = created(client, "web", "u1").await.unwrap().operations()[0].clone();
    assert_eq!(begun.status(), Some(&OperationStatus::Started));
    assert_eq!((begun.is_terminal(), begun.created_at()), (Some(false), begun.status_changed_at()));
    let pending = look(client).await;
    assert_eq!((state(&pending), pending.public_ip_address()), ("pending", None));
    assert_eq!(pending.tags()[0].key(), Some("windlass.dev/cluster"));
    assert!(pending.arn().unwrap().starts_with("arn:aws:lightsail:us-east-1:123456789012:Instance/"));

    after(world, 18);
    let up = look(client).await;
    assert_eq!((state(&up), up.public_ip_address()), ("running", None), "the address comes later than running");
    after(world, 5);
    let first = look(client).await.public_ip_address().unwrap().to_owned();
    let done = client.get_operation().operation_id(begun.id().unwrap()).send().await.unwrap().operation.unwrap();
    assert_eq!((done.status(), done.is_terminal()), (Some(&OperationStatus::Succeeded), Some(true)));
    let port = up.networking().unwrap().ports()[0].clone();
    assert_eq!(port.access_type().map(|kind| kind.as_str()), Some("public"), "not the enum's own spelling");

    client.stop_instance().instance_name("web").send().await.unwrap();
    assert_eq!(state(&look(client).await), "stopping");
    after(world, 40);
    let down = look(client).await;
    assert_eq!((state(&down), down.public_ip_address()), ("stopped", None));
    assert_eq!(down.ipv6_addresses(), up.ipv6_addresses());
    client.start_instance().instance_name("web").send().await.unwrap();
    after(world, 25);
    let second = look(client).await;
    assert_eq!(state(&second), "running");
    assert_ne!(second.public_ip_address().unwrap(), first, "a start brings another address");

    let reboot = client.reboot_instance().instance_name("web").send().await.unwrap().operations()[0].clone();
    assert_eq!(reboot.status(), Some(&OperationStatus::Succeeded));
    let deleted = client.delete_instance().instance_name("web").send().await.unwrap().operations()[0].clone();
    assert_eq!(deleted.status(), Some(&OperationStatus::Succeeded));
    assert_eq!(state(&look(client).await), "shutting-down");
    after(world, 10);
    let gone = client.get_instance().instance_name("web").send().await.unwrap_err();
    assert!(!gone.as_service_error().unwrap().is_not_found_exception(), "the SDK takes `code` for the type");
    assert_eq!((gone.code(), gone.message()), (Some("DoesNotExist"), Some("The Instance does not exist: web")));
    let body = gone.raw_response().and_then(|raw| raw.body().bytes()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["__type"], "NotFoundException");
    assert_eq!(rules(world), []);
}

#[tokio::test]
async fn an_instance_lives_in_process() {
    let world = World::new(Settings::default());
    life(&world, &in_process(&world)).await;
}

#[tokio::test]
async fn an_instance_lives_over_http() {
    let world = World::new(Settings::default());
    let client = over_http(&world).await;
    life(&world, &client).await;
}

#[tokio::test]
async fn errors_without_a_sub_code_are_typed() {
    let world = World::new(Settings { error_sub_codes: false, ..Settings::default() });
    let gone = in_process(&world).get_instance().instance_name("web").send().await.unwrap_err();
    assert!(gone.as_service_error().unwrap().is_not_found_exception());
    assert_eq!(gone.code(), Some("NotFoundException"));
}

#[tokio::test]
async fn a_scripted_error_may_have_a_sub_code() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    let message = "We're sorry, your AWS account is pending verification. Please try again later";
    world.script(Fault::nth(
        "GetInstances",
        1,
        FaultEffect::SubCoded {
            code: "InvalidInputException".into(),
            sub_code: "AccountPending".into(),
            message: message.into(),
        },
    ));
    let refused = client.get_instances().send().await.unwrap_err();
    assert!(!refused.as_service_error().unwrap().is_invalid_input_exception());
    assert_eq!((refused.code(), refused.message()), (Some("AccountPending"), Some(message)));
}

#[tokio::test]
async fn names_are_shared_across_types() {
    let (world, client) = running(Settings::default()).await;
    client.allocate_static_ip().static_ip_name("address").send().await.unwrap();
    world.put_lightsail_name("disk-1", "Disk");
    let used = "NameExists: Some names are already in use:";
    assert_eq!(code(created(&client, "address", "u2").await), format!("{used} address"));
    assert_eq!(code(created(&client, "disk-1", "u2").await), format!("{used} disk-1"));
    assert_eq!(code(client.allocate_static_ip().static_ip_name("web").send().await), format!("{used} web"));
    let names = client.get_active_names().send().await.unwrap();
    assert_eq!(names.active_names(), ["address", "disk-1", "web"]);
    let bad = code(created(&client, "custom gitlab", "u2").await);
    assert_eq!(
        bad,
        "InvalidInputException: custom gitlab is not a valid resource name. Resource names must be at least 2 characters \
         long and contain only alphanumerics, -, _, and ."
    );
}

#[tokio::test]
async fn a_static_ip_takes_the_place_of_the_address_and_outlives_the_instance() {
    let (world, client) = running(Settings::default()).await;
    let own = look(&client).await.public_ip_address().unwrap().to_owned();
    client.allocate_static_ip().static_ip_name("ip").send().await.unwrap();
    let attach = client.attach_static_ip().static_ip_name("ip").instance_name("web").send().await.unwrap();
    let kinds: Vec<_> = attach.operations().iter().map(|one| one.resource_type().unwrap().as_str()).collect();
    assert_eq!(kinds, ["StaticIp", "Instance"]);
    let ip = client.get_static_ip().static_ip_name("ip").send().await.unwrap().static_ip.unwrap();
    assert_eq!((ip.attached_to(), ip.is_attached()), (Some("web"), Some(true)));
    let with = look(&client).await;
    assert_eq!((with.is_static_ip(), with.public_ip_address()), (Some(true), ip.ip_address()));
    client.stop_instance().instance_name("web").send().await.unwrap();
    after(&world, 40);
    client.start_instance().instance_name("web").send().await.unwrap();
    after(&world, 25);
    assert_eq!(look(&client).await.public_ip_address(), ip.ip_address(), "a static address stays");
    assert!(code(client.release_static_ip().static_ip_name("ip").send().await).starts_with("InvalidInputException"));
    client.detach_static_ip().static_ip_name("ip").send().await.unwrap();
    after(&world, 5);
    let without = look(&client).await;
    assert_eq!(without.is_static_ip(), Some(false));
    assert_ne!(without.public_ip_address().unwrap(), own);
    client.attach_static_ip().static_ip_name("ip").instance_name("web").send().await.unwrap();
    client.delete_instance().instance_name("web").send().await.unwrap();
    after(&world, 10);
    let left = client.get_static_ips().send().await.unwrap();
    assert_eq!((left.static_ips()[0].name(), left.static_ips()[0].is_attached()), (Some("ip"), Some(false)));
    client.release_static_ip().static_ip_name("ip").send().await.unwrap();
    assert_eq!((world.static_ips(), rules(&world)), (vec![], vec![]));
}

fn port(from: i32, cidrs: &[&str]) -> PortInfo {
    let cidrs = cidrs.iter().map(|cidr| (*cidr).to_owned()).collect();
    PortInfo::builder().from_port(from).to_port(from).protocol(NetworkProtocol::Tcp).set_cidrs(Some(cidrs)).build()
}

async fn open_ports(client: &Client) -> Vec<(i32, Vec<String>, Vec<String>)> {
    let states = client.get_instance_port_states().instance_name("web").send().await.unwrap();
    let one = |port: &aws_sdk_lightsail::types::InstancePortState| {
        (port.from_port(), port.cidrs().to_vec(), port.cidr_list_aliases().to_vec())
    };
    states.port_states().iter().map(one).collect()
}

#[tokio::test]
async fn ports_are_replaced_as_one_set() {
    let (_, client) = running(Settings::default()).await;
    let everybody = vec!["0.0.0.0/0".to_owned()];
    let connect = vec!["lightsail-connect".to_owned()];
    assert_eq!(open_ports(&client).await, [(80, everybody.clone(), vec![]), (22, everybody.clone(), connect)]);
    let put = client.put_instance_public_ports().instance_name("web").port_infos(port(443, &[]));
    let operation = put.port_infos(port(22, &["10.0.0.0/8"])).send().await.unwrap().operation.unwrap();
    assert_eq!(operation.operation_details(), Some("443/tcp,22/tcp"));
    assert_eq!(
        open_ports(&client).await,
        [(443, everybody.clone(), vec![]), (22, vec!["10.0.0.0/8".to_owned()], vec![])]
    );
    client.open_instance_public_ports().instance_name("web").port_info(port(22, &["192.0.2.1"])).send().await.unwrap();
    client.close_instance_public_ports().instance_name("web").port_info(port(443, &[])).send().await.unwrap();
    assert_eq!(open_ports(&client).await, [(22, vec!["10.0.0.0/8".to_owned(), "192.0.2.1".to_owned()], vec![])]);
    client.put_instance_public_ports().instance_name("web").set_port_infos(Some(vec![])).send().await.unwrap();
    assert_eq!(open_ports(&client).await, []);
    let bad = client.open_instance_public_ports().instance_name("web").port_info(port(22, &["10.0.0.0/33"]));
    assert_eq!(code(bad.send().await), "InvalidInputException: The CIDR block is not valid: 10.0.0.0/33");
}

fn snapshots_at(time: &str) -> AddOnRequest {
    AddOnRequest::builder()
        .add_on_type(AddOnType::AutoSnapshot)
        .auto_snapshot_add_on_request(AutoSnapshotAddOnRequest::builder().snapshot_time_of_day(time).build())
        .build()
        .unwrap()
}

#[tokio::test]
async fn add_ons_guard_the_instance_and_stay_listed() {
    let (world, client) = running(Settings::default()).await;
    let enable = |time| client.enable_add_on().resource_name("web").add_on_request(snapshots_at(time)).send();
    enable("05:00").await.unwrap();
    assert_eq!(look(&client).await.add_ons()[0].status(), Some("Enabling"));
    after(&world, 5);
    assert_eq!(look(&client).await.add_ons()[0].status(), Some("Enabled"));
    assert_eq!(code(enable("05:00").await), "InvalidInputException: The addOn is already in requested state");
    assert!(code(enable("05:30").await).contains("HH:00"));
    after(&world, 10 * 86_400);
    let made = client.get_auto_snapshots().resource_name("web").send().await.unwrap();
    let dates: Vec<_> = made.auto_snapshots().iter().map(|one| one.date().unwrap()).collect();
    assert_eq!((dates.len(), dates[0], dates[6]), (7, "2026-01-10", "2026-01-04"));
    assert_eq!(
        code(client.delete_instance().instance_name("web").send().await),
        "InvalidInputException: You cannot delete the Instance web with addons. Specify the forceDeleteAddons parameter to \
         delete the Instance and its associated addons."
    );
    let disable = || client.disable_add_on().resource_name("web").add_on_type(AddOnType::AutoSnapshot).send();
    disable().await.unwrap();
    after(&world, 5);
    assert_eq!(look(&client).await.add_ons()[0].status(), Some("Disabled"));
    assert_eq!(code(disable().await), "InvalidInputException: The addOn is already in requested state");
    enable("06:00").await.unwrap();
    client.delete_instance().instance_name("web").force_delete_add_ons(true).send().await.unwrap();
    assert_eq!(rules(&world), []);
}

#[tokio::test]
async fn the_address_type_swaps_the_bundle_only_with_consent() {
    let (world, client) = running(Settings::default()).await;
    let set = |kind: IpAddressType, accept: bool| {
        client
            .set_ip_address_type()
            .resource_type(ResourceType::Instance)
            .resource_name("web")
            .ip_address_type(kind)
            .set_accept_bundle_update(accept.then_some(true))
            .send()
    };
    assert!(code(set(IpAddressType::Ipv6, false).await).contains("acceptBundleUpdate"));
    set(IpAddressType::Ipv4, false).await.unwrap();
    after(&world, 5);
    let only4 = look(&client).await;
    assert_eq!((only4.ip_address_type(), only4.ipv6_addresses().len()), (Some(&IpAddressType::Ipv4), 0));
    set(IpAddressType::Ipv6, true).await.unwrap();
    after(&world, 5);
    let only6 = look(&client).await;
    assert_eq!(
        (only6.bundle_id(), only6.public_ip_address(), only6.ipv6_addresses().len()),
        (Some("nano_ipv6_3_0"), None, 1)
    );
    set(IpAddressType::Dualstack, true).await.unwrap();
    after(&world, 10);
    let both = look(&client).await;
    assert_eq!((both.bundle_id(), both.public_ip_address().is_some()), (Some("nano_3_0"), true));
}

#[tokio::test]
async fn a_stopped_instance_moves_to_the_newer_generation_and_back() {
    let (world, client) = running(Settings::default()).await;
    world.edit_instance_bundle("web", "nano_2_0");
    client.stop_instance().instance_name("web").send().await.unwrap();
    after(&world, 40);
    let start = |bundle: &str| {
        let update = InstanceAttributeUpdates::builder().bundle_id(bundle).build();
        client.start_instance().instance_name("web").attribute_updates(update).send()
    };
    let refused = "InvalidInputException: The bundle of the Instance web cannot be updated from nano_2_0 to";
    assert_eq!(code(start("micro_3_0").await), format!("{refused} micro_3_0."));
    assert_eq!(code(start("nano_ipv6_3_0").await), format!("{refused} nano_ipv6_3_0."));
    start("auto").await.unwrap();
    after(&world, 25);
    assert_eq!(look(&client).await.bundle_id(), Some("nano_3_0"));
    client.stop_instance().instance_name("web").send().await.unwrap();
    after(&world, 40);
    start("nano_2_0").await.unwrap();
    assert_eq!(look(&client).await.bundle_id(), Some("nano_2_0"), "the original bundle is a way back");
}

#[tokio::test]
async fn operations_fail_later_by_script() {
    let failed = |code: &str| FaultEffect::FailsLater { code: code.into(), details: "no capacity".into() };
    let world = World::new(Settings::default());
    let client = in_process(&world);
    world.script(Fault::nth("CreateInstances", 1, failed("InsufficientCapacity")));
    let begun = created(&client, "web", "u1").await.unwrap().operations()[0].clone();
    assert_eq!((begun.status(), begun.error_code()), (Some(&OperationStatus::Started), None));
    assert_eq!(state(&look(&client).await), "pending");
    after(&world, 18);
    assert!(client.get_instance().instance_name("web").send().await.is_err(), "a failed create leaves nothing");
    let all = client.get_operations_for_resource().resource_name("web").send().await.unwrap();
    let ended = &all.operations()[0];
    assert_eq!(
        (ended.id(), ended.status(), ended.error_code(), ended.error_details()),
        (begun.id(), Some(&OperationStatus::Failed), Some("InsufficientCapacity"), Some("no capacity"))
    );
    created(&client, "web", "u1").await.unwrap();
    after(&world, 23);
    world.script(Fault::nth("StopInstance", 1, failed("x")));
    client.stop_instance().instance_name("web").send().await.unwrap();
    after(&world, 40);
    assert_eq!(state(&look(&client).await), "running");
    client.stop_instance().instance_name("web").send().await.unwrap();
    after(&world, 40);
    world.script(Fault::nth("StartInstance", 1, failed("x")));
    client.start_instance().instance_name("web").send().await.unwrap();
    after(&world, 25);
    assert_eq!(state(&look(&client).await), "stopped");
    assert_eq!(rules(&world), []);
}

#[tokio::test]
async fn the_wrong_state_is_answered_as_the_settings_say() {
    for (wrong_state, said) in [
        (WrongState::NoOp, "Ok"),
        (WrongState::InvalidInput, "InvalidInputException: The Instance web cannot be started when it is running."),
        (
            WrongState::OperationFailure,
            "OperationFailureException: The Instance web cannot be started when it is running.",
        ),
    ] {
        let (world, client) = running(Settings { wrong_state, ..Settings::default() }).await;
        assert_eq!(code(client.start_instance().instance_name("web").send().await), said);
        assert_eq!(state(&look(&client).await), "running");
        assert_eq!(rules(&world), [Rule::UselessWrite]);
    }
}

#[tokio::test]
async fn an_overlap_is_refused_where_the_settings_say_so() {
    let world = World::new(Settings { refuse_overlap: true, ..Settings::default() });
    let client = in_process(&world);
    created(&client, "web", "u1").await.unwrap();
    let refused = code(client.delete_instance().instance_name("web").send().await);
    assert!(refused.ends_with("Please wait for it to complete before trying again."), "{refused}");
    after(&world, 18);
    client.delete_instance().instance_name("web").send().await.unwrap();
}

#[tokio::test]
async fn careless_writes_are_violations() {
    let (world, client) = running(Settings::default()).await;
    client.stop_instance().instance_name("web").send().await.unwrap();
    client.start_instance().instance_name("web").send().await.unwrap_err();
    client.stop_instance().instance_name("web").send().await.unwrap_err();
    assert_eq!(rules(&world), [Rule::AgainstTransition, Rule::AgainstTransition]);
    created(&client, "web-2", "u1").await.unwrap();
    assert_eq!(rules(&world)[2..], [Rule::DuplicateCreate], "two instances for one uid");
    created(&client, "web-2", "u1").await.unwrap_err();
    assert_eq!(rules(&world)[3..], [Rule::DuplicateCreate], "a create repeated without need");
    let theirs =
        [("windlass.dev/cluster".to_owned(), "c2".to_owned()), ("windlass.dev/uid".to_owned(), "x".to_owned())];
    world.put_instance(&InstanceSeed { tags: theirs.into(), ..InstanceSeed::named("theirs") }).unwrap();
    world.put_instance(&InstanceSeed::named("nobodys")).unwrap();
    client.allocate_static_ip().static_ip_name("ip").send().await.unwrap();
    world.out_of_band("lightsail", "AttachStaticIp", &json!({"staticIpName": "ip", "instanceName": "theirs"})).unwrap();
    assert_eq!(rules(&world).len(), 4, "people are not judged");
    client.detach_static_ip().static_ip_name("ip").send().await.unwrap();
    client.stop_instance().instance_name("nobodys").send().await.unwrap();
    client.put_instance_public_ports().instance_name("theirs").set_port_infos(Some(vec![])).send().await.unwrap();
    assert_eq!(rules(&world)[4..], [Rule::ForeignWrite; 3]);
    client.release_static_ip().static_ip_name("ip").send().await.unwrap();
    let ours = [tag("windlass.dev/cluster", "c1"), tag("windlass.dev/uid", "u9")];
    client.tag_resource().resource_name("nobodys").set_tags(Some(ours.into())).send().await.unwrap();
    assert_eq!(rules(&world).len(), 7, "adoption of what nobody owns is legal");
    client
        .create_instances()
        .instance_names("bare")
        .availability_zone("us-east-1a")
        .blueprint_id("ubuntu_24_04")
        .bundle_id("nano_3_0")
        .send()
        .await
        .unwrap();
    assert_eq!(rules(&world)[7..], [Rule::UntaggedCreate]);
}

#[tokio::test]
async fn a_lost_create_is_applied_and_one_repeat_is_excused() {
    let world = World::new(Settings::default());
    let client = in_process(&world);
    world.script(Fault::nth("CreateInstances", 1, FaultEffect::AppliedNoAnswer).on("web"));
    assert!(created(&client, "web", "u1").await.is_err());
    assert_eq!(world.instance("123456789012", "us-east-1", "web").unwrap().state, InstanceState::Pending);
    assert!(code(created(&client, "web", "u1").await).starts_with("NameExists"));
    assert_eq!(rules(&world), []);
    assert!(code(created(&client, "web", "u1").await).starts_with("NameExists"));
    assert_eq!(rules(&world), [Rule::DuplicateCreate]);
}

#[tokio::test]
async fn reads_lag_behind_writes() {
    let world = World::new(Settings { visibility_lag: Duration::from_secs(5), ..Settings::default() });
    let client = in_process(&world);
    created(&client, "web", "u1").await.unwrap();
    assert!(client.get_instance().instance_name("web").send().await.is_err());
    assert_eq!(client.get_operations().send().await.unwrap().operations().len(), 0);
    after(&world, 5);
    assert_eq!(state(&look(&client).await), "pending");
    after(&world, 18);
    assert_eq!(state(&look(&client).await), "running");
}

#[tokio::test]
async fn people_change_instances_behind_the_operators_back() {
    let (world, client) = running(Settings::default()).await;
    assert!(world.stop_instance_out_of_band("web"));
    assert!(!world.start_instance_out_of_band("web"));
    after(&world, 40);
    assert_eq!(state(&look(&client).await), "stopped");
    assert!(world.start_instance_out_of_band("web"));
    after(&world, 25);
    assert!(world.edit_instance("web", |edit| {
        edit.tags.clear();
        edit.ports.truncate(1);
    }));
    let view = world.instance("123456789012", "us-east-1", "web").unwrap();
    assert_eq!((view.tags.len(), view.ports.len(), view.user_data.as_deref()), (0, 1, Some("#!/bin/sh\n")));
    assert_eq!(view.public_ip_address.as_deref(), look(&client).await.public_ip_address());
    assert!(world.delete_instance_out_of_band("web"));
    after(&world, 10);
    assert_eq!((world.instances(), rules(&world)), (vec![], vec![]));
    world.retire_from_catalogue("ubuntu_24_04");
    assert_eq!(
        code(created(&client, "web", "u1").await),
        "InvalidInputException: The specified blueprint is not active: ubuntu_24_04"
    );
}

#[tokio::test]
async fn a_delete_detaches_disks_first_and_is_shown_for_a_moment() {
    let (world, client) = running(Settings::default()).await;
    assert!(world.attach_disk("web", "disk-1"));
    let deleted = client.delete_instance().instance_name("web").send().await.unwrap();
    let kinds: Vec<_> = deleted.operations().iter().map(|one| one.operation_type().unwrap().as_str()).collect();
    assert_eq!(kinds, ["DetachDisk", "DetachDisk", "DeleteInstance"]);
    assert_eq!(state(&look(&client).await), "shutting-down");
    after(&world, 5);
    assert_eq!(state(&look(&client).await), "terminated");
    assert!(code(client.delete_instance().instance_name("web").send().await).starts_with("DoesNotExist"));
    assert!(code(created(&client, "web", "u1").await).starts_with("NameExists"), "the name is in use still");
    after(&world, 5);
    assert_eq!(client.get_active_names().send().await.unwrap().active_names(), ["disk-1"]);
    created(&client, "web", "u1").await.unwrap();
}

#[tokio::test]
async fn an_instance_hangs_until_it_is_helped() {
    let (world, client) = running(Settings::default()).await;
    assert!(!world.hang_instance("web"), "it is in no transition");
    client.stop_instance().instance_name("web").send().await.unwrap();
    assert!(world.hang_instance("web"));
    after(&world, 100_000);
    assert_eq!(state(&look(&client).await), "stopping");
    client.stop_instance().instance_name("web").force(true).send().await.unwrap();
    after(&world, 5);
    assert_eq!(state(&look(&client).await), "stopped");
    client.start_instance().instance_name("web").send().await.unwrap();
    assert!(world.hang_instance("web") && world.unhang_instance("web"));
    assert_eq!((state(&look(&client).await), rules(&world)), ("running", vec![]));
}

#[tokio::test]
async fn pages_and_throttling_are_as_everywhere() {
    let world = World::new(Settings { page_size: 2, ..Settings::default() });
    let client = in_process(&world);
    for name in ["aa", "bb", "cc"] {
        created(&client, name, name).await.unwrap();
    }
    let first = client.get_instances().send().await.unwrap();
    assert_eq!(first.instances().iter().map(|one| one.name().unwrap()).collect::<Vec<_>>(), ["aa", "bb"]);
    let second = client.get_instances().set_page_token(first.next_page_token).send().await.unwrap();
    assert_eq!(second.instances().iter().map(|one| one.name().unwrap()).collect::<Vec<_>>(), ["cc"]);
    assert_eq!(second.next_page_token(), None);
    world.script(Fault::nth("GetInstances", 1, FaultEffect::Throttle));
    assert_eq!(code(client.get_instances().send().await), "ThrottlingException: Rate exceeded");
    world.script(Fault::nth("GetInstances", 1, FaultEffect::Partial { keep: 0 }));
    let empty = client.get_instances().send().await.unwrap();
    assert_eq!((empty.instances().len(), empty.next_page_token().is_some()), (0, true));
}
