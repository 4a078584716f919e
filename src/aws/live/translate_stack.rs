//! Between AppStream's shape of a stack and ours, field by field, both ways.

use std::collections::BTreeSet;

use aws_sdk_appstream::types as sdk;

use super::translate::{timestamp, unreadable};
use crate::api::stack::{
    AccessEndpoint, AgentAccessConfig, AgentAccessSetting, ApplicationSettings, ConnectorType, ContentRedirection,
    Permission, PreferredProtocol, StackError, StackSettings, StorageConnector, StorageConnectorAuthentication,
    StreamingExperienceSettings, UrlRedirection, UserSetting,
};
use crate::aws::AwsError;
use crate::plan::stack::{StackAttribute, StackFacts};

/// A stack as AWS describes it. What this version has no word for is left out.
///
/// # Errors
/// When it has no name or ARN of the form that the API model promises: skipping it would make it look absent.
pub(super) fn stack(operation: &'static str, stack: sdk::Stack) -> Result<StackFacts, AwsError> {
    let arn = stack.arn.as_deref().and_then(|arn| arn.parse().ok());
    let name = stack.name.as_deref().and_then(|name| name.parse().ok());
    let (Some(arn), Some(name)) = (arn, name) else {
        return Err(unreadable(operation, "a stack came without a name or an ARN"));
    };
    let mut errors: Vec<StackError> = stack
        .stack_errors
        .unwrap_or_default()
        .into_iter()
        .map(|error| StackError {
            code: error.error_code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            message: error.error_message.unwrap_or_default(),
        })
        .collect();
    errors.sort();
    let settings = StackSettings {
        display_name: stack.display_name,
        description: stack.description,
        storage_connectors: all(stack.storage_connectors, connector),
        redirect_url: stack.redirect_url,
        feedback_url: stack.feedback_url,
        user_settings: all(stack.user_settings, user_setting),
        application_settings: stack.application_settings.map(|settings| ApplicationSettings {
            enabled: settings.enabled.unwrap_or(false),
            settings_group: settings.settings_group,
        }),
        access_endpoints: endpoints(stack.access_endpoints),
        embed_host_domains: set(stack.embed_host_domains),
        streaming_experience_settings: stack.streaming_experience_settings.and_then(|settings| {
            let preferred_protocol = match settings.preferred_protocol? {
                sdk::PreferredProtocol::Tcp => PreferredProtocol::Tcp,
                sdk::PreferredProtocol::Udp => PreferredProtocol::Udp,
                _ => return None,
            };
            Some(StreamingExperienceSettings { preferred_protocol })
        }),
        content_redirection: stack.content_redirection.and_then(|both| {
            let urls = both.host_to_client?;
            let host_to_client = UrlRedirection {
                enabled: urls.enabled.unwrap_or(false),
                allowed_urls: set(urls.allowed_urls),
                denied_urls: set(urls.denied_urls),
            };
            Some(ContentRedirection { host_to_client })
        }),
        agent_access_config: stack.agent_access_config.map(agents),
        storage_connector_authentication: stack.storage_connector_authentication.and_then(|how| match how {
            sdk::StorageConnectorAuthentication::ForceReauthentication => {
                Some(StorageConnectorAuthentication::ForceReauthentication)
            }
            sdk::StorageConnectorAuthentication::ReuseCredentials => {
                Some(StorageConnectorAuthentication::ReuseCredentials)
            }
            _ => None,
        }),
    };
    let created_time = stack.created_time.as_ref().and_then(timestamp);
    Ok(StackFacts { arn, name, settings, errors, created_time })
}

/// Interface endpoints as AWS describes them; an empty list says no more than an absent one.
pub(super) fn endpoints(found: Option<Vec<sdk::AccessEndpoint>>) -> Option<Vec<AccessEndpoint>> {
    all(found, |endpoint| {
        Some(AccessEndpoint {
            endpoint_type: endpoint.endpoint_type?.as_str().to_owned(),
            vpce_id: endpoint.vpce_id.unwrap_or_default(),
        })
    })
}

fn all<A, B>(found: Option<Vec<A>>, one: impl Fn(A) -> Option<B>) -> Option<Vec<B>> {
    let items: Vec<B> = found?.into_iter().filter_map(one).collect();
    (!items.is_empty()).then_some(items)
}

fn set(texts: Option<Vec<String>>) -> Option<BTreeSet<String>> {
    texts.filter(|texts| !texts.is_empty()).map(BTreeSet::from_iter)
}

fn connector(found: sdk::StorageConnector) -> Option<StorageConnector> {
    let connector_type = match found.connector_type? {
        sdk::StorageConnectorType::Homefolders => ConnectorType::HomeFolders,
        sdk::StorageConnectorType::GoogleDrive => ConnectorType::GoogleDrive,
        sdk::StorageConnectorType::OneDrive => ConnectorType::OneDrive,
        _ => return None,
    };
    Some(StorageConnector {
        connector_type,
        resource_identifier: found.resource_identifier,
        domains: set(found.domains),
        domains_require_admin_consent: set(found.domains_require_admin_consent),
    })
}

fn user_setting(found: sdk::UserSetting) -> Option<UserSetting> {
    Some(UserSetting {
        action: found.action?.as_str().to_owned(),
        permission: permission(found.permission?)?,
        maximum_length: found.maximum_length,
    })
}

fn permission(found: sdk::Permission) -> Option<Permission> {
    match found {
        sdk::Permission::Enabled => Some(Permission::Enabled),
        sdk::Permission::Disabled => Some(Permission::Disabled),
        _ => None,
    }
}

fn agents(found: sdk::AgentAccessConfig) -> AgentAccessConfig {
    let setting = |one: sdk::AgentAccessSetting| {
        Some(AgentAccessSetting {
            agent_action: one.agent_action?.as_str().to_owned(),
            permission: permission(one.permission?)?,
        })
    };
    AgentAccessConfig {
        settings: all(found.settings, setting).unwrap_or_default(),
        s3_bucket_arn: found.s3_bucket_arn.and_then(|arn| arn.parse().ok()),
        screenshots_upload_enabled: found.screenshots_upload_enabled,
        screen_resolution: found.screen_resolution.map(|size| size.as_str().to_owned()).unwrap_or_default(),
        screen_image_format: found.screen_image_format.map(|format| format.as_str().to_owned()).unwrap_or_default(),
        user_control_mode: found.user_control_mode.map(|mode| mode.as_str().to_owned()),
    }
}

/// AWS's shape of a list.
pub(super) fn each<A, B>(items: &Option<Vec<A>>, one: impl Fn(&A) -> B) -> Option<Vec<B>> {
    items.as_ref().map(|items| items.iter().map(one).collect())
}

fn list(texts: &Option<BTreeSet<String>>) -> Option<Vec<String>> {
    texts.as_ref().map(|texts| texts.iter().cloned().collect())
}

/// AWS's shape of a storage connector.
pub(super) fn sdk_connector(one: &StorageConnector) -> sdk::StorageConnector {
    let connector_type = match one.connector_type {
        ConnectorType::HomeFolders => sdk::StorageConnectorType::Homefolders,
        ConnectorType::GoogleDrive => sdk::StorageConnectorType::GoogleDrive,
        ConnectorType::OneDrive => sdk::StorageConnectorType::OneDrive,
    };
    sdk::StorageConnector::builder()
        .connector_type(connector_type)
        .set_resource_identifier(one.resource_identifier.clone())
        .set_domains(list(&one.domains))
        .set_domains_require_admin_consent(list(&one.domains_require_admin_consent))
        .build()
}

/// AWS's shape of a user setting.
pub(super) fn sdk_user_setting(one: &UserSetting) -> sdk::UserSetting {
    sdk::UserSetting::builder()
        .action(sdk::Action::from(one.action.as_str()))
        .permission(sdk_permission(one.permission))
        .set_maximum_length(one.maximum_length)
        .build()
}

fn sdk_permission(permission: Permission) -> sdk::Permission {
    match permission {
        Permission::Enabled => sdk::Permission::Enabled,
        Permission::Disabled => sdk::Permission::Disabled,
    }
}

/// AWS's shape of application settings.
pub(super) fn sdk_application_settings(settings: &ApplicationSettings) -> sdk::ApplicationSettings {
    sdk::ApplicationSettings::builder()
        .enabled(settings.enabled)
        .set_settings_group(settings.settings_group.clone())
        .build()
}

/// AWS's shape of an interface endpoint.
pub(super) fn sdk_endpoint(one: &AccessEndpoint) -> sdk::AccessEndpoint {
    sdk::AccessEndpoint::builder()
        .endpoint_type(sdk::AccessEndpointType::from(one.endpoint_type.as_str()))
        .vpce_id(&one.vpce_id)
        .build()
}

/// AWS's shape of the streaming protocol.
pub(super) fn sdk_protocol(settings: &StreamingExperienceSettings) -> sdk::StreamingExperienceSettings {
    let protocol = match settings.preferred_protocol {
        PreferredProtocol::Tcp => sdk::PreferredProtocol::Tcp,
        PreferredProtocol::Udp => sdk::PreferredProtocol::Udp,
    };
    sdk::StreamingExperienceSettings::builder().preferred_protocol(protocol).build()
}

/// AWS's shape of content redirection.
pub(super) fn sdk_redirection(both: &ContentRedirection) -> sdk::ContentRedirection {
    let urls = &both.host_to_client;
    let urls = sdk::UrlRedirectionConfig::builder()
        .enabled(urls.enabled)
        .set_allowed_urls(list(&urls.allowed_urls))
        .set_denied_urls(list(&urls.denied_urls))
        .build();
    sdk::ContentRedirection::builder().host_to_client(urls).build()
}

/// Gives agent access to either of AWS's two shapes of it, which have the same setters but no common type.
macro_rules! with_agents {
    ($builder:expr, $config:expr) => {{
        let AgentAccessConfig {
            settings,
            s3_bucket_arn,
            screenshots_upload_enabled,
            screen_resolution,
            screen_image_format,
            user_control_mode,
        } = $config;
        let setting = |one: &AgentAccessSetting| {
            sdk::AgentAccessSetting::builder()
                .agent_action(sdk::AgentAction::from(one.agent_action.as_str()))
                .permission(sdk_permission(one.permission))
                .build()
        };
        $builder
            .set_settings(Some(settings.iter().map(setting).collect()))
            .set_s3_bucket_arn(s3_bucket_arn.clone().map(String::from))
            .set_screenshots_upload_enabled(*screenshots_upload_enabled)
            .screen_resolution(sdk::ScreenResolution::from(screen_resolution.as_str()))
            .screen_image_format(sdk::ScreenImageFormat::from(screen_image_format.as_str()))
            .set_user_control_mode(user_control_mode.as_deref().map(sdk::UserControlMode::from))
            .build()
    }};
}

/// AWS's shape of agent access in CreateStack.
pub(super) fn sdk_agents(config: &AgentAccessConfig) -> sdk::AgentAccessConfig {
    with_agents!(sdk::AgentAccessConfig::builder(), config)
}

/// AWS's shape of agent access in UpdateStack.
pub(super) fn sdk_agents_for_update(config: &AgentAccessConfig) -> sdk::AgentAccessConfigForUpdate {
    with_agents!(sdk::AgentAccessConfigForUpdate::builder(), config)
}

/// AWS's word for how often users sign in.
pub(super) fn sdk_authentication(how: StorageConnectorAuthentication) -> sdk::StorageConnectorAuthentication {
    match how {
        StorageConnectorAuthentication::ForceReauthentication => {
            sdk::StorageConnectorAuthentication::ForceReauthentication
        }
        StorageConnectorAuthentication::ReuseCredentials => sdk::StorageConnectorAuthentication::ReuseCredentials,
    }
}

/// AWS's word for an attribute to clear.
pub(super) fn attribute(attribute: StackAttribute) -> sdk::StackAttribute {
    match attribute {
        StackAttribute::HomeFolders => sdk::StackAttribute::StorageConnectorHomefolders,
        StackAttribute::GoogleDrive => sdk::StackAttribute::StorageConnectorGoogleDrive,
        StackAttribute::OneDrive => sdk::StackAttribute::StorageConnectorOneDrive,
        StackAttribute::RedirectUrl => sdk::StackAttribute::RedirectUrl,
        StackAttribute::FeedbackUrl => sdk::StackAttribute::FeedbackUrl,
        StackAttribute::UserSettings => sdk::StackAttribute::UserSettings,
        StackAttribute::EmbedHostDomains => sdk::StackAttribute::EmbedHostDomains,
        StackAttribute::AccessEndpoints => sdk::StackAttribute::AccessEndpoints,
        StackAttribute::StreamingExperienceSettings => sdk::StackAttribute::StreamingExperienceSettings,
        StackAttribute::ContentRedirection => sdk::StackAttribute::ContentRedirection,
        StackAttribute::AgentAccessConfig => sdk::StackAttribute::AgentAccessConfig,
        StackAttribute::StorageConnectorAuthentication => sdk::StackAttribute::StorageConnectorAuthentication,
    }
}
