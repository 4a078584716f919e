//! Who we are, by STS.

use aws_config::SdkConfig;

use super::errors::ours;
use super::request::Way;
use crate::api::Arn;
use crate::aws::AwsError;
use crate::plan::Class;

const OPERATION: &str = "GetCallerIdentity";

/// An AWS identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::aws) struct CallerIdentity {
    /// The 12-digit account.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
}

/// Asks STS who the credentials of `config` belong to.
///
/// # Errors
/// When STS refuses or does not answer, or answers without an account.
pub(in crate::aws) async fn caller_identity(config: &SdkConfig, way: &Way) -> Result<CallerIdentity, AwsError> {
    let client = aws_sdk_sts::Client::new(config);
    let said = way.read(OPERATION, client.get_caller_identity().send()).await?;
    let arn = said.arn().and_then(|arn| arn.parse::<Arn>().ok());
    match (said.account(), arn) {
        (Some(account), Some(arn)) => {
            Ok(CallerIdentity { account: account.to_owned(), partition: arn.partition().to_owned() })
        }
        _ => Err(ours(OPERATION, Class::Unavailable, "Unreadable", "STS named no account")),
    }
}
