//! Every secret that this AWS has handed out, so that a test can look for them where they must not be.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::wire::Value;
use crate::world::World;

/// Members of answers that nobody but who asked may see, in every service. AWS's models mark them as sensitive, but for
/// `privateKeyBase64` (which CreateKeyPair answers) and `certKey`.
const MEMBERS: [&str; 9] = [
    "privateKey",
    "certKey",
    "password",
    "ciphertext",
    "privateKeyBase64",
    "Secret",
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
];

/// Lines of a PEM text shorter than this prove nothing: they may be anybody's.
const TELLING: usize = 24;

/// A secret that was handed out.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct HandedOut {
    /// The operation that answered it.
    pub operation: String,
    /// What it is a secret of: the first name in the request.
    pub resource: String,
    /// The member of the answer.
    pub member: String,
    /// The secret itself.
    pub value: String,
    /// Texts that occur nowhere else: the secret itself, or each full line inside a PEM file.
    pub canaries: Vec<String>,
}

impl std::fmt::Debug for HandedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} by {}", self.member, self.resource, self.operation)
    }
}

impl World {
    /// Every secret that was handed out so far, each once.
    #[must_use]
    pub fn secrets(&self) -> Vec<HandedOut> {
        self.lock().secrets.all.values().cloned().collect()
    }
}

/// What was handed out, by value.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    all: BTreeMap<String, HandedOut>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.all.len())
    }
}

impl Secrets {
    /// Notes the secrets in an answer.
    pub(crate) fn note(&mut self, operation: &str, resource: &str, answer: &Value) {
        match answer {
            Value::Map(members) => {
                for (member, value) in members {
                    match value {
                        Value::Text(text) if MEMBERS.contains(&member.as_str()) && !text.is_empty() => {
                            self.note_one(operation, resource, member, text);
                        }
                        other => self.note(operation, resource, other),
                    }
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.note(operation, resource, item)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Time(_) => {}
        }
    }

    fn note_one(&mut self, operation: &str, resource: &str, member: &str, value: &str) {
        if self.all.contains_key(value) {
            return;
        }
        let canaries = if value.starts_with("-----BEGIN") {
            let lines = value.lines().filter(|line| !line.starts_with('-') && line.len() >= TELLING);
            lines.map(str::to_owned).collect()
        } else {
            vec![value.to_owned()]
        };
        let (operation, resource, member) = (operation.to_owned(), resource.to_owned(), member.to_owned());
        let noted = HandedOut { operation, resource, member, value: value.to_owned(), canaries };
        self.all.insert(value.to_owned(), noted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::map;

    #[test]
    fn secrets_are_found_at_any_depth_and_kept_once() {
        let line = "M".repeat(64);
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\nshort==\n-----END RSA PRIVATE KEY-----\n");
        let inner = map([("privateKey", pem.as_str().into()), ("password", "".into()), ("username", "ubuntu".into())]);
        let answer = map([("list", Value::List(vec![inner, map([("Secret", "s".into())])]))]);
        let mut secrets = Secrets::default();
        secrets.note("Get", "web", &answer);
        secrets.note("Get", "other", &answer);
        let found: Vec<_> = secrets.all.values().map(|one| (&*one.resource, &*one.member, &one.canaries)).collect();
        assert_eq!(found, [("web", "privateKey", &vec![line]), ("web", "Secret", &vec!["s".to_owned()])]);
    }
}
