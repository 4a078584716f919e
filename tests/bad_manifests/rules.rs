//! Every rule of the schema, broken once: the sentence that a person reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Cluster, KINDS, schema};

#[tokio::test]
async fn a_bad_manifest_is_refused_with_a_sentence() {
    let cluster = Cluster::with("bad").await;
    let mut wrong = Vec::new();
    for (tried, (good, patch, sentence)) in
        KINDS.iter().flat_map(|tried| tried.wrong.iter().map(move |row| (tried, row)))
    {
        let kind = tried.kind;
        match cluster.create(&good.but(patch), true).await {
            Ok(_) => {
                wrong.push(format!("{kind} {good:?} with {patch}\n   was taken, and not refused with: {sentence}"))
            }
            Err(said) if said.contains(sentence) => {}
            Err(said) => {
                wrong.push(format!("{kind} {good:?} with {patch}\n   said:     {said}\n   expected: {sentence}"))
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_is_broken_by_a_row() {
    for tried in KINDS {
        let mut sentences = BTreeSet::new();
        collect(&schema(tried.kind), &mut sentences);
        assert!(sentences.len() > 10, "the walk found only {} rules of {}", sentences.len(), tried.kind);
        let unbroken: Vec<&String> = sentences
            .iter()
            .filter(|sentence| {
                let wrong = tried.wrong.iter().any(|(_, _, said)| said.contains(sentence.as_str()));
                let change = tried.changes.iter().any(|(_, _, _, said)| said.contains(sentence.as_str()));
                !wrong && !change && !super::good::STATUS_RULES.contains(&sentence.as_str())
            })
            .collect();
        assert_eq!(unbroken, Vec::<&String>::new(), "{}", tried.kind);
    }
}

fn collect(value: &Value, sentences: &mut BTreeSet<String>) {
    for rule in value["x-kubernetes-validations"].as_array().into_iter().flatten() {
        sentences.insert(rule["message"].as_str().unwrap().to_owned());
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| collect(field, sentences)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, sentences)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
