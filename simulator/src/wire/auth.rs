//! Who signed a request: the SigV4 credential scope decides account, region and service.
//!
//! The signature itself is not verified (the simulator knows no secrets), its form is.

use http::{HeaderMap, header};

use super::Refusal;
use crate::settings::DEFAULT_ACCOUNT;

/// The parts of an Authorization header that decide anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// A long-lived access key pair for `account`: the id is `AKIA` plus the twelve digits of the account plus `SIMU`.
///
/// Any key id that begins with `AKIA` or `ASIA` and twelve digits belongs to that account; every other key belongs to
/// [`DEFAULT_ACCOUNT`]. Vary the last four characters to have several callers in one account.
#[must_use]
pub fn credentials(account: &str) -> (String, String) {
    (format!("AKIA{account}SIMU"), format!("not-a-secret-of-{account}"))
}

/// The account that an access key id belongs to.
pub(crate) fn account_of(access_key: &str) -> String {
    let digits = access_key.strip_prefix("AKIA").or_else(|| access_key.strip_prefix("ASIA"));
    let account = digits.and_then(|rest| rest.get(..12)).filter(|head| head.bytes().all(|b| b.is_ascii_digit()));
    account.unwrap_or(DEFAULT_ACCOUNT).to_owned()
}

/// Reads the Authorization header. No header: `None` (some STS calls are unsigned).
pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Signature>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| incomplete(""))?;
    let fields = text.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| incomplete(text))?;
    let field = |name: &str| fields.split(',').find_map(|part| part.trim().strip_prefix(name));
    let credential = field("Credential=").ok_or_else(|| incomplete(text))?;
    let (Some(_), Some(_)) = (field("SignedHeaders="), field("Signature=")) else {
        return Err(incomplete(text));
    };
    let mut scope = credential.rsplitn(5, '/');
    let parts = (scope.next(), scope.next(), scope.next(), scope.next(), scope.next());
    let (Some("aws4_request"), Some(service), Some(region), Some(_date), Some(access_key)) = parts else {
        return Err(incomplete(text));
    };
    if access_key.is_empty() || region.is_empty() {
        return Err(incomplete(text));
    }
    Ok(Some(Signature { access_key: access_key.to_owned(), region: region.to_owned(), service: service.to_owned() }))
}

/// The answer to a request without an Authorization header.
pub(crate) fn missing() -> Refusal {
    Refusal::with_status("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
}

/// The answer to a credential scope of another service.
pub(crate) fn wrong_service(expected: &str) -> Refusal {
    let message = format!("Credential should be scoped to correct service: '{expected}'.");
    Refusal::with_status("InvalidSignatureException", message, 403)
}

fn incomplete(authorization: &str) -> Refusal {
    let lacking = ["Credential", "Signature", "SignedHeaders"]
        .into_iter()
        .filter(|name| !authorization.contains(&format!("{name}=")))
        .map(|name| format!("Authorization header requires '{name}' parameter. "));
    // The header's value is not repeated, as AWS does: it would carry the signature into logs.
    let message =
        format!("{}The Authorization header is not a valid Signature Version 4 one.", lacking.collect::<String>());
    Refusal::with_status("IncompleteSignatureException", message, 403)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_key_names_the_account() {
        assert_eq!(account_of(&credentials("210987654321").0), "210987654321");
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), DEFAULT_ACCOUNT);
        assert_eq!(account_of("test"), DEFAULT_ACCOUNT);
    }
}
