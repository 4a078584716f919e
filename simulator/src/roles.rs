//! IAM roles whose trust and permissions are judged. A role that nobody has made may be assumed by anybody and may do
//! everything, so that a test need not set up what it is not about.

use serde::{Deserialize, Serialize};

use crate::sts::Caller;
use crate::wire::{Refusal, Service};
use crate::world::{State, World};

/// A role with a trust policy and a permission policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Beginnings of the ARNs that may assume it (`arn:aws:iam::123456789012:`). Absent: anybody.
    pub trusts: Option<Vec<String>>,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
    /// Whether its trust policy allows no `sts:TagSession`.
    pub refuses_tags: bool,
    /// What its sessions may do (`appstream:DescribeFleets`, `lightsail:*`). Absent: everything.
    pub allows: Option<Vec<String>>,
    /// MaxSessionDuration in seconds. Absent: AWS's default of one hour.
    pub max_session: Option<u64>,
}

/// A session of an assumed role, as AWS sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleSession {
    /// The role's ARN.
    pub role: String,
    /// The session's ARN.
    pub arn: String,
    /// Its tags, in the order of the request.
    pub tags: Vec<(String, String)>,
    /// Who assumed it.
    pub by: String,
}

impl World {
    /// Makes a role, or replaces it.
    pub fn make_role(&self, role: Role) {
        self.lock().roles.insert(role.arn.clone(), role);
    }

    /// Every session of a role that was handed out, oldest first.
    #[must_use]
    pub fn role_sessions(&self) -> Vec<RoleSession> {
        self.lock().role_sessions.clone()
    }
}

/// Refuses whom the role's trust policy does not trust. STS does not say which condition failed, but that tags may not be
/// passed is an action of its own, which it names.
pub(crate) fn trusts(
    state: &State,
    role: &str,
    caller: &str,
    external_id: Option<&str>,
    tagged: bool,
) -> Result<(), Refusal> {
    let Some(made) = state.roles.get(role) else { return Ok(()) };
    let denied = |action: &str| {
        let text = format!("User: {caller} is not authorized to perform: {action} on resource: {role}");
        Err(Refusal::with_status("AccessDenied", text, 403))
    };
    let trusted = made.trusts.as_ref().is_none_or(|all| all.iter().any(|start| caller.starts_with(start.as_str())));
    let known = made.external_id.as_deref().is_none_or(|asked| external_id == Some(asked));
    match (trusted && known, tagged && made.refuses_tags) {
        (false, _) => denied("sts:AssumeRole"),
        (true, true) => denied("sts:TagSession"),
        (true, false) => Ok(()),
    }
}

/// Refuses what the role behind an access key may not do to a resource (`*` for what has no ARN in the request). STS has
/// another code and status for it than the other services.
pub(crate) fn permits(
    state: &State,
    caller: &Caller,
    service: Service,
    operation: &str,
    resource: &str,
) -> Result<(), Refusal> {
    let role = state.issued.get(&caller.access_key).and_then(|issued| state.roles.get(issued.role()));
    let Some(allows) = role.and_then(|role| role.allows.as_ref()) else { return Ok(()) };
    let action = format!("{}:{operation}", service.signing_name());
    let allowed = allows.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => *pattern == action,
    });
    if allowed {
        return Ok(());
    }
    let text = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows \
         the {action} action",
        caller.arn
    );
    Err(match service {
        Service::Sts => Refusal::with_status("AccessDenied", text, 403),
        Service::AppStream | Service::Lightsail | Service::GameLift => Refusal::new("AccessDeniedException", text),
    })
}
