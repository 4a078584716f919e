//! Accounts end to end: a real API server, the real operator with exactly its rights, roles in a simulated AWS. A control plane
//! of its own, since an Account is everybody's.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "end_to_end/stage.rs"]
mod stage;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stage::{Stage, apply, ask, condition, ready, shown, simulator, spec, until_so, word};

const FAST: [&str; 8] = ["--start", "1s", "--stop", "1s", "--scale", "500ms", "--scale-in", "500ms"];
const ACCOUNTS: &str = "/apis/aws.windlass.dev/v1alpha1/accounts";
const ROLE_A: &str = "arn:aws:iam::111111111111:role/windlass";
const ROLE_B: &str = "arn:aws:iam::222222222222:role/windlass";

/// The rights on our kinds in every namespace.
const EVERYWHERE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: windlass-everywhere}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: windlass-fleets}
subjects: [{kind: ServiceAccount, name: windlass, namespace: NAMESPACE}]
";

/// What people do with Accounts and with Fleets of any namespace.
struct People<'a>(&'a Stage);

impl People<'_> {
    async fn make(&self, account: &str, spec: Value) {
        let object = json!({
            "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account", "metadata": { "name": account }, "spec": spec,
        });
        ask(&self.0.admin, "POST", ACCOUNTS, Some(&object)).await.unwrap();
    }

    async fn edit(&self, account: &str, spec: Value) {
        let path = format!("{ACCOUNTS}/{account}");
        ask(&self.0.admin, "PATCH", &path, Some(&json!({ "spec": spec }))).await.unwrap();
    }

    async fn unmake(&self, account: &str) {
        ask(&self.0.admin, "DELETE", &format!("{ACCOUNTS}/{account}"), None).await.unwrap();
    }

    /// Waits until the Account shows this condition with this reason.
    async fn until(&self, account: &str, name: &str, reason: &str) -> Value {
        let path = format!("{ACCOUNTS}/{account}");
        let end = Instant::now() + stage::SOON;
        loop {
            let object = ask(&self.0.admin, "GET", &path, None).await.unwrap();
            let (status, why, _) = condition(&object, name);
            if (status.as_str(), why.as_str()) == ("True", reason) {
                return object;
            }
            assert!(Instant::now() < end, "waited in vain for {account} {name} {reason}:\n{}", shown(&object));
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    async fn fleet(&self, namespace: &str, name: &str, more: Value) {
        let object = json!({
            "apiVersion": "appstream.windlass.dev/v1alpha1", "kind": "Fleet",
            "metadata": { "name": name }, "spec": spec(more),
        });
        let path = format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{namespace}/fleets");
        ask(&self.0.admin, "POST", &path, Some(&object)).await.unwrap();
    }

    async fn read(&self, namespace: &str, name: &str) -> Option<Value> {
        let path = format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{namespace}/fleets/{name}");
        match ask(&self.0.admin, "GET", &path, None).await {
            Ok(fleet) => Some(fleet),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn until_fleet(&self, namespace: &str, name: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + stage::SOON;
        loop {
            let fleet = self.read(namespace, name).await.unwrap();
            if so(&fleet) {
                return fleet;
            }
            assert!(Instant::now() < end, "waited in vain for {name}: {what}:\n{}", shown(&fleet));
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// Waits until the Fleet is Stalled with NotAllowed, and this in its message.
    async fn until_refused(&self, namespace: &str, name: &str, words: &str) -> Value {
        let refused = |fleet: &Value| {
            let (status, reason, message) = condition(fleet, "Stalled");
            status == "True" && reason == "NotAllowed" && message.contains(words)
        };
        self.until_fleet(namespace, name, words, refused).await
    }
}

fn account_of(fleet: &Value) -> String {
    word(fleet, "/status/arn").split(':').nth(4).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_accounts_two_namespaces_refusals_conflicts_and_an_account_that_goes_and_comes_back() {
    let stage = Stage::new("tenant-a", simulator(&FAST).await).await;
    let people = People(&stage);
    apply(&stage.admin, &EVERYWHERE.replace("NAMESPACE", &stage.namespace)).await;
    let (a, b) = (stage.namespace.clone(), stage.control_plane.namespace("tenant-b").await);
    stage.sim("POST", "/roles", &json!({ "arn": ROLE_A, "externalId": "windlass-a" }));
    stage.sim("POST", "/roles", &json!({ "arn": ROLE_B }));
    let operator = stage.operator().cluster_wide().ready().await;
    let requests = || -> Vec<(String, String)> {
        let entries = stage.aws.audit(0).unwrap();
        entries.iter().map(|entry| (word(entry, "/operation"), word(entry, "/caller"))).collect()
    };

    // Two Accounts: one by name and default, the other by label.
    let role = |arn: &str, id: Option<&str>| match id {
        Some(id) => json!([{ "arn": arn, "externalId": id }]),
        None => json!([{ "arn": arn }]),
    };
    people
        .make(
            "first",
            json!({
                "assumeRoles": role(ROLE_A, Some("windlass-a")), "expectedAccountId": "111111111111", "default": true,
                "namespaces": { "names": [a] },
            }),
        )
        .await;
    let labels = json!({ "matchLabels": { "tenant": "b" } });
    people.make("second", json!({ "assumeRoles": role(ROLE_B, None), "namespaces": { "selector": labels } })).await;
    let first = people.until("first", "Ready", "Available").await;
    assert_eq!(word(&first, "/status/accountId"), "111111111111");
    let caller = "arn:aws:sts::111111111111:assumed-role/windlass/windlass-reads";
    assert_eq!(word(&first, "/status/callerArn"), caller);
    people.until("second", "Ready", "Available").await;

    // Objects live where their Accounts say, by their own sessions.
    people.fleet(&a, "one", json!({})).await;
    let one = people.until_fleet(&a, "one", "Ready", ready).await;
    assert_eq!(account_of(&one), "111111111111");
    let made = requests().into_iter().find(|(operation, _)| operation == "CreateFleet").unwrap().1;
    assert!(made.starts_with("arn:aws:sts::111111111111:assumed-role/windlass/windlass-tenant-a"), "{made}");

    // Refused: no request. The label lets it in at once.
    let before = requests().len();
    people.fleet(&b, "two", json!({ "account": "second" })).await;
    people.fleet(&b, "three", json!({ "account": "first" })).await;
    people.fleet(&b, "four", json!({})).await;
    people.until_refused(&b, "two", &format!("Account `second` does not allow namespace `{b}`")).await;
    people.until_refused(&b, "three", &format!("Account `first` does not allow namespace `{b}`")).await;
    people.until_refused(&b, "four", &format!("Account `first` does not allow namespace `{b}`")).await;
    let of_b = |entries: Vec<(String, String)>| {
        entries
            .into_iter()
            .skip(before)
            .filter(|(_, by)| by.contains("tenant-b") || by.contains("222222222222"))
            .count()
    };
    assert_eq!(of_b(requests()), 0);
    let label = json!({ "metadata": { "labels": { "tenant": "b" } } });
    ask(&stage.admin, "PATCH", &format!("/api/v1/namespaces/{b}"), Some(&label)).await.unwrap();
    let two = people.until_fleet(&b, "two", "Ready", ready).await;
    assert_eq!(account_of(&two), "222222222222");

    // Two defaults: both say so, and nobody lives in either by default.
    people.edit("second", json!({ "default": true })).await;
    people.until("first", "Stalled", "DefaultConflict").await;
    people.until("second", "Stalled", "DefaultConflict").await;
    people.until_refused(&a, "one", "more than one Account says that it is the default").await;
    people.edit("second", json!({ "default": null })).await;
    people.until("first", "Ready", "Available").await;
    people.until_fleet(&a, "one", "Ready again", ready).await;

    // Another account than the one that it was made in: nothing is written.
    people.edit("first", json!({ "default": null })).await;
    people.edit("second", json!({ "default": true, "namespaces": { "names": [a] } })).await;
    let moved = |fleet: &Value| condition(fleet, "Stalled").1 == "AccountMoved";
    people.until_fleet(&a, "one", "AccountMoved", moved).await;
    people.edit("second", json!({ "default": null, "namespaces": { "names": null } })).await;
    people.edit("first", json!({ "default": true })).await;
    people.until_fleet(&a, "one", "Ready in its own", ready).await;

    // The Account goes, and even a deletion waits for it; with it comes back what it allows.
    people.unmake("second").await;
    people.until_refused(&b, "two", "there is no Account `second`").await;
    let path = format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{b}/fleets/two");
    ask(&stage.admin, "DELETE", &path, None).await.unwrap();
    let deleting = |fleet: &Value| {
        fleet["metadata"]["deletionTimestamp"].is_string() && condition(fleet, "Stalled").1 == "NotAllowed"
    };
    people.until_fleet(&b, "two", "deleted, and held", deleting).await;
    let gone = requests().len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let late: Vec<_> = requests().into_iter().skip(gone).filter(|(_, by)| by.contains("222222222222")).collect();
    assert_eq!(late, []);
    people.make("second", json!({ "assumeRoles": role(ROLE_B, None), "namespaces": { "selector": labels } })).await;
    let began = Instant::now();
    while people.read(&b, "two").await.is_some() {
        assert!(began.elapsed() < stage::DELETED, "it did not go");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // A trust policy that ends, and an identity that is another account's.
    stage.sim("POST", "/roles", &json!({ "arn": ROLE_B, "trusts": [] }));
    people.edit("second", json!({ "sessionTags": true })).await;
    let denied = people.until("second", "Reconciling", "AccessDenied").await;
    assert!(condition(&denied, "Ready").2.contains("is not authorized to perform: sts:AssumeRole"), "{denied}");
    stage.sim("POST", "/roles", &json!({ "arn": ROLE_B, "refusesTags": true }));
    until_so("the missing sts:TagSession is named", async || {
        let object = ask(&stage.admin, "GET", &format!("{ACCOUNTS}/second"), None).await.unwrap();
        condition(&object, "Ready").2.contains("does not allow sts:TagSession, which sessionTags needs")
    })
    .await;
    people.edit("second", json!({ "sessionTags": null, "expectedAccountId": "333333333333" })).await;
    people.until("second", "Stalled", "AccountMismatch").await;
    people.fleet(&b, "five", json!({ "account": "second" })).await;
    people
        .until_refused(&b, "five", "belongs to AWS account 222222222222, and expectedAccountId is 333333333333")
        .await;

    // Once told, an Account is written no more.
    let version = async || {
        let list = ask(&stage.admin, "GET", ACCOUNTS, None).await.unwrap();
        list["items"].as_array().unwrap().iter().map(|item| word(item, "/metadata/resourceVersion")).collect::<Vec<_>>()
    };
    let settled = version().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(version().await, settled);
    let counted = |condition: &str, reason: &str| {
        let labels = format!("kind=\"Account.aws.windlass.dev\",reason=\"{reason}\",status=\"True\"");
        operator.metric(&format!("windlass_objects{{condition=\"{condition}\",{labels}}}"))
    };
    assert_eq!((counted("Ready", "Available"), counted("Stalled", "AccountMismatch")), (1.0, 1.0));
    operator.stop();
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
}
