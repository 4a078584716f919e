//! What two watches make of the book.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn account(name: &str, spec: serde_json::Value) -> DeserializeGuard<Account> {
    serde_json::from_value(json!({
        "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account",
        "metadata": { "name": name, "uid": format!("uid-{name}"), "generation": 1, "resourceVersion": "5" },
        "spec": spec,
    }))
    .unwrap()
}

fn namespace(name: &str, labels: &[(&str, &str)]) -> PartialObjectMeta<Namespace> {
    let labels: Labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    serde_json::from_value(json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": { "name": name, "labels": labels },
    }))
    .unwrap()
}

fn names(seen: &Seen) -> Option<Vec<String>> {
    seen.book().map(|book| book.accounts.keys().cloned().collect())
}

#[test]
fn nothing_is_known_before_the_first_list_is_complete_and_a_later_list_replaces_all_at_once() {
    let mut seen = Seen::default();
    seen.account(Event::Init);
    seen.account(Event::InitApply(account("a", json!({}))));
    assert_eq!(names(&seen), None);
    seen.account(Event::InitDone);
    assert_eq!(names(&seen), Some(vec!["a".into()]));
    seen.account(Event::Apply(account("b", json!({}))));
    seen.account(Event::Init);
    seen.account(Event::InitApply(account("c", json!({}))));
    // A list that is under way takes nobody's Account away.
    assert_eq!(names(&seen), Some(vec!["a".into(), "b".into()]));
    seen.account(Event::InitDone);
    assert_eq!(names(&seen), Some(vec!["c".into()]));
    seen.account(Event::Delete(account("c", json!({}))));
    assert_eq!(names(&seen), Some(vec![]));
}

#[test]
fn an_account_that_cannot_be_read_is_there_and_can_be_read_again() {
    let mut seen = Seen::default();
    seen.account(Event::Init);
    seen.account(Event::InitApply(account("a", json!({ "assumeRoles": [{ "arn": "nonsense" }] }))));
    seen.account(Event::InitDone);
    assert!(seen.book().unwrap().accounts["a"].spec.as_ref().unwrap_err().contains("nonsense"));
    assert!(seen.objects.is_empty());
    seen.account(Event::Apply(account("a", json!({ "default": true }))));
    assert_eq!(seen.book().unwrap().defaults().len(), 1);
    assert_eq!(seen.objects.len(), 1);
}

#[test]
fn a_change_of_its_status_alone_is_no_change_of_the_book() {
    let mut seen = Seen::default();
    seen.account(Event::Init);
    seen.account(Event::InitApply(account("a", json!({}))));
    seen.account(Event::InitDone);
    let before = seen.book();
    let mut told = account("a", json!({})).0.unwrap();
    told.status = Some(AccountStatus { observed_generation: 1, ..AccountStatus::default() });
    seen.account(Event::Apply(DeserializeGuard(Ok(told))));
    assert_eq!(seen.book(), before);
    assert_eq!(seen.objects["a"].status.as_ref().unwrap().observed_generation, 1);
}

#[test]
fn labels_are_those_of_the_last_complete_list_and_what_came_after_it() {
    let mut seen = Seen { complete: true, ..Seen::default() };
    let labels = |seen: &Seen| seen.book().unwrap().namespaces.map(|all| all.keys().cloned().collect::<Vec<_>>());
    seen.namespace(Event::Init);
    seen.namespace(Event::InitApply(namespace("a", &[("team", "a")])));
    assert_eq!(labels(&seen), None);
    seen.namespace(Event::InitDone);
    seen.namespace(Event::Apply(namespace("b", &[])));
    assert_eq!(labels(&seen), Some(vec!["a".into(), "b".into()]));
    seen.namespace(Event::Apply(namespace("a", &[("team", "z")])));
    assert_eq!(seen.book().unwrap().namespaces.unwrap()["a"]["team"], "z");
    seen.namespace(Event::Delete(namespace("a", &[])));
    assert_eq!(labels(&seen), Some(vec!["b".into()]));
    seen.forget_namespaces();
    assert_eq!(labels(&seen), None);
}
