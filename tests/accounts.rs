//! Accounts against the simulator in one process, on a virtual clock: the real SDK assumes roles, and the audit log says
//! what AWS was asked.
#![allow(clippy::unwrap_used)]

mod in_process;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Role, Settings, World};
use tokio::time::Instant;

use windlass::api::Fleet;
use windlass::aws::accounts::{AccountBook, Accounts, ScopeError};
use windlass::aws::gate::Urgency;
use windlass::aws::live::AppStream;
use windlass::aws::{Ask, AwsError, AwsPort};
use windlass::plan::account::{Book, Entry, Found, Labels};
use windlass::plan::fleet::{FleetCall, FleetKind, FleetState};
use windlass::plan::{Allow, Class, Scope};

use in_process::{Clock, Granted, InProcess, in_process};

const OPERATOR: &str = "123456789012";
const TEAM: &str = "111122223333";
const HUB: &str = "arn:aws:iam::999988887777:role/hub";
const ROLE: &str = "arn:aws:iam::111122223333:role/windlass";

struct Bench {
    world: World,
    book: AccountBook,
    accounts: Arc<Accounts>,
    appstream: AppStream,
    clock: Clock,
}

impl Bench {
    fn new(accounts_of: &[(&str, Value)]) -> Self {
        let home = Settings { home_account: TEAM.into(), home_region: "us-east-1".into(), ..Settings::default() };
        let InProcess { world, accounts, clock } = in_process(home, OPERATOR);
        let book = AccountBook::unread();
        book.write(of(accounts_of));
        let accounts = Arc::new(accounts.with_book(book.clone()));
        let appstream = AppStream::new(Arc::clone(&accounts), Arc::new(Granted));
        Self { world, book, accounts, appstream, clock }
    }

    async fn scope(&self, fleet: &Fleet) -> Result<Scope, ScopeError> {
        AwsPort::<FleetKind>::scope(&self.appstream, fleet).await
    }

    async fn look(&self, scope: &Scope, fleet: &Fleet) -> Result<FleetState, AwsError> {
        let ask = Ask { looks: &BTreeSet::new(), not_before: (self.clock)(), urgency: Urgency::Routine };
        AwsPort::<FleetKind>::observe(&self.appstream, scope, fleet, ask).await
    }

    async fn stop(&self, scope: &Scope, name: &str) -> Result<(), AwsError> {
        let call = FleetCall::Stop(name.parse().unwrap());
        AwsPort::<FleetKind>::send(&self.appstream, scope, &call, Urgency::Urgent).await.map(drop)
    }

    /// What AWS was asked from that entry on: the operation and the last part of who asked.
    fn asked(&self, since: usize) -> Vec<String> {
        let by = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        self.world
            .audit_from(since)
            .iter()
            .map(|entry| format!("{} by {}", entry.operation, by(&entry.caller)))
            .collect()
    }
}

fn of(accounts: &[(&str, Value)]) -> Book {
    let entry = |(name, spec): &(&str, Value)| {
        let spec = serde_json::from_value(spec.clone()).unwrap();
        let entry = Entry { name: (*name).into(), uid: format!("uid-{name}"), generation: 1, spec: Ok(spec) };
        ((*name).to_owned(), Arc::new(entry))
    };
    Book { accounts: accounts.iter().map(entry).collect(), namespaces: None }
}

fn fleet(namespace: &str, name: &str, account: Option<&str>) -> Fleet {
    let mut fleet: Fleet = serde_json::from_value(json!({
        "apiVersion": "appstream.windlass.dev/v1alpha1", "kind": "Fleet",
        "metadata": { "name": name, "namespace": namespace, "uid": format!("uid-{name}") },
        "spec": { "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" },
    }))
    .unwrap();
    fleet.spec.common.account = account.map(|account| account.parse().unwrap());
    fleet
}

fn team(more: Value) -> Value {
    let mut spec = json!({ "assumeRoles": [{ "arn": ROLE }], "namespaces": { "names": ["team-a", "team-b"] } });
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    spec
}

fn denied(scope: Result<Scope, ScopeError>) -> AwsError {
    let Err(ScopeError::Aws(error)) = scope else { panic!("{scope:?}") };
    assert_eq!(error.class, Class::AccessDenied);
    error
}

#[tokio::test(start_paused = true)]
async fn roles_are_assumed_in_order_with_external_id_and_tags_and_each_namespace_writes_as_itself() {
    let roles = json!([{ "arn": HUB }, { "arn": ROLE, "externalId": "windlass-1" }]);
    let bench = Bench::new(&[("team", team(json!({ "assumeRoles": roles, "sessionTags": true })))]);
    let trusts = Some(vec!["arn:aws:sts::999988887777:assumed-role/hub/".to_owned()]);
    let external_id = Some("windlass-1".to_owned());
    bench.world.make_role(Role { arn: ROLE.into(), trusts, external_id, ..Role::default() });
    let (a, b) = (fleet("team-a", "a", Some("team")), fleet("team-b", "b", Some("team")));
    let (in_a, in_b) = (bench.scope(&a).await.unwrap(), bench.scope(&b).await.unwrap());
    assert_eq!((in_a.account.as_str(), in_a.region.as_str()), (TEAM, "us-east-1"));
    assert_eq!(in_a.allow, Allow::default());
    bench.look(&in_a, &a).await.unwrap();
    bench.look(&in_b, &b).await.unwrap();
    for (scope, name) in [(&in_a, "a"), (&in_b, "b"), (&in_a, "a")] {
        bench.stop(scope, name).await.unwrap_err();
    }
    let user = "user/akia123456789012x";
    let user = bench.world.audit()[0].caller.rsplit(':').next().map_or(user.to_owned(), str::to_owned);
    assert_eq!(
        bench.asked(0),
        [
            format!("AssumeRole by {user}"),
            "AssumeRole by assumed-role/hub/windlass-reads".to_owned(),
            "GetCallerIdentity by assumed-role/windlass/windlass-reads".to_owned(),
            // Reads are shared by namespaces; nothing is asked of STS again.
            "DescribeFleets by assumed-role/windlass/windlass-reads".to_owned(),
            "DescribeFleets by assumed-role/windlass/windlass-reads".to_owned(),
            format!("AssumeRole by {user}"),
            "AssumeRole by assumed-role/hub/windlass-team-a".to_owned(),
            "StopFleet by assumed-role/windlass/windlass-team-a".to_owned(),
            format!("AssumeRole by {user}"),
            "AssumeRole by assumed-role/hub/windlass-team-b".to_owned(),
            "StopFleet by assumed-role/windlass/windlass-team-b".to_owned(),
            "StopFleet by assumed-role/windlass/windlass-team-a".to_owned(),
        ]
    );
    let tags: Vec<_> = bench.world.role_sessions().into_iter().map(|session| (session.role, session.tags)).collect();
    let cluster = ("windlass.dev/cluster".to_owned(), "cluster-1".to_owned());
    let namespace = |name: &str| ("windlass.dev/namespace".to_owned(), name.to_owned());
    let hub = (HUB.to_owned(), vec![]);
    let role = |tags: Vec<(String, String)>| (ROLE.to_owned(), tags);
    assert_eq!(
        tags,
        [
            hub.clone(),
            role(vec![cluster.clone()]),
            hub.clone(),
            role(vec![cluster.clone(), namespace("team-a")]),
            hub,
            role(vec![cluster, namespace("team-b")]),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_costs_no_request_to_aws() {
    let bench = Bench::new(&[
        ("team", team(json!({ "allowedRegions": ["us-east-1"], "allow": { "kinds": ["Fleet"] } }))),
        ("stacks", team(json!({ "allow": { "kinds": ["Stack"] } }))),
    ]);
    let says = async |fleet: &Fleet| bench.scope(fleet).await.unwrap_err().to_string();
    let elsewhere = |region: &str| {
        let mut fleet = fleet("team-a", "a", Some("team"));
        fleet.spec.common.region = Some(region.parse().unwrap());
        fleet
    };
    assert_eq!(says(&fleet("team-c", "a", Some("team"))).await, "Account `team` does not allow namespace `team-c`");
    assert_eq!(
        says(&fleet("team-a", "a", Some("stacks"))).await,
        "Account `stacks` does not allow objects of kind Fleet"
    );
    assert_eq!(says(&elsewhere("eu-west-1")).await, "Account `team` does not allow Region eu-west-1");
    assert!(says(&fleet("team-a", "a", Some("gone"))).await.starts_with("there is no Account `gone`"));
    assert!(says(&fleet("team-a", "a", None)).await.contains("no Account is the default"));
    assert_eq!(bench.world.audit(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_resolved_before_the_accounts_are_listed() {
    let InProcess { world, accounts, .. } = in_process(Settings::default(), OPERATOR);
    let unread = AccountBook::unread();
    let accounts = accounts.with_book(unread.clone());
    let fleet = fleet("team-a", "a", None);
    let Err(ScopeError::Aws(error)) = accounts.scope_of::<FleetKind>(&fleet).await else { panic!("resolved") };
    assert_eq!((error.class, error.code.as_str()), (Class::NotSent, "NotListed"));
    assert_eq!(world.audit(), []);
    unread.write(Book::default());
    assert_eq!(accounts.scope_of::<FleetKind>(&fleet).await.unwrap().account, OPERATOR);
}

#[tokio::test(start_paused = true)]
async fn another_aws_account_than_the_expected_one_is_asked_for_its_name_and_nothing_else() {
    let bench = Bench::new(&[("team", team(json!({ "expectedAccountId": "444455556666" })))]);
    let fleet = fleet("team-a", "a", Some("team"));
    for _ in 0..3 {
        let refused = bench.scope(&fleet).await.unwrap_err().to_string();
        let text = "the identity of Account `team` belongs to AWS account 111122223333, and expectedAccountId is 444455556666: nothing is done there";
        assert_eq!(refused, text);
    }
    let operations: Vec<String> = bench.world.audit().into_iter().map(|entry| entry.operation).collect();
    assert_eq!(operations, ["AssumeRole", "GetCallerIdentity"]);
}

#[tokio::test(start_paused = true)]
async fn a_trust_policy_that_lets_nobody_in_or_allows_no_tags_is_told_in_words_that_help() {
    let bench = Bench::new(&[("team", team(json!({ "sessionTags": true })))]);
    let fleet = fleet("team-a", "a", Some("team"));
    bench.world.make_role(Role { arn: ROLE.into(), refuses_tags: true, ..Role::default() });
    let error = denied(bench.scope(&fleet).await);
    assert_eq!((error.operation, error.code.as_str()), ("AssumeRole", "TagSessionDenied"));
    assert!(
        error.message.starts_with("the trust policy of role arn:aws:iam::111122223333:role/windlass does not allow sts:TagSession, which sessionTags needs: allow it there, or turn sessionTags off (User: arn:aws:iam::123456789012:user/"),
        "{error}"
    );
    bench.world.make_role(Role { arn: ROLE.into(), trusts: Some(vec![]), ..Role::default() });
    tokio::time::sleep(Duration::from_secs(10)).await;
    let error = denied(bench.scope(&fleet).await);
    assert_eq!((error.operation, error.code.as_str()), ("AssumeRole", "AccessDenied"));
    assert!(
        error.message.contains(
            "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/windlass"
        ),
        "{error}"
    );
    let entry = Arc::clone(&bench.book.now().unwrap().accounts["team"]);
    let Found::Refused { class: Class::AccessDenied, text, .. } = bench.accounts.found(&entry).await else { panic!() };
    assert!(text.starts_with("AssumeRole: AccessDenied: User: "), "{text}");

    // Mended in AWS: nothing has to be edited here.
    bench.world.make_role(Role { arn: ROLE.into(), ..Role::default() });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.scope(&fleet).await.unwrap().account, TEAM);
    let arn = "arn:aws:sts::111122223333:assumed-role/windlass/windlass-reads".to_owned();
    assert_eq!(bench.accounts.found(&entry).await, Found::Caller { account_id: TEAM.into(), arn });
}

#[tokio::test(start_paused = true)]
async fn a_role_with_few_permissions_is_refused_by_aws_and_not_by_us() {
    let bench = Bench::new(&[("team", team(json!({})))]);
    let allows = Some(vec!["appstream:Describe*".to_owned()]);
    bench.world.make_role(Role { arn: ROLE.into(), allows, ..Role::default() });
    let fleet = fleet("team-a", "a", Some("team"));
    let scope = bench.scope(&fleet).await.unwrap();
    bench.look(&scope, &fleet).await.unwrap();
    let refused = bench.stop(&scope, "a").await.unwrap_err();
    assert_eq!((refused.class, refused.operation), (Class::AccessDenied, "StopFleet"));
    assert!(
        refused
            .message
            .contains("assumed-role/windlass/windlass-team-a is not authorized to perform: appstream:StopFleet"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_before_they_expire_and_by_one_request_for_everybody() {
    let bench = Bench::new(&[("team", team(json!({})))]);
    let fleet = fleet("team-a", "a", Some("team"));
    let scope = bench.scope(&fleet).await.unwrap();
    let assumed = || bench.world.audit().iter().filter(|entry| entry.operation == "AssumeRole").count();
    assert_eq!(assumed(), 1);
    // An hour is their life, and five minutes before its end they are replaced at the latest.
    tokio::time::sleep(Duration::from_secs(54 * 60)).await;
    bench.look(&scope, &fleet).await.unwrap();
    assert_eq!(assumed(), 1);
    tokio::time::sleep(Duration::from_secs(4 * 60)).await;
    let looks = (0..50).map(|_| bench.look(&scope, &fleet));
    for look in futures::future::join_all(looks).await {
        look.unwrap();
    }
    assert_eq!(assumed(), 2);
    let expired = |entry: &simulator::AuditEntry| matches!(&entry.outcome, simulator::Outcome::Err { code } if code.contains("Expired"));
    assert!(!bench.world.audit().iter().any(expired));
}

#[tokio::test(start_paused = true)]
async fn what_was_resolved_before_an_account_changed_reaches_aws_no_more() {
    let spec = team(json!({}));
    let bench = Bench::new(&[("team", spec.clone())]);
    let fleet = fleet("team-a", "a", Some("team"));
    let scope = bench.scope(&fleet).await.unwrap();
    bench.look(&scope, &fleet).await.unwrap();
    bench.stop(&scope, "a").await.unwrap_err();
    let refused = async || {
        let before = bench.world.audit().len();
        let error = bench.stop(&scope, "a").await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::NotSent, "AccountChanged"));
        let error = bench.look(&scope, &fleet).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::NotSent, "AccountChanged"));
        assert_eq!(bench.asked(before), Vec::<String>::new());
    };
    // Edited.
    let mut edited = of(&[("team", spec.clone())]);
    let entry = Entry { generation: 2, ..(*edited.accounts["team"]).clone() };
    edited.accounts.insert("team".into(), Arc::new(entry));
    bench.book.write(edited);
    refused().await;
    let again = bench.scope(&fleet).await.unwrap();
    bench.look(&again, &fleet).await.unwrap();
    // Gone.
    bench.book.write(of(&[("other", spec.clone())]));
    refused().await;
    let before = bench.world.audit().len();
    assert!(bench.scope(&fleet).await.unwrap_err().to_string().starts_with("there is no Account `team`"));
    assert_eq!(bench.world.audit().len(), before);
    // Back as it was.
    bench.book.write(of(&[("team", spec)]));
    bench.stop(&bench.scope(&fleet).await.unwrap(), "a").await.unwrap_err();
    assert_eq!(bench.asked(before).last().unwrap(), "StopFleet by assumed-role/windlass/windlass-team-a");
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_taken_off_a_namespace_ends_its_writes_and_not_the_reads_of_others() {
    let selector = json!({ "namespaces": { "selector": { "matchLabels": { "team": "x" } } } });
    let bench = Bench::new(&[]);
    let labelled = |names: &[&str]| {
        let label = |name| names.contains(&name).then(|| ("team".to_owned(), "x".to_owned()));
        let all = ["team-a", "team-b"].map(|name| (name.to_owned(), label(name).into_iter().collect::<Labels>()));
        let all = all.into_iter().collect();
        Book { namespaces: Some(Arc::new(all)), ..of(&[("team", team(selector.clone()))]) }
    };
    bench.book.write(labelled(&["team-a", "team-b"]));
    let (a, b) = (fleet("team-a", "a", Some("team")), fleet("team-b", "b", Some("team")));
    let (in_a, in_b) = (bench.scope(&a).await.unwrap(), bench.scope(&b).await.unwrap());
    bench.book.write(labelled(&["team-b"]));
    assert_eq!(bench.stop(&in_a, "a").await.unwrap_err().code, "AccountChanged");
    assert_eq!(bench.scope(&a).await.unwrap_err().to_string(), "Account `team` does not allow namespace `team-a`");
    bench.look(&in_b, &b).await.unwrap();
    assert_eq!(bench.stop(&in_b, "b").await.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn the_operators_own_identity_is_used_no_more_from_the_first_account_on() {
    let bench = Bench::new(&[]);
    let fleet = fleet("team-a", "a", None);
    let scope = bench.scope(&fleet).await.unwrap();
    assert_eq!((scope.account.as_str(), scope.allow.clone()), (OPERATOR, Allow::own()));
    bench.look(&scope, &fleet).await.unwrap();
    bench.book.write(of(&[("team", team(json!({})))]));
    // A moment later: what was read at the same instant is shared without a request.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.look(&scope, &fleet).await.unwrap_err().code, "AccountChanged");
    assert_eq!(bench.stop(&scope, "a").await.unwrap_err().code, "AccountChanged");
}

#[tokio::test(start_paused = true)]
async fn two_accounts_of_one_aws_account_share_no_client_and_no_read() {
    let other = "arn:aws:iam::111122223333:role/other";
    let second = team(json!({ "assumeRoles": [{ "arn": other }] }));
    let bench = Bench::new(&[("team", team(json!({}))), ("second", second)]);
    let (a, b) = (fleet("team-a", "a", Some("team")), fleet("team-a", "b", Some("second")));
    let (one, two) = (bench.scope(&a).await.unwrap(), bench.scope(&b).await.unwrap());
    assert_eq!(one.account, two.account);
    let before = bench.world.audit().len();
    bench.look(&one, &a).await.unwrap();
    bench.look(&two, &b).await.unwrap();
    bench.stop(&two, "b").await.unwrap_err();
    let asked = bench.asked(before);
    assert_eq!(asked.first().unwrap(), "DescribeFleets by assumed-role/windlass/windlass-reads");
    assert!(asked.contains(&"DescribeFleets by assumed-role/other/windlass-reads".to_owned()), "{asked:?}");
    assert_eq!(asked.last().unwrap(), "StopFleet by assumed-role/other/windlass-team-a");
}

#[tokio::test(start_paused = true)]
async fn five_hundred_accounts_keep_their_credentials() {
    let names: Vec<String> = (0..500).map(|n| format!("a{n:03}")).collect();
    let specs: Vec<(&str, Value)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let role = format!("arn:aws:iam::{:012}:role/windlass", 100_000_000_000_u64 + n as u64);
            (name.as_str(), team(json!({ "assumeRoles": [{ "arn": role }] })))
        })
        .collect();
    let bench = Bench::new(&specs);
    let fleets: Vec<Fleet> = names.iter().map(|name| fleet("team-a", "a", Some(name))).collect();
    for _ in 0..3 {
        for fleet in &fleets {
            let scope = bench.scope(fleet).await.unwrap();
            bench.look(&scope, fleet).await.unwrap();
        }
    }
    let count = |operation: &str| bench.world.audit().iter().filter(|entry| entry.operation == operation).count();
    assert_eq!((count("AssumeRole"), count("GetCallerIdentity")), (500, 500));
    assert_eq!(bench.accounts.sessions(), 500);
    // Those of Accounts that are gone go at the next use of any.
    bench.book.write(of(&specs[..3]));
    let scope = bench.scope(&fleets[0]).await.unwrap();
    bench.look(&scope, &fleets[0]).await.unwrap();
    bench.stop(&scope, "a").await.unwrap_err();
    assert_eq!(bench.accounts.sessions(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_accounts_limits_slow_its_requests_down() {
    let bench = Bench::new(&[("team", team(json!({ "limits": { "requestsPerSecond": 2, "burst": 1 } })))]);
    let fleet = fleet("team-a", "a", Some("team"));
    let scope = bench.scope(&fleet).await.unwrap();
    let began = Instant::now();
    for _ in 0..5 {
        // Writes are never shared.
        bench.stop(&scope, "a").await.unwrap_err();
    }
    assert_eq!(began.elapsed().as_millis(), 2000);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_roles_is_the_operators_own_identity_with_what_it_allows() {
    let spec = json!({
        "namespaces": { "selector": {} }, "default": true, "expectedAccountId": OPERATOR, "allow": { "adoption": true },
    });
    let bench = Bench::new(&[("own", spec)]);
    let fleet = fleet("anybody", "a", None);
    let scope = bench.scope(&fleet).await.unwrap();
    assert_eq!((scope.account.as_str(), scope.allow.adoption), (OPERATOR, true));
    bench.look(&scope, &fleet).await.unwrap();
    let operations: Vec<String> = bench.world.audit().into_iter().map(|entry| entry.operation).collect();
    assert_eq!(operations, ["GetCallerIdentity", "DescribeFleets"]);
}
