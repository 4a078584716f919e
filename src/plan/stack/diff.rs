//! Where a spec and AWS differ, field by field. Only what the user set is compared; what we set and AWS can clear is cleared
//! when it goes from the spec.
//!
//! A part of a whole cannot be cleared alone: the whole is cleared, and then set without it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::stack::{
    AgentAccessConfig, AgentAccessSetting, ApplicationSettings, ConnectorType, Permission, StackSettings,
    StorageConnector,
};
use crate::plan::conditions::bounded;
use crate::plan::report::SHORT;
use crate::plan::{Input, unshown};

use super::StackKind;
use super::call::{StackAttribute, StackCall, StackPatch};

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

    /// Its parts that a spec may leave out.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::Connector(_) => &[Part::ResourceIdentifier, Part::Domains, Part::DomainsRequireAdminConsent],
            Self::AgentAccessConfig => &[Part::S3BucketArn, Part::ScreenshotsUploadEnabled, Part::UserControlMode],
            Self::DisplayName
            | Self::Description
            | Self::RedirectUrl
            | Self::FeedbackUrl
            // Of these two AWS has a value of its own for every part, and none can be cleared.
            | Self::UserSettings
            | Self::ApplicationSettings
            | Self::AccessEndpoints
            | Self::EmbedHostDomains
            | Self::StreamingExperienceSettings
            | Self::ContentRedirection
            | Self::StorageConnectorAuthentication => &[],
        }
    }

    /// The path of a part.
    fn path_of(self, part: Part) -> String {
        format!("{}.{}", self.path(), part.name())
    }

    /// Whether a part of it is set.
    fn has(self, part: Part, s: &StackSettings) -> bool {
        match self {
            Self::Connector(kind) => connector(s, kind).is_some_and(|one| part.of_connector(one)),
            Self::AgentAccessConfig => s.agent_access_config.as_ref().is_some_and(|config| part.of_agents(config)),
            Self::DisplayName
            | Self::Description
            | Self::RedirectUrl
            | Self::FeedbackUrl
            | Self::UserSettings
            | Self::ApplicationSettings
            | Self::AccessEndpoints
            | Self::EmbedHostDomains
            | Self::StreamingExperienceSettings
            | Self::ContentRedirection
            | Self::StorageConnectorAuthentication => false,
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
                    // AWS takes it as one whole, and a list that is left out is none.
                    w.enabled == s.enabled
                        && list(&w.allowed_urls) == list(&s.allowed_urls)
                        && list(&w.denied_urls) == list(&s.denied_urls)
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

/// A part of a field that a spec may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    ResourceIdentifier,
    Domains,
    DomainsRequireAdminConsent,
    S3BucketArn,
    ScreenshotsUploadEnabled,
    UserControlMode,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::ResourceIdentifier => "resourceIdentifier",
            Self::Domains => "domains",
            Self::DomainsRequireAdminConsent => "domainsRequireAdminConsent",
            Self::S3BucketArn => "s3BucketArn",
            Self::ScreenshotsUploadEnabled => "screenshotsUploadEnabled",
            Self::UserControlMode => "userControlMode",
        }
    }

    fn of_connector(self, one: &StorageConnector) -> bool {
        match self {
            Self::ResourceIdentifier => one.resource_identifier.is_some(),
            Self::Domains => one.domains.is_some(),
            Self::DomainsRequireAdminConsent => one.domains_require_admin_consent.is_some(),
            Self::S3BucketArn | Self::ScreenshotsUploadEnabled | Self::UserControlMode => false,
        }
    }

    fn of_agents(self, config: &AgentAccessConfig) -> bool {
        match self {
            Self::S3BucketArn => config.s3_bucket_arn.is_some(),
            Self::ScreenshotsUploadEnabled => config.screenshots_upload_enabled.is_some(),
            Self::UserControlMode => config.user_control_mode.is_some(),
            Self::ResourceIdentifier | Self::Domains | Self::DomainsRequireAdminConsent => false,
        }
    }
}

fn same_agents(wanted: &AgentAccessConfig, seen: &AgentAccessConfig) -> bool {
    // What is not listed may not be done.
    let permitted = |s: &&AgentAccessSetting| s.permission == Permission::Enabled;
    wanted.settings.iter().all(|w| seen.settings.contains(w))
        && seen.settings.iter().filter(permitted).all(|s| wanted.settings.contains(s))
        && part(&wanted.s3_bucket_arn, &seen.s3_bucket_arn)
        && part(&wanted.screenshots_upload_enabled, &seen.screenshots_upload_enabled)
        && wanted.screen_resolution == seen.screen_resolution
        && wanted.screen_image_format == seen.screen_image_format
        && part(&wanted.user_control_mode, &seen.user_control_mode)
}

fn list(urls: &Option<BTreeSet<String>>) -> BTreeSet<&String> {
    urls.iter().flatten().collect()
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

/// What AWS has taken a moment ago and a read may not show yet.
#[derive(Debug, Default)]
pub struct Lately {
    /// Paths of what was set.
    set: BTreeSet<String>,
    /// What was cleared.
    cleared: BTreeSet<StackAttribute>,
}

impl Lately {
    /// What a read that began then may not show.
    pub fn of(input: &Input<'_, StackKind>, began: Timestamp) -> Self {
        let mut all = Self::default();
        for call in unshown::lately(input, began) {
            match call {
                StackCall::Update(patch) => {
                    all.set.extend(clearable(&patch.set));
                    all.cleared.extend(&patch.clear);
                }
                StackCall::Create(create) => all.set.extend(clearable(&create.settings)),
                StackCall::Delete(_)
                | StackCall::Associate { .. }
                | StackCall::Disassociate { .. }
                | StackCall::Tag { .. }
                | StackCall::Untag { .. } => {}
            }
        }
        all
    }

    /// Whether a field was cleared, whatever the read shows.
    pub fn cleared(&self, field: Field) -> bool {
        field.clearing().is_some_and(|attribute| self.cleared.contains(&attribute))
    }
}

/// Every difference. `ours` are the paths of what we set and AWS can clear.
pub fn differences(
    wanted: &StackSettings,
    seen: &StackSettings,
    ours: &BTreeSet<String>,
    lately: &Lately,
) -> Vec<Difference> {
    let left = |field: Field| {
        let gone = |part: &Part| ours.contains(&field.path_of(*part)) && !field.has(*part, wanted);
        let there = |part: &Part| field.has(*part, seen) || lately.set.contains(&field.path_of(*part));
        field.parts().iter().any(|part| gone(part) && there(part))
    };
    Field::ALL
        .into_iter()
        .filter_map(|field| {
            let from = || bounded(&field.value(seen).unwrap_or_default(), SHORT);
            let there = || field.value(seen).is_some() || lately.set.contains(field.path());
            match field.value(wanted) {
                Some(to) if !lately.cleared(field) && left(field) => {
                    Some(Difference { field, from: from(), to: bounded(&to, SHORT), clear: true })
                }
                Some(_) if !lately.cleared(field) && field.same(wanted, seen) => None,
                Some(to) => Some(Difference { field, from: from(), to: bounded(&to, SHORT), clear: false }),
                None if ours.contains(field.path()) && field.clearing().is_some() && there() => {
                    Some(Difference { field, from: from(), to: String::new(), clear: true })
                }
                None => None,
            }
        })
        .collect()
}

/// The paths of what the spec sets, AWS has taken over and can clear: a later removal clears these.
pub fn applied(
    wanted: &StackSettings,
    seen: &StackSettings,
    before: &BTreeSet<String>,
    lately: &Lately,
) -> BTreeSet<String> {
    let stays = |field: Field, path: &String, wished: bool, there: bool| match wished {
        true => before.contains(path) || field.same(wanted, seen),
        false => before.contains(path) && (there || lately.set.contains(path)),
    };
    let clearable = Field::ALL.into_iter().filter(|field| field.clearing().is_some());
    let stamped = clearable.flat_map(|field| {
        let (path, wished) = (field.path().to_owned(), field.value(wanted).is_some());
        let whole = stays(field, &path, wished, field.value(seen).is_some()).then_some(path);
        let parts = field.parts().iter().filter(move |_| wished).filter_map(move |part| {
            let path = field.path_of(*part);
            stays(field, &path, field.has(*part, wanted), field.has(*part, seen)).then_some(path)
        });
        whole.into_iter().chain(parts)
    });
    stamped.collect()
}

/// The paths of what these settings set and AWS can clear.
pub fn clearable(settings: &StackSettings) -> BTreeSet<String> {
    let set = Field::ALL.into_iter().filter(|f| f.clearing().is_some() && f.value(settings).is_some());
    let with_parts = set.flat_map(|field| {
        let parts = field.parts().iter().filter(move |part| field.has(**part, settings));
        std::iter::once(field.path().to_owned()).chain(parts.map(move |part| field.path_of(*part)))
    });
    with_parts.collect()
}

/// Whether these attributes clear what has this path: a field, or a part of one.
pub fn clears(attributes: &BTreeSet<StackAttribute>, path: &str) -> bool {
    Field::ALL.into_iter().any(|field| {
        let own = field.path() == path || field.parts().iter().any(|part| field.path_of(*part) == path);
        own && field.clearing().is_some_and(|attribute| attributes.contains(&attribute))
    })
}

/// The spec paths that an update changes.
pub fn paths(patch: &StackPatch) -> Vec<&'static str> {
    let sets = |f: &Field| f.value(&patch.set).is_some() || f.clearing().is_some_and(|c| patch.clear.contains(&c));
    Field::ALL.into_iter().filter(sets).map(Field::path).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}
