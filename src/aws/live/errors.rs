//! From an SDK error to ours: code, words and request id, and nothing else of it.
//!
//! An SDK error is never formatted with Debug: that prints the raw body.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;

use super::leave::NoLease;
use crate::aws::AwsError;
use crate::aws::codes::{self, Answer, Service};
use crate::causes::{causes, told};
use crate::plan::Class;

/// The longest message that is kept, in characters: a condition's message ends at 32768, and a person's patience sooner.
const MESSAGE_MAX: usize = 512;

/// What an SDK error means.
pub(super) fn aws_error<E>(service: Service, operation: &'static str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let said = match error {
        SdkError::ServiceError(answer) => answered(service, operation, answer.err().meta(), answer.raw()),
        SdkError::ResponseError(answer) => unreadable(service, operation, answer.raw()),
        SdkError::TimeoutError(_) => ours(operation, Class::Unavailable, "Timeout", "no answer came in time"),
        SdkError::DispatchFailure(failure) => undelivered(operation, failure),
        SdkError::ConstructionFailure(_) => before_sending(operation, error)
            .unwrap_or_else(|| ours(operation, Class::Rejected, "NotBuilt", "the request could not be built")),
        _ => ours(operation, Class::Unavailable, "Unknown", "the AWS SDK failed in a way that is not known"),
    };
    let request_id = error
        .raw_response()
        .and_then(|raw| raw.headers().get("x-amzn-requestid").or_else(|| raw.headers().get("x-amz-request-id")))
        .map(|id| bounded(id, 128));
    AwsError { request_id, ..said }
}

/// An error that is none of AWS's.
pub(super) fn ours(operation: &'static str, class: Class, code: &str, message: &str) -> AwsError {
    AwsError { operation, class, code: code.to_owned(), message: bounded(message, MESSAGE_MAX), request_id: None }
}

fn answered(service: Service, operation: &'static str, meta: &ErrorMetadata, raw: &HttpResponse) -> AwsError {
    let (message, status) = (meta.message().unwrap_or_default(), raw.status().as_u16());
    match service {
        Service::AppStream | Service::GameLift | Service::Sts => {
            classed(service, operation, meta.code(), message, status)
        }
        Service::Lightsail => {
            let code = exception(meta, raw);
            classed(service, operation, code.as_deref(), message, status)
        }
    }
}

/// Lightsail's exception. Its bodies hold a finer `code` beside the `__type`, and the SDK takes the one for the other where
/// no header says better: then what is not there, say, is not told from what is refused.
fn exception(meta: &ErrorMetadata, raw: &HttpResponse) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        exception: Option<String>,
        code: Option<String>,
    }
    let body: Option<Body> = raw.body().bytes().and_then(|body| serde_json::from_slice(body).ok());
    let (exception, finer) = body.map_or((None, None), |body| (body.exception, body.code));
    let finer = finer.filter(|code| codes::finer(code));
    finer.or(exception).or_else(|| meta.code().map(str::to_owned))
}

/// An answer that the SDK could not read: often not AppStream's own but that of something in front of it, in JSON.
fn unreadable(service: Service, operation: &'static str, raw: &HttpResponse) -> AwsError {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "__type")]
        code: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let status = raw.status().as_u16();
    // A success that was cut off: what is in it may be secret, and no part of it is any error's words.
    if raw.status().is_success() {
        return classed(service, operation, None, "", status);
    }
    let envelope: Option<Envelope> = raw.body().bytes().and_then(|body| serde_json::from_slice(body).ok());
    match envelope {
        Some(Envelope { code: Some(code), message }) => {
            classed(service, operation, Some(&code), message.as_deref().unwrap_or_default(), status)
        }
        _ => classed(service, operation, None, "", status),
    }
}

fn classed(service: Service, operation: &'static str, code: Option<&str>, message: &str, status: u16) -> AwsError {
    let class = codes::class(Answer { service, operation, code, message, status });
    let code = code.map_or_else(|| format!("HTTP{status}"), |code| bounded(codes::short(code), 128));
    let message =
        if message.is_empty() { format!("AWS answered with HTTP status {status}") } else { message.to_owned() };
    AwsError { operation, class, code, message: bounded(&message, MESSAGE_MAX), request_id: None }
}

fn undelivered(operation: &'static str, failure: &DispatchFailure) -> AwsError {
    let Some(connector) = failure.as_connector_error() else {
        return ours(operation, Class::Unavailable, "NoConnection", "the request could not be sent");
    };
    if let Some(known) = before_sending(operation, connector) {
        return known;
    }
    let code = if failure.is_timeout() { "Timeout" } else { "NoConnection" };
    ours(operation, Class::Unavailable, code, &told(connector))
}

/// Failures before anything was sent: no lease, no credentials.
fn before_sending(operation: &'static str, error: &(dyn Error + 'static)) -> Option<AwsError> {
    causes(error).find_map(|cause| {
        if cause.is::<NoLease>() {
            return Some(ours(operation, Class::NotSent, "NoLease", &NoLease.to_string()));
        }
        // The role of an Account that could not be assumed, or an Account that changed meanwhile.
        if let Some(known) = cause.downcast_ref::<AwsError>() {
            return Some(known.clone());
        }
        cause.downcast_ref::<CredentialsError>().map(|credentials| no_credentials(operation, credentials))
    })
}

/// Why there are no credentials. The providers' own errors are not shown: they may quote what they read.
fn no_credentials(operation: &'static str, error: &CredentialsError) -> AwsError {
    if let Some(known) = causes(error).find_map(|cause| cause.downcast_ref::<AwsError>()) {
        return known.clone();
    }
    if let Some(refusal) = causes(error).find_map(|cause| refused_by_sts(operation, cause)) {
        return refusal;
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => ours(
            operation,
            Class::AccessDenied,
            "NoCredentials",
            "no AWS credentials were found in the environment, the profile, a web identity, the container or the instance",
        ),
        CredentialsError::InvalidConfiguration(_) => ours(
            operation,
            Class::AccessDenied,
            "NoCredentials",
            "the configuration of the AWS credentials is not valid",
        ),
        CredentialsError::ProviderTimedOut(_) => {
            ours(operation, Class::Unavailable, "NoCredentials", "the AWS credentials did not come in time")
        }
        _ => ours(operation, Class::Unavailable, "NoCredentials", "the AWS credentials could not be loaded"),
    }
}

/// STS refused the role that the credentials come from: its words help more than ours.
fn refused_by_sts(operation: &'static str, cause: &(dyn Error + 'static)) -> Option<AwsError> {
    let web = cause.downcast_ref::<AssumeRoleWithWebIdentityError>().map(ProvideErrorMetadata::meta);
    let role = cause.downcast_ref::<AssumeRoleError>().map(ProvideErrorMetadata::meta);
    let meta = web.or(role)?;
    // STS answers refusals with 403; its unmodelled 5xx are in the table of codes.
    Some(classed(Service::Sts, operation, Some(meta.code()?), meta.message().unwrap_or_default(), 403))
}

fn bounded(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}
