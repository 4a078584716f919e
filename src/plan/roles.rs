//! Roles that a fleet or an image builder gives its users.

use crate::api::Arn;

use super::Scope;

/// Whether a role may be passed: only where an Account's patterns allow it.
pub fn may_pass(scope: &Scope, role: &Arn) -> bool {
    scope.allow.pass_roles.iter().any(|pattern| matches(pattern, role.as_str()))
}

/// Whether a pattern with `*` for any text matches.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let before: &str = before;
            let Some(at) = rest.find(before) else { return false };
            rest = &rest[at + before.len()..];
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}
