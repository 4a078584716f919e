//! Tenancy by tables: who may live where, and what is said to whom.

use serde_json::{Value, json};

use super::*;
use crate::api::account::AccountSpec;
use crate::api::{Account, AccountStatus};
use crate::plan::Class;
use jiff::Timestamp;

fn entry(name: &str, spec: Value) -> (String, Arc<Entry>) {
    let spec: AccountSpec = serde_json::from_value(spec).unwrap();
    let entry = Entry { name: name.into(), uid: format!("uid-{name}"), generation: 1, spec: Ok(spec) };
    (name.into(), Arc::new(entry))
}

fn book(accounts: &[(&str, Value)]) -> Book {
    let accounts = accounts.iter().map(|(name, spec)| entry(name, spec.clone())).collect();
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let namespaces = BTreeMap::from([
        ("team-a".to_owned(), labels(&[("team", "a"), ("stage", "prod")])),
        ("team-b".to_owned(), labels(&[("team", "b")])),
        ("bare".to_owned(), Labels::new()),
    ]);
    Book { accounts, namespaces: Some(Arc::new(namespaces)) }
}

fn house() -> House {
    House { region: Some("eu-central-1".parse().unwrap()), account_required: false }
}

/// What is judged of an object: `own <region>`, `<account> <region>`, `not yet` or the sentence.
fn judged(book: &Book, house: &House, kind: &str, namespace: &str, account: &str, region: &str) -> String {
    let account: Option<AccountName> = account.parse().ok();
    let region: Option<Region> = region.parse().ok();
    let wish = Wish { kind, namespace, account: account.as_ref(), region: region.as_ref() };
    match book.judge(&wish, house) {
        Judgement::Own(region) => format!("own {region}"),
        Judgement::In(entry, region) => format!("{} {region}", entry.name),
        Judgement::Refused(refusal) => refusal.to_string(),
        Judgement::NotYet => "not yet".into(),
    }
}

const FLEET: &str = "Fleet.appstream.windlass.dev";

#[test]
fn without_any_account_object_the_operators_own_identity_serves_everybody_unless_one_is_required() {
    let none = book(&[]);
    assert_eq!(judged(&none, &house(), FLEET, "team-a", "", ""), "own eu-central-1");
    assert_eq!(judged(&none, &house(), FLEET, "team-a", "", "us-east-1"), "own us-east-1");
    assert_eq!(
        judged(&none, &House::default(), FLEET, "team-a", "", ""),
        "no AWS Region is known: set `region`, or start the operator with --region or AWS_REGION"
    );
    let strict = House { account_required: true, ..house() };
    assert_eq!(
        judged(&none, &strict, FLEET, "team-a", "", ""),
        "there is no Account object, and the operator runs with --require-account: an administrator must create one that allows this namespace"
    );
    let named = judged(&none, &house(), FLEET, "team-a", "prod", "");
    assert_eq!(named, "there is no Account `prod`: nothing is done in AWS, and nothing is let go, until there is");
}

#[test]
fn an_object_that_names_no_account_lives_in_the_only_default() {
    let everybody = json!({ "selector": {} });
    let plain = json!({ "namespaces": everybody });
    let default = json!({ "namespaces": everybody, "default": true });
    let says = |accounts: &[(&str, Value)]| judged(&book(accounts), &house(), FLEET, "team-a", "", "");
    assert_eq!(says(&[("a", plain.clone()), ("b", default.clone())]), "b eu-central-1");
    assert_eq!(
        says(&[("a", plain.clone())]),
        "this object names no account, and no Account is the default: set account to one that allows this namespace"
    );
    assert_eq!(
        says(&[("a", default.clone()), ("b", default.clone())]),
        "this object names no account, and more than one Account says that it is the default: set account to one that allows this namespace"
    );
    // Who names one of the two is not hit by their conflict.
    let conflict = book(&[("a", default.clone()), ("b", default)]);
    assert_eq!(judged(&conflict, &house(), FLEET, "team-a", "b", ""), "b eu-central-1");
    assert_eq!(conflict.defaults().len(), 2);
}

#[test]
fn a_namespace_is_allowed_by_name_or_by_its_labels_and_otherwise_not() {
    let all = ["team-a", "team-b", "bare", "unseen"];
    let admitted = |namespaces: Value| -> Vec<&str> {
        let book = book(&[("a", json!({ "namespaces": namespaces }))]);
        let allowed = |namespace: &&str| judged(&book, &house(), FLEET, namespace, "a", "") == "a eu-central-1";
        all.into_iter().filter(|namespace| allowed(namespace)).collect()
    };
    assert_eq!(admitted(json!({})), Vec::<&str>::new());
    assert_eq!(admitted(json!({ "names": ["team-b"] })), ["team-b"]);
    assert_eq!(admitted(json!({ "selector": {} })), all);
    assert_eq!(admitted(json!({ "selector": { "matchLabels": { "team": "a" } } })), ["team-a"]);
    assert_eq!(
        admitted(json!({ "names": ["bare"], "selector": { "matchLabels": { "team": "a" } } })),
        ["team-a", "bare"]
    );
    let expression = |key: &str, operator: &str, values: Option<&[&str]>| {
        let mut requirement = json!({ "key": key, "operator": operator });
        if let Some(values) = values {
            requirement["values"] = json!(values);
        }
        admitted(json!({ "selector": { "matchExpressions": [requirement] } }))
    };
    assert_eq!(expression("team", "In", Some(&["b", "c"])), ["team-b"]);
    assert_eq!(expression("team", "NotIn", Some(&["b", "c"])), ["team-a", "bare"]);
    assert_eq!(expression("stage", "Exists", None), ["team-a"]);
    assert_eq!(expression("team", "DoesNotExist", None), ["bare"]);
    let both = json!({ "selector": {
        "matchLabels": { "team": "b" },
        "matchExpressions": [{ "key": "stage", "operator": "Exists" }],
    } });
    assert_eq!(admitted(both), Vec::<&str>::new());
    let absent = book(&[("a", json!({}))]);
    assert_eq!(judged(&absent, &house(), FLEET, "team-a", "a", ""), "Account `a` does not allow namespace `team-a`");
}

#[test]
fn before_namespaces_are_listed_only_what_rests_on_labels_is_not_judged() {
    let of = |namespaces: Value| Book { namespaces: None, ..book(&[("a", json!({ "namespaces": namespaces }))]) };
    let labels = of(json!({ "names": ["team-b"], "selector": { "matchLabels": { "team": "a" } } }));
    assert_eq!(judged(&labels, &house(), FLEET, "team-a", "a", ""), "not yet");
    assert_eq!(judged(&labels, &house(), FLEET, "team-b", "a", ""), "a eu-central-1");
    assert!(labels.needs_namespaces());
    for listed in [json!({ "selector": {} }), json!({ "names": ["team-a"] })] {
        let book = of(listed);
        assert_eq!(judged(&book, &house(), FLEET, "team-a", "a", ""), "a eu-central-1");
        assert!(!book.needs_namespaces());
    }
}

#[test]
fn kinds_and_regions_are_those_that_the_account_allows() {
    let spec = json!({
        "namespaces": { "selector": {} }, "region": "eu-west-1", "allowedRegions": ["eu-west-1", "us-east-1"],
        "allow": { "kinds": ["Stack", "Instance"] },
    });
    let book = book(&[("a", spec)]);
    let says = |kind: &str, region: &str| judged(&book, &house(), kind, "team-a", "a", region);
    assert_eq!(says("Stack.appstream.windlass.dev", ""), "a eu-west-1");
    assert_eq!(says("Instance.lightsail.windlass.dev", "us-east-1"), "a us-east-1");
    assert_eq!(says(FLEET, ""), "Account `a` does not allow objects of kind Fleet");
    assert_eq!(says("Stack.appstream.windlass.dev", "ap-south-1"), "Account `a` does not allow Region ap-south-1");
    // The operator's own Region counts only where the Account has none, and is bound by the Account all the same.
    let bound =
        super::tests::book(&[("a", json!({ "namespaces": { "selector": {} }, "allowedRegions": ["us-east-1"] }))]);
    assert_eq!(judged(&bound, &house(), FLEET, "team-a", "a", ""), "Account `a` does not allow Region eu-central-1");
}

#[test]
fn an_account_that_cannot_be_read_serves_nobody_and_is_still_there() {
    let mut book = book(&[]);
    let entry = Entry { name: "a".into(), uid: "u".into(), generation: 1, spec: Err("missing field".into()) };
    book.accounts.insert("a".into(), Arc::new(entry));
    assert_eq!(
        judged(&book, &house(), FLEET, "team-a", "a", ""),
        "Account `a` cannot be read by this version of the operator"
    );
    assert_eq!(
        judged(&book, &house(), FLEET, "team-a", "", ""),
        "this object names no account, and no Account is the default: set account to one that allows this namespace"
    );
}

#[test]
fn a_mandate_holds_until_its_account_changes_goes_or_shuts_the_namespace_out() {
    let open = book(&[("a", json!({ "namespaces": { "selector": { "matchLabels": { "team": "a" } } } }))]);
    let mandate = open.accounts["a"].mandate("team-a");
    assert!(open.holds(&mandate) && open.has(&mandate));
    let mut edited = open.clone();
    edited.accounts.insert("a".into(), Arc::new(Entry { generation: 2, ..(*open.accounts["a"]).clone() }));
    assert!(!edited.holds(&mandate) && !edited.has(&mandate));
    let mut another = open.clone();
    another.accounts.insert("a".into(), Arc::new(Entry { uid: "other".into(), ..(*open.accounts["a"]).clone() }));
    assert!(!another.holds(&mandate) && !another.has(&mandate));
    assert!(!book(&[]).holds(&mandate) && !book(&[]).has(&mandate));
    // Its label was taken off the namespace: shared reads go on for the others.
    let relabelled = Book { namespaces: Some(Arc::default()), ..open };
    assert!(!relabelled.holds(&mandate) && relabelled.has(&mandate));
}

#[test]
fn what_is_left_out_of_allow_is_not_allowed() {
    let allow = |spec: Value| entry("a", spec).1.allow();
    assert_eq!(allow(json!({})), Allow::default());
    assert_eq!(allow(json!({ "allow": { "grants": {} } })), Allow::default());
    let all = json!({ "allow": {
        "adoption": true, "foreignFleets": true, "passRoles": ["arn:aws:iam::*:role/x"],
        "grants": { "targets": ["GameLiftCompute"], "unmanaged": true, "maxDuration": "1h30m" },
    } });
    let grants = AllowGrants {
        targets: [GrantTarget::GameLiftCompute].into(),
        unmanaged: true,
        max_duration: Some(Duration::from_secs(5400)),
    };
    let pass_roles = vec!["arn:aws:iam::*:role/x".to_owned()];
    assert_eq!(allow(all), Allow { adoption: true, foreign_fleets: true, pass_roles, grants });
    let own = AllowGrants { targets: [GrantTarget::LightsailInstance].into(), ..AllowGrants::default() };
    assert_eq!(Allow::own(), Allow { grants: own, ..Allow::default() });
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn account(spec: Value, status: Option<AccountStatus>) -> Account {
    let object = json!({
        "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account",
        "metadata": { "name": "a", "uid": "u", "generation": 3 }, "spec": spec,
    });
    Account { status, ..serde_json::from_value(object).unwrap() }
}

/// The conditions as `type=status reason: message`.
fn shown(status: &AccountStatus) -> Vec<String> {
    let one = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        assert_eq!(c.observed_generation, Some(3));
        format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message)
    };
    status.conditions.iter().map(one).collect()
}

#[test]
fn an_accounts_status_says_whom_it_leads_to_and_what_is_wrong() {
    let caller = Found::Caller { account_id: "111122223333".into(), arn: "arn:aws:sts::111122223333:x/y".into() };
    let open = json!({ "namespaces": { "names": ["team-a"] } });
    let good = status(&account(open.clone(), None), &[], &caller, at(100));
    assert_eq!(shown(&good), ["Ready=True Available: AWS account 111122223333 is reached"]);
    assert_eq!((good.observed_generation, good.account_id.as_deref()), (3, Some("111122223333")));
    let closed = status(&account(json!({}), None), &[], &caller, at(100));
    assert_eq!(
        shown(&closed),
        ["Ready=True Available: AWS account 111122223333 is reached, and no namespace may use it: give namespaces"]
    );

    let conflict = status(&account(open.clone(), None), &["b", "c"], &caller, at(100));
    let text = "DefaultConflict: Account b, c says default: true too: leave it at one of them; until then, objects that name no account live nowhere";
    assert_eq!(shown(&conflict), [format!("Ready=False {text}"), format!("Stalled=True {text}")]);

    let wrong = account(json!({ "expectedAccountId": "999988887777" }), None);
    let text = "AccountMismatch: the identity of Account `a` belongs to AWS account 111122223333, and expectedAccountId is 999988887777: nothing is done there";
    let mismatch = status(&wrong, &[], &caller, at(100));
    assert_eq!(shown(&mismatch), [format!("Ready=False {text}"), format!("Stalled=True {text}")]);

    let denied =
        |since| Found::Refused { class: Class::AccessDenied, text: "AssumeRole: AccessDenied: no".into(), since };
    let before = account(open, Some(good));
    let fresh = status(&before, &[], &denied(at(100)), at(699));
    let text = "AccessDenied: AssumeRole: AccessDenied: no";
    assert_eq!(shown(&fresh), [format!("Ready=False {text}"), format!("Reconciling=True {text}")]);
    // What was known of it stays.
    assert_eq!(fresh.account_id.as_deref(), Some("111122223333"));
    let old = status(&before, &[], &denied(at(100)), at(700));
    assert_eq!(shown(&old), [format!("Ready=False {text}"), format!("Stalled=True {text}")]);
}
