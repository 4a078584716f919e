//! STS: GetCallerIdentity, AssumeRole and AssumeRoleWithWebIdentity; and who a signature belongs to.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use serde_json::Value as Json;

use crate::clock::later;
use crate::place::PlaceKey;
use crate::roles::{self, RoleSession};
use crate::wire::auth::account_of;
use crate::wire::{Refusal, Signature, Value, map};
use crate::world::State;

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key: String,
    /// The key that it all began with: a chain of assumed roles leads back to it.
    pub(crate) root_key: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

impl Caller {
    /// An unsigned or unidentified caller.
    pub(crate) fn nobody((account, region): &PlaceKey) -> Self {
        Self {
            access_key: String::new(),
            root_key: String::new(),
            account: account.clone(),
            region: region.clone(),
            arn: String::new(),
            user_id: String::new(),
        }
    }
}

/// Temporary credentials that were handed out. Their secret is not kept: nobody checks it.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    account: String,
    arn: String,
    user_id: String,
    root_key: String,
    role: String,
    expires_at: Timestamp,
}

impl Issued {
    /// The ARN of the role that they are of.
    pub(crate) fn role(&self) -> &str {
        &self.role
    }
}

/// MaxSessionDuration of a role that says nothing, in seconds (IAM user guide).
const USUAL_MAX_SESSION: u64 = 3600;

/// The longest session that a session of another role may begin, in seconds (IAM user guide).
const CHAINED_MAX_SESSION: u64 = 3600;

pub(crate) fn knows(operation: &str) -> bool {
    matches!(operation, "GetCallerIdentity" | "AssumeRole" | "AssumeRoleWithWebIdentity")
}

/// Operations that need no signature.
pub(crate) fn unsigned(operation: &str) -> bool {
    operation == "AssumeRoleWithWebIdentity"
}

/// Who signed. A temporary key that has expired is refused; one that was never handed out is taken as a user's.
pub(crate) fn caller(state: &State, signature: &Signature, now: Timestamp) -> Result<Caller, Refusal> {
    let access_key = signature.access_key.clone();
    let region = signature.region.clone();
    if let Some(issued) = state.issued.get(&access_key) {
        if issued.expires_at <= now {
            let message = "The security token included in the request is expired";
            return Err(Refusal::with_status("ExpiredTokenException", message, 403));
        }
        let Issued { account, arn, user_id, root_key, .. } = issued.clone();
        return Ok(Caller { access_key, root_key, account, region, arn, user_id });
    }
    let account = account_of(&access_key);
    let arn = format!("arn:{}:iam::{account}:user/{}", partition(&region), access_key.to_lowercase());
    let user_id = format!("AIDA{}", access_key.chars().skip(4).collect::<String>());
    Ok(Caller { root_key: access_key.clone(), access_key, account, region, arn, user_id })
}

pub(crate) fn act(
    state: &mut State,
    operation: &str,
    input: &Json,
    caller: &Caller,
    now: Timestamp,
) -> Result<Value, Refusal> {
    match operation {
        "GetCallerIdentity" => Ok(map([
            ("UserId", caller.user_id.as_str().into()),
            ("Account", caller.account.as_str().into()),
            ("Arn", caller.arn.as_str().into()),
        ])),
        "AssumeRole" => assume(state, input, caller, now),
        "AssumeRoleWithWebIdentity" => {
            required(input, "WebIdentityToken")?;
            let mut answer = assume(state, input, caller, now)?;
            answer.set("SubjectFromWebIdentityToken", "system:serviceaccount:windlass-system:windlass");
            answer.set("Audience", "sts.amazonaws.com");
            answer.set("Provider", "arn:aws:iam::123456789012:oidc-provider/simulator");
            Ok(answer)
        }
        _ => Err(Refusal::new("InvalidAction", format!("Could not find operation {operation} for version 2011-06-15"))),
    }
}

/// A session of a role, by its trust policy.
fn assume(state: &mut State, input: &Json, caller: &Caller, now: Timestamp) -> Result<Value, Refusal> {
    let role_arn = required(input, "RoleArn")?;
    let session = required(input, "RoleSessionName")?;
    let parts: Vec<&str> = role_arn.splitn(6, ':').collect();
    let (account, role) = match parts[..] {
        ["arn", partition, "iam", "", account, path] if partition.starts_with("aws") && account.len() == 12 => {
            match path.strip_prefix("role/").and_then(|path| path.rsplit('/').next()) {
                Some(role) if !role.is_empty() => (account, role),
                Some(_) | None => return Err(invalid(format!("{role_arn} is invalid"))),
            }
        }
        _ => return Err(invalid(format!("{role_arn} is invalid"))),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(fits) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    let seconds = match input["DurationSeconds"].as_str().map(str::parse::<u64>) {
        None => 3600,
        Some(Ok(seconds @ 900..=43_200)) => seconds,
        Some(_) => {
            let rule = "Member must have value between 900 and 43200";
            return Err(invalid(format!(
                "1 validation error detected: 'durationSeconds' failed to satisfy constraint: {rule}"
            )));
        }
    };
    // A role's own bound, and one for sessions that other sessions begin.
    let longest = state.roles.get(role_arn).and_then(|role| role.max_session).unwrap_or(USUAL_MAX_SESSION);
    if seconds > longest {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        ));
    }
    if seconds > CHAINED_MAX_SESSION && state.issued.contains_key(&caller.access_key) {
        let limit = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(invalid(limit.to_owned()));
    }
    let external_id = input["ExternalId"].as_str();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    if external_id.is_some_and(|id| !(2..=1224).contains(&id.len()) || !id.chars().all(fits)) {
        let rule = "Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*";
        return Err(invalid(format!("1 validation error detected: 'externalId' failed to satisfy constraint: {rule}")));
    }
    let tags = tags(input)?;
    roles::trusts(state, role_arn, &caller.arn, external_id, !tags.is_empty())?;
    let secret: String = (0..40).map(|_| char::from(state.rng.random_range(b'a'..=b'z'))).collect();
    // The key carries the account, so that it means the same after a reset of the world.
    let access_key = loop {
        let key = format!("ASIA{account}{:04X}", state.rng.random::<u16>());
        let taken = |issued: &Issued| issued.expires_at > now;
        if !state.issued.get(&key).is_some_and(taken) {
            break key;
        }
    };
    let role_id = format!("AROA{:016X}", crate::place::mix(role_arn.bytes().map(u64::from).sum()));
    let expires_at = later(now, Duration::from_secs(seconds));
    let issued = Issued {
        account: account.to_owned(),
        arn: format!("arn:{}:sts::{account}:assumed-role/{role}/{session}", parts[1]),
        user_id: format!("{role_id}:{session}"),
        root_key: if caller.root_key.is_empty() { access_key.clone() } else { caller.root_key.clone() },
        role: role_arn.to_owned(),
        expires_at,
    };
    let session = RoleSession { role: role_arn.to_owned(), arn: issued.arn.clone(), tags, by: caller.arn.clone() };
    state.role_sessions.push(session);
    let answer = map([
        (
            "Credentials",
            map([
                ("AccessKeyId", access_key.as_str().into()),
                ("SecretAccessKey", secret.into()),
                ("SessionToken", format!("not-a-token-of-{access_key}").into()),
                ("Expiration", expires_at.into()),
            ]),
        ),
        (
            "AssumedRoleUser",
            map([("AssumedRoleId", issued.user_id.as_str().into()), ("Arn", issued.arn.as_str().into())]),
        ),
        ("PackedPolicySize", Value::Int(6)),
    ]);
    state.issued.insert(access_key, issued);
    Ok(answer)
}

/// The session's tags. At most 50, with keys and values as `tagKeyType` and `tagValueType` of the API model allow.
fn tags(input: &Json) -> Result<Vec<(String, String)>, Refusal> {
    let mut tags = Vec::new();
    for n in 1.. {
        let member = |name: &str| input[format!("Tags.member.{n}.{name}").as_str()].as_str().map(str::to_owned);
        let Some(key) = member("Key") else { break };
        let value = member("Value").unwrap_or_default();
        let fits = |text: &str, max: usize| {
            text.chars().count() <= max
                && text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
        };
        if key.is_empty() || !fits(&key, 128) || !fits(&value, 256) || n > 50 {
            return Err(invalid(format!(
                "1 validation error detected: 'tags.{n}.member' failed to satisfy constraint"
            )));
        }
        tags.push((key, value));
    }
    Ok(tags)
}

fn required<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    let lowered: String = member.chars().take(1).flat_map(char::to_lowercase).chain(member.chars().skip(1)).collect();
    input[member].as_str().filter(|text| !text.is_empty()).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value null at '{lowered}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn invalid(message: String) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn partition(region: &str) -> &'static str {
    match region {
        cn if cn.starts_with("cn-") => "aws-cn",
        gov if gov.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
