//! The API server itself, behind the engine's port.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tracing::{info, warn};

use crate::api::{FIELD_MANAGER, FINALIZER};
use crate::plan::secret::{SecretFacts, SecretWrite};
use crate::plan::{KeyFound, KeyRef, KeySource, Kind, SecretText};

use super::live_secrets;
use super::port::{Id, KubeEffect, KubeError, KubePort, SecretError, SecretSight, Sight, Unreadable};

/// The API server, for one kind.
#[derive(Clone)]
pub struct LiveKube<K> {
    requests: Client,
    watches: Client,
    kind: PhantomData<fn() -> K>,
}

impl<K> LiveKube<K> {
    /// By a client whose requests all end and one whose watches do not (`kube_client`).
    pub fn new(requests: Client, watches: Client) -> Self {
        Self { requests, watches, kind: PhantomData }
    }
}

impl<K: Kind> LiveKube<K>
where
    K::Object: Resource<Scope = NamespaceResourceScope>,
{
    fn api(&self, namespace: &str) -> Api<K::Object> {
        Api::namespaced(self.requests.clone(), namespace)
    }

    async fn finalizers(&self, object: &K::Object, finalizers: Vec<String>) -> Result<Arc<K::Object>, KubeError> {
        let meta = object.meta();
        // uid and resourceVersion in a patch are preconditions: another object under the name, or another version, is a conflict.
        let patch = json!({ "metadata": {
            "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": finalizers,
        }});
        let api = self.api(&object.namespace().unwrap_or_default());
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        api.patch(&object.name_any(), &params, &Patch::Merge(patch)).await.map(slim).map_err(failure)
    }
}

impl<K: Kind> KubePort<K> for LiveKube<K>
where
    K::Object: Resource<Scope = NamespaceResourceScope>,
{
    async fn perform(&self, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, KubeError> {
        match effect {
            KubeEffect::Read(id) => {
                let object = self.api(&id.namespace).get_opt(&id.name).await.map_err(failure)?;
                Ok(object.map(slim))
            }
            KubeEffect::Guard(object) => {
                let mut finalizers = object.finalizers().to_vec();
                finalizers.push(FINALIZER.to_owned());
                self.finalizers(&object, finalizers).await.map(Some)
            }
            KubeEffect::Release(object) => {
                let finalizers = object.finalizers().iter().filter(|f| *f != FINALIZER).cloned().collect();
                self.finalizers(&object, finalizers).await.map(Some)
            }
            KubeEffect::Report(object, status) => {
                let mut wanted = object.as_ref().clone();
                *kube::core::object::HasStatus::status_mut(&mut wanted) = Some(*status);
                let api = self.api(&object.namespace().unwrap_or_default());
                let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
                api.replace_status(&object.name_any(), &params, &wanted).await.map(|o| Some(slim(o))).map_err(failure)
            }
        }
    }

    async fn read_key(&self, namespace: &str, key: &KeyRef) -> KeyFound {
        match key.source {
            KeySource::Secret => key_of_secret(Api::namespaced(self.requests.clone(), namespace), key).await,
            KeySource::ConfigMap => key_of_config_map(Api::namespaced(self.requests.clone(), namespace), key).await,
        }
    }

    async fn find_secret(&self, namespace: &str, name: &str) -> Result<Option<SecretFacts>, SecretError> {
        live_secrets::find(&Api::namespaced(self.requests.clone(), namespace), name).await
    }

    async fn write_secret(
        &self,
        namespace: &str,
        owner: Option<&K::Object>,
        write: &SecretWrite,
    ) -> Result<Option<SecretFacts>, SecretError> {
        live_secrets::write(&Api::namespaced(self.requests.clone(), namespace), owner, write).await
    }

    fn secrets(&self, namespace: &str) -> BoxStream<'static, SecretSight> {
        live_secrets::sights(self.watches.clone(), namespace)
    }
}

/// What is found in a Secret, whose values the API server gives as they are, without base64.
async fn key_of_secret(secrets: Api<Secret>, key: &KeyRef) -> KeyFound {
    match secrets.get_opt(&key.name).await {
        Ok(Some(mut secret)) => match secret.data.as_mut().and_then(|data| data.remove(&key.key)) {
            Some(ByteString(value)) => text(value),
            None => KeyFound::Absent,
        },
        Ok(None) => KeyFound::Absent,
        Err(error) => unread(&error),
    }
}

async fn key_of_config_map(config_maps: Api<ConfigMap>, key: &KeyRef) -> KeyFound {
    match config_maps.get_opt(&key.name).await {
        Ok(Some(mut map)) => match map.data.as_mut().and_then(|data| data.remove(&key.key)) {
            Some(value) => KeyFound::Value(SecretText::new(value)),
            None => match map.binary_data.as_mut().and_then(|data| data.remove(&key.key)) {
                Some(ByteString(value)) => text(value),
                None => KeyFound::Absent,
            },
        },
        Ok(None) => KeyFound::Absent,
        Err(error) => unread(&error),
    }
}

fn text(value: Vec<u8>) -> KeyFound {
    String::from_utf8(value).map_or(KeyFound::NotText, |text| KeyFound::Value(SecretText::new(text)))
}

/// Only a refusal is told in the API server's words: other errors may quote what was read.
fn unread(error: &kube::Error) -> KeyFound {
    match error {
        kube::Error::Api(status) if status.code == 403 => KeyFound::NotPermitted(status.message.clone()),
        kube::Error::Api(status) if status.code == 404 => KeyFound::Absent,
        _ => KeyFound::Unknown,
    }
}

/// Managed fields are half of an object's size, and nothing reads them; a write without them leaves them as they are.
fn slim<O: Resource>(mut object: O) -> Arc<O> {
    object.meta_mut().managed_fields = None;
    Arc::new(object)
}

fn failure(error: kube::Error) -> KubeError {
    match error {
        kube::Error::Api(status) if status.code == 409 => KubeError::Conflict,
        kube::Error::Api(status) if status.code == 404 => KubeError::Gone,
        kube::Error::Api(status) if status.code == 429 || status.code >= 500 => {
            KubeError::Unavailable(status.message.clone())
        }
        kube::Error::Api(status) => KubeError::Refused(status.message.clone()),
        other => KubeError::Unavailable(other.to_string()),
    }
}

/// Everything of a kind in a namespace, or in all, for as long as the process lives. A watch that fails is begun again; an
/// object that this version cannot read never delays others.
pub fn sights<K: Kind>(client: Client, namespace: Option<&str>) -> BoxStream<'static, Sight<K::Object>>
where
    K::Object: Resource<Scope = NamespaceResourceScope>,
{
    let api: Api<DeserializeGuard<K::Object>> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut listed: HashSet<Id> = HashSet::new();
    let within: Option<Arc<str>> = namespace.map(Into::into);
    watched(api)
        .filter_map(move |event| {
            let sight = match event {
                Event::Init => {
                    listed.clear();
                    None
                }
                Event::InitApply(guard) => {
                    listed.insert(id_of(guard.meta()));
                    Some(read::<K>(guard))
                }
                Event::InitDone => Some(Sight::Complete { within: within.clone(), all: std::mem::take(&mut listed) }),
                Event::Apply(guard) => Some(read::<K>(guard)),
                Event::Delete(guard) => Some(Sight::Gone(id_of(guard.meta()))),
            };
            futures::future::ready(sight)
        })
        .boxed()
}

/// The watch, begun again with growing pauses when it fails: CRDs that are not there yet, an API server that is away.
pub(crate) fn watched<O>(api: Api<O>) -> impl Stream<Item = Event<O>>
where
    O: Resource + Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + 'static,
{
    // Longest pause: how long an operator is late after the CRDs were installed.
    const LONGEST: Duration = Duration::from_secs(10);
    stream::unfold(
        (watcher(api, watcher::Config::default()).boxed(), Duration::ZERO),
        |(mut events, pause)| async move {
            let mut pause = pause;
            loop {
                match events.next().await? {
                    // A list begins, which is no answer yet: the failure goes on.
                    Ok(event @ Event::Init) => return Some((event, (events, pause))),
                    Ok(event) => {
                        if !pause.is_zero() {
                            info!("the watch is back");
                        }
                        return Some((event, (events, Duration::ZERO)));
                    }
                    Err(error) => {
                        if pause.is_zero() {
                            warn!("the watch failed, trying again: {}", said(&error));
                        }
                        pause = (pause * 2).clamp(Duration::from_millis(500), LONGEST);
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        },
    )
}

fn said(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404 => {
            "the custom resource definitions are not installed".into()
        }
        other => other.to_string(),
    }
}

fn read<K: Kind>(guard: DeserializeGuard<K::Object>) -> Sight<K::Object> {
    match guard.0 {
        Ok(object) => Sight::There(slim(object)),
        Err(invalid) => Sight::Unreadable(Unreadable {
            id: id_of(&invalid.metadata),
            uid: invalid.metadata.uid,
            version: invalid.metadata.resource_version,
            why: invalid.error,
        }),
    }
}

fn id_of(meta: &ObjectMeta) -> Id {
    Id {
        namespace: meta.namespace.as_deref().unwrap_or_default().into(),
        name: meta.name.as_deref().unwrap_or_default().into(),
    }
}
