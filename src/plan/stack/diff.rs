//! Where a spec and AWS differ, field by field. Only what the user set is compared; what we set and AWS can clear is cleared
//! when it goes from the spec.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::api::stack::{AgentAccessConfig, ApplicationSettings, ConnectorType, StackSettings, StorageConnector};
use crate::plan::conditions::bounded;
use crate::plan::report::SHORT;

use super::call::{StackAttribute, StackPatch};

/// One difference, and what AWS must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: Field,
    /// What AWS has.
    pub from: String,
    /// What the spec wants.
    pub to: String,
    /// Whether the field is cleared rather than set.
    pub clear: bool,
}

/// A settable field of a stack, as UpdateStack knows them; each storage connector is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Field {
    DisplayName,
    Description,
    Connector(ConnectorType),
    RedirectUrl,
    FeedbackUrl,
    UserSettings,
    ApplicationSettings,
    AccessEndpoints,
    EmbedHostDomains,
    StreamingExperienceSettings,
    ContentRedirection,
    AgentAccessConfig,
    StorageConnectorAuthentication,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 15] = [
        Self::DisplayName,
        Self::Description,
        Self::Connector(ConnectorType::HomeFolders),
        Self::Connector(ConnectorType::GoogleDrive),
        Self::Connector(ConnectorType::OneDrive),
        Self::RedirectUrl,
        Self::FeedbackUrl,
        Self::UserSettings,
        Self::ApplicationSettings,
        Self::AccessEndpoints,
        Self::EmbedHostDomains,
        Self::StreamingExperienceSettings,
        Self::ContentRedirection,
        Self::AgentAccessConfig,
        Self::StorageConnectorAuthentication,
    ];

    /// The spec path.
    pub fn path(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::Description => "description",
            Self::Connector(ConnectorType::HomeFolders) => "storageConnectors[HOMEFOLDERS]",
            Self::Connector(ConnectorType::GoogleDrive) => "storageConnectors[GOOGLE_DRIVE]",
            Self::Connector(ConnectorType::OneDrive) => "storageConnectors[ONE_DRIVE]",
            Self::RedirectUrl => "redirectURL",
            Self::FeedbackUrl => "feedbackURL",
            Self::UserSettings => "userSettings",
            Self::ApplicationSettings => "applicationSettings",
            Self::AccessEndpoints => "accessEndpoints",
            Self::EmbedHostDomains => "embedHostDomains",
            Self::StreamingExperienceSettings => "streamingExperienceSettings",
            Self::ContentRedirection => "contentRedirection",
            Self::AgentAccessConfig => "agentAccessConfig",
            Self::StorageConnectorAuthentication => "storageConnectorAuthentication",
        }
    }

    /// How AWS is told to clear it, where it can be.
    pub fn clearing(self) -> Option<StackAttribute> {
        match self {
            Self::Connector(ConnectorType::HomeFolders) => Some(StackAttribute::HomeFolders),
            Self::Connector(ConnectorType::GoogleDrive) => Some(StackAttribute::GoogleDrive),
            Self::Connector(ConnectorType::OneDrive) => Some(StackAttribute::OneDrive),
            Self::RedirectUrl => Some(StackAttribute::RedirectUrl),
            Self::FeedbackUrl => Some(StackAttribute::FeedbackUrl),
            Self::UserSettings => Some(StackAttribute::UserSettings),
            Self::AccessEndpoints => Some(StackAttribute::AccessEndpoints),
            Self::EmbedHostDomains => Some(StackAttribute::EmbedHostDomains),
            Self::StreamingExperienceSettings => Some(StackAttribute::StreamingExperienceSettings),
            Self::ContentRedirection => Some(StackAttribute::ContentRedirection),
            Self::AgentAccessConfig => Some(StackAttribute::AgentAccessConfig),
            Self::StorageConnectorAuthentication => Some(StackAttribute::StorageConnectorAuthentication),
            Self::DisplayName | Self::Description | Self::ApplicationSettings => None,
        }
    }

    /// Its value as a text; `None` when it is not set.
    pub fn value(self, s: &StackSettings) -> Option<String> {
        match self {
            Self::DisplayName => s.display_name.clone(),
            Self::Description => s.description.clone(),
            Self::Connector(kind) => connector(s, kind).map(json),
            Self::RedirectUrl => s.redirect_url.clone(),
            Self::FeedbackUrl => s.feedback_url.clone(),
            Self::UserSettings => s.user_settings.as_ref().map(json),
            Self::ApplicationSettings => s.application_settings.as_ref().map(json),
            Self::AccessEndpoints => s.access_endpoints.as_ref().map(json),
            Self::EmbedHostDomains => s.embed_host_domains.as_ref().map(json),
            Self::StreamingExperienceSettings => s.streaming_experience_settings.as_ref().map(json),
            Self::ContentRedirection => s.content_redirection.as_ref().map(json),
            Self::AgentAccessConfig => s.agent_access_config.as_ref().map(json),
            Self::StorageConnectorAuthentication => s.storage_connector_authentication.as_ref().map(json),
        }
    }

    /// Copies it from the wanted settings to a patch; `seen` completes what AWS takes as one whole.
    pub fn copy(self, wanted: &StackSettings, seen: &StackSettings, patch: &mut StackSettings) {
        match self {
            Self::DisplayName => patch.display_name.clone_from(&wanted.display_name),
            Self::Description => patch.description.clone_from(&wanted.description),
            Self::Connector(kind) => {
                if let Some(one) = connector(wanted, kind) {
                    let whole = completed(one, connector(seen, kind));
                    patch.storage_connectors.get_or_insert_default().push(whole);
                }
            }
            Self::RedirectUrl => patch.redirect_url.clone_from(&wanted.redirect_url),
            Self::FeedbackUrl => patch.feedback_url.clone_from(&wanted.feedback_url),
            // AWS wants every action that it knows.
            Self::UserSettings => {
                let mut all = wanted.user_settings.clone().unwrap_or_default();
                let others = seen.user_settings.iter().flatten();
                let left: Vec<_> = others.filter(|s| !all.iter().any(|w| w.action == s.action)).cloned().collect();
                all.extend(left);
                patch.user_settings = Some(all);
            }
            Self::ApplicationSettings => {
                let group = seen.application_settings.as_ref().and_then(|s| s.settings_group.clone());
                patch.application_settings = wanted
                    .application_settings
                    .clone()
                    .map(|w| ApplicationSettings { settings_group: w.settings_group.or(group), ..w });
            }
            Self::AccessEndpoints => patch.access_endpoints.clone_from(&wanted.access_endpoints),
            Self::EmbedHostDomains => patch.embed_host_domains.clone_from(&wanted.embed_host_domains),
            Self::StreamingExperienceSettings => {
                patch.streaming_experience_settings.clone_from(&wanted.streaming_experience_settings);
            }
            Self::ContentRedirection => patch.content_redirection.clone_from(&wanted.content_redirection),
            Self::AgentAccessConfig => patch.agent_access_config.clone_from(&wanted.agent_access_config),
            Self::StorageConnectorAuthentication => {
                patch.storage_connector_authentication = wanted.storage_connector_authentication;
            }
        }
    }

    /// Whether AWS has what the spec sets: only the parts that the user set are compared.
    fn same(self, wanted: &StackSettings, seen: &StackSettings) -> bool {
        match self {
            Self::Connector(kind) => match (connector(wanted, kind), connector(seen, kind)) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(w), Some(s)) => {
                    part(&w.resource_identifier, &s.resource_identifier)
                        && part(&w.domains, &s.domains)
                        && part(&w.domains_require_admin_consent, &s.domains_require_admin_consent)
                }
            },
            Self::UserSettings => wanted.user_settings.iter().flatten().all(|w| {
                seen.user_settings.iter().flatten().any(|s| {
                    w.action == s.action && w.permission == s.permission && part(&w.maximum_length, &s.maximum_length)
                })
            }),
            Self::ApplicationSettings => match (&wanted.application_settings, &seen.application_settings) {
                (None, _) => true,
                (Some(w), None) => !w.enabled && w.settings_group.is_none(),
                (Some(w), Some(s)) => w.enabled == s.enabled && part(&w.settings_group, &s.settings_group),
            },
            // AWS gives lists back in an order of its own.
            Self::AccessEndpoints => {
                let sorted = |s: &StackSettings| s.access_endpoints.iter().flatten().cloned().collect::<BTreeSet<_>>();
                sorted(wanted) == sorted(seen)
            }
            Self::ContentRedirection => match (&wanted.content_redirection, &seen.content_redirection) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(w), Some(s)) => {
                    let (w, s) = (&w.host_to_client, &s.host_to_client);
                    w.enabled == s.enabled
                        && part(&w.allowed_urls, &s.allowed_urls)
                        && part(&w.denied_urls, &s.denied_urls)
                }
            },
            Self::AgentAccessConfig => match (&wanted.agent_access_config, &seen.agent_access_config) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(w), Some(s)) => same_agents(w, s),
            },
            Self::DisplayName
            | Self::Description
            | Self::RedirectUrl
            | Self::FeedbackUrl
            | Self::EmbedHostDomains
            | Self::StreamingExperienceSettings
            | Self::StorageConnectorAuthentication => self.value(wanted) == self.value(seen),
        }
    }
}

fn same_agents(wanted: &AgentAccessConfig, seen: &AgentAccessConfig) -> bool {
    wanted.settings.iter().all(|w| seen.settings.contains(w))
        && part(&wanted.s3_bucket_arn, &seen.s3_bucket_arn)
        && part(&wanted.screenshots_upload_enabled, &seen.screenshots_upload_enabled)
        && wanted.screen_resolution == seen.screen_resolution
        && wanted.screen_image_format == seen.screen_image_format
        && part(&wanted.user_control_mode, &seen.user_control_mode)
}

/// A part that the user left out is not compared.
fn part<T: PartialEq>(wanted: &Option<T>, seen: &Option<T>) -> bool {
    wanted.is_none() || wanted == seen
}

fn connector(settings: &StackSettings, kind: ConnectorType) -> Option<&StorageConnector> {
    settings.storage_connectors.iter().flatten().find(|one| one.connector_type == kind)
}

/// A connector is sent whole: the parts that the user left out stay as AWS has them.
fn completed(wanted: &StorageConnector, seen: Option<&StorageConnector>) -> StorageConnector {
    let seen = seen.cloned();
    let part = |of: fn(StorageConnector) -> Option<BTreeSet<String>>| seen.clone().and_then(of);
    StorageConnector {
        connector_type: wanted.connector_type,
        resource_identifier: wanted
            .resource_identifier
            .clone()
            .or_else(|| seen.clone().and_then(|s| s.resource_identifier)),
        domains: wanted.domains.clone().or_else(|| part(|s| s.domains)),
        domains_require_admin_consent: wanted
            .domains_require_admin_consent
            .clone()
            .or_else(|| part(|s| s.domains_require_admin_consent)),
    }
}

/// Every difference. `ours` are the paths of clearable fields that we set.
pub fn differences(wanted: &StackSettings, seen: &StackSettings, ours: &BTreeSet<String>) -> Vec<Difference> {
    Field::ALL
        .into_iter()
        .filter_map(|field| {
            let from = || bounded(&field.value(seen).unwrap_or_default(), SHORT);
            match field.value(wanted) {
                Some(_) if field.same(wanted, seen) => None,
                Some(to) => Some(Difference { field, from: from(), to: bounded(&to, SHORT), clear: false }),
                None if ours.contains(field.path()) && field.clearing().is_some() && field.value(seen).is_some() => {
                    Some(Difference { field, from: from(), to: String::new(), clear: true })
                }
                None => None,
            }
        })
        .collect()
}

/// The clearable fields that the spec sets and AWS has taken over: a later removal clears these.
pub fn applied(wanted: &StackSettings, seen: &StackSettings, before: &BTreeSet<String>) -> BTreeSet<String> {
    Field::ALL
        .into_iter()
        .filter(|field| field.clearing().is_some())
        .filter(|field| match field.value(wanted) {
            Some(_) => before.contains(field.path()) || field.same(wanted, seen),
            None => before.contains(field.path()) && field.value(seen).is_some(),
        })
        .map(|field| field.path().to_owned())
        .collect()
}

/// The spec paths that an update changes.
pub fn paths(patch: &StackPatch) -> Vec<&'static str> {
    let sets = |f: &Field| f.value(&patch.set).is_some() || f.clearing().is_some_and(|c| patch.clear.contains(&c));
    Field::ALL.into_iter().filter(sets).map(Field::path).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}
