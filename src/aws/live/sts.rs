//! STS: who we are, and the roles of Accounts.

use std::fmt;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::types::Tag;

use super::errors::ours;
use super::request::Way;
use crate::api::Arn;
use crate::aws::AwsError;
use crate::plan::Class;

const GET_CALLER_IDENTITY: &str = "GetCallerIdentity";
const ASSUME_ROLE: &str = "AssumeRole";

/// An AWS identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::aws) struct CallerIdentity {
    /// The 12-digit account.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The ARN of the user or of the role's session.
    pub arn: String,
}

/// Asks STS who the credentials of `config` belong to.
///
/// # Errors
/// When STS refuses or does not answer, or answers without an account.
pub(in crate::aws) async fn caller_identity(
    config: &SdkConfig,
    endpoint: Option<&str>,
    way: &Way,
) -> Result<CallerIdentity, AwsError> {
    let client = client(config, endpoint);
    let said = way.read(GET_CALLER_IDENTITY, client.get_caller_identity().send()).await?;
    let arn = said.arn().and_then(|arn| arn.parse::<Arn>().ok());
    match (said.account(), arn) {
        (Some(account), Some(arn)) => Ok(CallerIdentity {
            account: account.to_owned(),
            partition: arn.partition().to_owned(),
            arn: arn.to_string(),
        }),
        _ => Err(ours(GET_CALLER_IDENTITY, Class::Unavailable, "Unreadable", "STS named no account")),
    }
}

/// A role to be assumed.
#[derive(Debug, Clone)]
pub(in crate::aws) struct Hop {
    /// The role.
    pub role: Arn,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// The session's name.
    pub name: String,
    /// The session's tags.
    pub tags: Vec<(String, String)>,
    /// The address of STS, if it is not the usual one.
    pub endpoint: Option<String>,
}

/// Credentials of an assumed role; caching them is left to the identity cache.
pub(in crate::aws) struct AssumedRole {
    client: aws_sdk_sts::Client,
    hop: Hop,
    way: Way,
}

impl AssumedRole {
    /// A role that the identity of `asker` assumes.
    pub(in crate::aws) fn new(asker: &SdkConfig, hop: Hop, way: Way) -> Self {
        Self { client: client(asker, hop.endpoint.as_deref()), hop, way }
    }

    async fn assume(&self) -> Result<Credentials, AwsError> {
        let Hop { role, external_id, name, tags, endpoint: _ } = &self.hop;
        // Both are always given, which is all that the builder checks.
        let tags: Vec<Tag> =
            tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect();
        let tagged = !tags.is_empty();
        let request = self
            .client
            .assume_role()
            .role_arn(role.as_str())
            .role_session_name(name)
            .set_external_id(external_id.clone())
            .set_tags(tagged.then_some(tags));
        let answer = self.way.read(ASSUME_ROLE, request.send()).await.map_err(|error| self.explained(error, tagged))?;
        let given = answer.credentials.and_then(|given| {
            let expires = given.expiration.try_into().ok();
            let account = Some(role.account()).filter(|account| !account.is_empty());
            let builder = Credentials::builder()
                .access_key_id(given.access_key_id)
                .secret_access_key(given.secret_access_key)
                .session_token(given.session_token)
                .provider_name(ASSUME_ROLE);
            let builder = account.into_iter().fold(builder, |builder, account| builder.account_id(account));
            expires.map(|expires: std::time::SystemTime| builder.expiry(expires).build())
        });
        given.ok_or_else(|| ours(ASSUME_ROLE, Class::Unavailable, "Unreadable", "STS gave no credentials"))
    }

    /// What a person has to mend where a session may not carry tags. The class is AWS's; only the words are ours.
    fn explained(&self, error: AwsError, tagged: bool) -> AwsError {
        if !(tagged && error.class == Class::AccessDenied && error.message.contains("sts:TagSession")) {
            return error;
        }
        let message = format!(
            "the trust policy of role {} does not allow sts:TagSession, which sessionTags needs: allow it there, or turn sessionTags off ({})",
            self.hop.role, error.message
        );
        let request_id = error.request_id;
        AwsError { request_id, ..ours(ASSUME_ROLE, Class::AccessDenied, "TagSessionDenied", &message) }
    }
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedRole").field("role", &self.hop.role).finish_non_exhaustive()
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let provided = async { self.assume().await.map_err(CredentialsError::provider_error) };
        future::ProvideCredentials::new(async move { provider::Result::from(Box::pin(provided).await) })
    }
}

fn client(config: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_sts::Client {
    let builder = aws_sdk_sts::config::Builder::from(config);
    let builder = endpoint.into_iter().fold(builder, |builder, endpoint| builder.endpoint_url(endpoint));
    aws_sdk_sts::Client::from_conf(builder.build())
}
