//! Secrets at the API server itself: written whole, watched by their metadata alone. No data of one is ever read here.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, OwnerReference};
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Map, Value, json};

use crate::api::FIELD_MANAGER;
use crate::plan::ownership::PREFIX;
use crate::plan::secret::{GRANT_UID, KEEPERS, SecretBody, SecretFacts, SecretRefusal, SecretVerb, SecretWrite};

use super::events::namespace_goes;
use super::port::{SecretError, SecretSight};

/// The longest pause before a failed watch is begun again: how late the operator learns that it may see Secrets now.
const LONGEST: Duration = Duration::from_secs(10);

/// Makes one write; what is there then.
///
/// # Errors
/// When the API server refused it or did not answer.
pub(super) async fn write<O: Resource<DynamicType = ()>>(
    api: &Api<Secret>,
    owner: Option<&O>,
    write: &SecretWrite,
) -> Result<Option<SecretFacts>, SecretError> {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let written = match write {
        SecretWrite::Create(body) => api.create(&params, &secret(body, owner, None)).await,
        SecretWrite::Replace { body, uid, version } => {
            api.replace(&body.name, &params, &secret(body, owner, Some((uid, version)))).await
        }
        SecretWrite::Delete { name, uid } => {
            let preconditions = Preconditions { uid: Some(uid.clone()), resource_version: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            return match api.delete(name, &params).await {
                Ok(_) => Ok(None),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                Err(error) => Err(refused(write.verb(), &error)),
            };
        }
    };
    written.map(|secret| Some(facts(&secret.metadata))).map_err(|error| refused(write.verb(), &error))
}

/// The Secret as it is sent. It is the object's, and goes with it.
fn secret<O: Resource<DynamicType = ()>>(
    body: &SecretBody,
    owner: Option<&O>,
    known: Option<(&String, &String)>,
) -> Secret {
    let uid = owner.and_then(ResourceExt::uid).unwrap_or_default();
    let ours = body.stamps.iter().map(|(key, value)| (format!("{PREFIX}{key}"), value.clone()));
    let metadata = ObjectMeta {
        name: Some(body.name.clone()),
        labels: Some(body.labels.clone().into_iter().chain([(GRANT_UID.to_owned(), uid)]).collect()),
        annotations: Some(body.annotations.clone().into_iter().chain(ours).collect()),
        owner_references: owner.and_then(|owner| owner.controller_owner_ref(&())).map(|owner| vec![owner]),
        uid: known.map(|(uid, _)| uid.clone()),
        resource_version: known.map(|(_, version)| version.clone()),
        managed_fields: known.map(|_| vec![all_ours(body)]),
        ..ObjectMeta::default()
    };
    let data = body.data.reveal().map(|(key, value)| (key.to_owned(), ByteString(value.to_vec())));
    Secret { metadata, type_: Some(body.kind.as_str().to_owned()), data: Some(data.collect()), ..Secret::default() }
}

/// That the whole content is ours. Without it a replacement leaves others what they own of it with the same value (server-side
/// apply shares a field), and the Secret looks edited for ever. An empty list would end the bookkeeping, and no edit be seen
/// any more.
fn all_ours(body: &SecretBody) -> ManagedFieldsEntry {
    let keys = body.data.keys().map(|key| (format!("f:{key}"), json!({})));
    let data: Map<String, Value> = [(".".to_owned(), json!({}))].into_iter().chain(keys).collect();
    ManagedFieldsEntry {
        manager: Some(FIELD_MANAGER.into()),
        operation: Some("Update".into()),
        api_version: Some("v1".into()),
        fields_type: Some("FieldsV1".into()),
        fields_v1: Some(FieldsV1(json!({ "f:data": data, "f:type": {} }))),
        ..ManagedFieldsEntry::default()
    }
}

/// The Secret of a name, whoever's it is: its metadata.
///
/// # Errors
/// When the API server refused to say, or did not answer.
pub(super) async fn find(api: &Api<Secret>, name: &str) -> Result<Option<SecretFacts>, SecretError> {
    match api.get_metadata_opt(name).await {
        Ok(found) => Ok(found.map(|secret| facts(&secret.metadata))),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Err(SecretError { why: SecretRefusal::Denied, message: status.message.clone() })
        }
        Err(_) => Err(SecretError::unavailable("no answer from the API server")),
    }
}

/// What a Secret's metadata says.
fn facts(metadata: &ObjectMeta) -> SecretFacts {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(GRANT_UID));
    // Somebody may have taken the label off, which the watch goes by: what a grant controls is that grant's.
    let grant = owners.iter().find(|owner| owner.controller == Some(true) && is_grant(owner)).map(|owner| &owner.uid);
    let of = label.or(grant).cloned().unwrap_or_default();
    let by_others =
        metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER));
    // Tools may label and annotate a Secret; its content is ours.
    let content = |fields: &serde_json::Value| {
        ["f:data", "f:type", "f:stringData", "f:immutable"].iter().any(|f| fields.get(f).is_some())
    };
    SecretFacts {
        owned: owners.iter().any(|owner| owner.controller == Some(true) && owner.uid == of),
        of,
        uid: metadata.uid.clone().unwrap_or_default(),
        version: metadata.resource_version.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        edited: label.is_none()
            || by_others.filter_map(|entry| entry.fields_v1.as_ref()).any(|fields| content(&fields.0)),
        stamps: (metadata.annotations.iter().flatten())
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone())))
            .collect(),
    }
}

fn is_grant(owner: &OwnerReference) -> bool {
    owner.api_version.split('/').next() == Some(KEEPERS)
}

/// What a refusal means. The API server's words are told only where they cannot quote the Secret.
fn refused(verb: SecretVerb, error: &kube::Error) -> SecretError {
    let kube::Error::Api(status) = error else {
        return SecretError::unavailable("no answer from the API server");
    };
    let (why, message) = match (status.code, verb, policy(&status.message)) {
        (.., Some(policy)) => (SecretRefusal::Refused, format!("{policy} denies it")),
        (409, SecretVerb::Create, None) if status.reason == "AlreadyExists" => {
            (SecretRefusal::Taken, status.message.clone())
        }
        (409, _, None) | (404, SecretVerb::Replace | SecretVerb::Delete, None) => {
            (SecretRefusal::Conflict, "it changed meanwhile".into())
        }
        (403, _, None) if namespace_goes(status) => (SecretRefusal::Refused, "the namespace is being deleted".into()),
        // The authorizer's words name a user, a verb and a resource; those of a quota, numbers.
        (403, _, None) if status.message.contains("cannot ") => (SecretRefusal::Denied, status.message.clone()),
        (403, _, None) if status.message.contains("exceeded quota: ") => {
            (SecretRefusal::Refused, status.message.clone())
        }
        (403, _, None) => (SecretRefusal::Refused, "the API server forbids it".into()),
        (429 | 500.., _, None) => (SecretRefusal::Unavailable, format!("the API server answered {}", status.code)),
        (code, _, None) => (SecretRefusal::Refused, format!("the API server answered {code} {}", status.reason)),
    };
    SecretError { why, message }
}

/// The webhook or policy that denied a request, by its name. What it says beyond that is free text of somebody who has seen
/// the Secret, and may quote it.
fn policy(message: &str) -> Option<&str> {
    // "admission webhook "a" denied the request: …", "secrets "b" is forbidden: ValidatingAdmissionPolicy 'c' with binding
    // 'd' denied request: …"
    let (named, _) = message.split_once(" denied the request").or_else(|| message.split_once(" denied request"))?;
    Some(
        named
            .find("admission webhook")
            .or_else(|| named.find("ValidatingAdmissionPolicy"))
            .map_or(named, |at| &named[at..]),
    )
}

/// The metadata of the Secrets with our label in a namespace; begun again with pauses when the watch fails.
pub(super) fn sights(client: Client, namespace: &str) -> BoxStream<'static, SecretSight> {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, namespace);
    let events = watcher(api, watcher::Config::default().labels(GRANT_UID));
    let state = (events.boxed(), HashSet::new(), VecDeque::new(), Duration::ZERO);
    stream::unfold(state, |(mut events, mut listed, mut ready, mut pause)| async move {
        loop {
            if let Some(sight) = ready.pop_front() {
                return Some((sight, (events, listed, ready, pause)));
            }
            let event = events.next().await?;
            if event.is_ok() {
                pause = Duration::ZERO;
            }
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(secret)) => {
                    listed.insert(secret.name_any());
                    ready.push_back(SecretSight::There(secret.name_any(), facts(&secret.metadata)));
                }
                Ok(Event::InitDone) => ready.push_back(SecretSight::Complete(std::mem::take(&mut listed))),
                Ok(Event::Apply(secret)) => {
                    ready.push_back(SecretSight::There(secret.name_any(), facts(&secret.metadata)));
                }
                Ok(Event::Delete(secret)) => ready.push_back(SecretSight::Gone(secret.name_any())),
                Err(error) => {
                    if let Some(words) = denied(&error) {
                        ready.push_back(SecretSight::Denied(words));
                    }
                    pause = (pause * 2).clamp(Duration::from_millis(500), LONGEST);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    })
    .boxed()
}

fn denied(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return None;
    };
    match error {
        kube::Error::Api(status) if status.code == 403 => Some(status.message.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn said(code: u16, reason: &str, message: &str) -> (SecretRefusal, String) {
        let status = Status { code, reason: reason.into(), message: message.into(), ..Status::default() };
        let told = refused(SecretVerb::Create, &kube::Error::Api(Box::new(status)));
        (told.why, told.message)
    }

    #[test]
    fn of_a_refusal_only_what_cannot_quote_the_secret_is_told() {
        let rbac = "secrets is forbidden: User \"u\" cannot create resource \"secrets\" in API group \"\" in the namespace \"n\"";
        let quota =
            "secrets \"a\" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1";
        let webhook = "admission webhook \"check.example\" denied the request: canary denied request";
        let by_policy =
            "secrets \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: canary";
        let rows = [
            (403, "Forbidden", rbac, SecretRefusal::Denied, rbac),
            (403, "Forbidden", quota, SecretRefusal::Refused, quota),
            (403, "Forbidden", webhook, SecretRefusal::Refused, "admission webhook \"check.example\" denies it"),
            (400, "BadRequest", webhook, SecretRefusal::Refused, "admission webhook \"check.example\" denies it"),
            (
                422,
                "Invalid",
                by_policy,
                SecretRefusal::Refused,
                "ValidatingAdmissionPolicy 'p' with binding 'b' denies it",
            ),
            (403, "Forbidden", "canary", SecretRefusal::Refused, "the API server forbids it"),
            (
                422,
                "Invalid",
                "Secret \"a\" is invalid: canary",
                SecretRefusal::Refused,
                "the API server answered 422 Invalid",
            ),
            (500, "InternalError", "canary", SecretRefusal::Unavailable, "the API server answered 500"),
        ];
        for (code, reason, message, why, told) in rows {
            assert_eq!(said(code, reason, message), (why, told.to_owned()), "{message}");
        }
    }
}
