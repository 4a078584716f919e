//! What cannot change once it is there, and what can.

use super::{Cluster, KINDS};

#[tokio::test]
async fn a_change_that_cannot_be_made_is_refused_and_says_what_to_do_instead() {
    let cluster = Cluster::with("changes").await;
    let mut wrong = Vec::new();
    let rows = KINDS.iter().flat_map(|tried| tried.changes.iter().map(move |row| (tried.kind, row)));
    for (number, (kind, (good, before, patch, sentence))) in rows.enumerate() {
        let mut manifest = good.but(before);
        // The name is the object's own unless the row is about it, when each row has the one that it needs.
        if !(manifest["spec"]["name"] == "good" || patch.contains("name: good")) {
            manifest["metadata"]["name"] = format!("row-{number}").into();
        }
        cluster.create(&manifest, false).await.unwrap();
        match (cluster.could_change(&manifest, &serde_yaml::from_str(patch).unwrap()).await, sentence.is_empty()) {
            (Ok(_), true) => {}
            (Err(said), false) if said.contains(sentence) => {}
            (Ok(_), false) => {
                wrong.push(format!("{kind} {good:?} then {patch}\n   was taken, and not refused with: {sentence}"))
            }
            (Err(said), _) => {
                wrong.push(format!("{kind} {good:?} then {patch}\n   said:     {said}\n   expected: {sentence}"))
            }
        }
        let path = cluster.path_of(&manifest);
        cluster.request("DELETE", &path, "application/json", &serde_json::json!({})).await.unwrap();
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
