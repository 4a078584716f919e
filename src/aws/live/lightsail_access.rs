//! GetInstanceAccessDetails, the call that opens a Lightsail instance. Neither its answer nor its error is ever formatted: both
//! may hold keys and passwords.

use aws_sdk_lightsail::Client;
use aws_sdk_lightsail::types::InstanceAccessProtocol;

use super::errors::ours;
use super::gamelift::answered;
use super::request::Way;
use super::translate::timestamp;
use crate::api::access_grant::AccessProtocol;
use crate::aws::AwsError;
use crate::plan::access_grant::{AccessSeen, Credentials, RdpAccess, SshAccess};
use crate::plan::{Class, SecretText};

/// AWS's name of it.
pub(super) const GET_INSTANCE_ACCESS_DETAILS: &str = "GetInstanceAccessDetails";

/// What it says of an instance that is not ready for it, besides "not found".
const NOT_YET: [&str; 2] = ["InvalidInputException", "OperationFailureException"];

/// Makes the call. The protocol is always sent, because AWS's own default is not what its model says.
///
/// # Errors
/// When AWS did not answer it, or nothing that can be read.
pub(super) async fn details(
    client: &Client,
    way: &Way,
    name: &str,
    protocol: AccessProtocol,
) -> Result<AccessSeen, AwsError> {
    let sent = match protocol {
        AccessProtocol::Ssh => InstanceAccessProtocol::Ssh,
        AccessProtocol::Rdp => InstanceAccessProtocol::Rdp,
    };
    let request = client.get_instance_access_details().instance_name(name).protocol(sent);
    let said = match answered(way.read(GET_INSTANCE_ACCESS_DETAILS, request.send()).await)? {
        Ok(said) => said,
        // A machine that runs and lets nobody in yet is refused like this; what we ask for is well-formed.
        Err(AccessSeen::Refused(code, words)) if NOT_YET.contains(&code.as_str()) => {
            return Ok(AccessSeen::NotYet(words));
        }
        Err(seen) => return Ok(seen),
    };
    let lacks =
        || ours(GET_INSTANCE_ACCESS_DETAILS, Class::Unavailable, "Unreadable", "the answer holds no credentials");
    let details = said.access_details.ok_or_else(lacks)?;
    let host = details.ip_address.filter(|address| !address.is_empty());
    let host = host.or_else(|| details.ipv6_addresses.unwrap_or_default().into_iter().next());
    let username = details.username.unwrap_or_default();
    let secret = |text: Option<String>| SecretText::new(text.unwrap_or_default());
    Ok(AccessSeen::Given(match protocol {
        AccessProtocol::Ssh => Credentials::Ssh(SshAccess {
            host,
            username,
            private_key: secret(details.private_key),
            certificate: secret(details.cert_key),
            expires_at: details.expires_at.as_ref().and_then(timestamp),
            host_keys: (details.host_keys.unwrap_or_default().into_iter())
                .filter_map(|key| Some((key.algorithm?, key.public_key?)))
                .collect(),
        }),
        AccessProtocol::Rdp => {
            let (ciphertext, key_pair_name) =
                details.password_data.map(|data| (data.ciphertext, data.key_pair_name)).unwrap_or_default();
            Credentials::Rdp(RdpAccess {
                host,
                username,
                password: secret(details.password),
                ciphertext: secret(ciphertext),
                key_pair_name: key_pair_name.unwrap_or_default(),
            })
        }
    }))
}
