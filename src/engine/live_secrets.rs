//! Secrets at the API server itself: written whole, watched by their metadata alone. No data of one is ever read here.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use crate::api::FIELD_MANAGER;
use crate::plan::ownership::PREFIX;
use crate::plan::secret::{GRANT_UID, SecretBody, SecretFacts, SecretRefusal, SecretVerb, SecretWrite};

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
        ..ObjectMeta::default()
    };
    let data = body.data.reveal().map(|(key, value)| (key.to_owned(), ByteString(value.to_vec())));
    Secret { metadata, type_: Some(body.kind.as_str().to_owned()), data: Some(data.collect()), ..Secret::default() }
}

/// What a Secret's metadata says.
fn facts(metadata: &ObjectMeta) -> SecretFacts {
    let of = metadata.labels.as_ref().and_then(|labels| labels.get(GRANT_UID)).cloned().unwrap_or_default();
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
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
        edited: by_others.filter_map(|entry| entry.fields_v1.as_ref()).any(|fields| content(&fields.0)),
        stamps: (metadata.annotations.iter().flatten())
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone())))
            .collect(),
    }
}

/// What a refusal means. The API server's words are told only where they cannot quote the Secret.
fn refused(verb: SecretVerb, error: &kube::Error) -> SecretError {
    let kube::Error::Api(status) = error else {
        return SecretError::unavailable("no answer from the API server");
    };
    let (why, message) = match (status.code, verb) {
        (409, SecretVerb::Create) if status.reason == "AlreadyExists" => (SecretRefusal::Taken, status.message.clone()),
        (409, _) | (404, SecretVerb::Replace | SecretVerb::Delete) => {
            (SecretRefusal::Conflict, "it changed meanwhile".into())
        }
        (403, _) if namespace_goes(status) => (SecretRefusal::Refused, "the namespace is being deleted".into()),
        (403, _) => (SecretRefusal::Denied, status.message.clone()),
        (429 | 500.., _) => (SecretRefusal::Unavailable, format!("the API server answered {}", status.code)),
        (code, _) => (SecretRefusal::Refused, format!("the API server answered {code} {}", status.reason)),
    };
    SecretError { why, message }
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
