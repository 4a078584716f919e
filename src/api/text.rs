//! Names and identifiers as types: parsed once at the edge, never a bare string below it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that does not have the form its type asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct IllFormed {
    text: String,
    wanted: &'static str,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $well_formed:expr, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IllFormed;
            fn try_from(text: String) -> Result<Self, IllFormed> {
                let well_formed: fn(&str) -> bool = $well_formed;
                if well_formed(&text) { Ok(Self(text)) } else { Err(IllFormed { text, wanted: $wanted }) }
            }
        }
        impl std::str::FromStr for $name {
            type Err = IllFormed;
            fn from_str(text: &str) -> Result<Self, IllFormed> {
                Self::try_from(text.to_owned())
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

text!(
    /// The name of an AppStream resource: 1 to 101 letters, digits, `_`, `.`, `-`, the first a letter or digit
    /// (the `Name` pattern of the AppStream API model).
    AwsName,
    "an AppStream name (1 to 101 letters, digits, `_`, `.`, `-`, starting with a letter or digit)",
    |t| {
        t.len() <= 101
            && t.starts_with(|c: char| c.is_ascii_alphanumeric())
            && t.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    },
    { "type": "string", "minLength": 1, "maxLength": 101, "pattern": "^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$" }
);

text!(
    /// An Amazon Resource Name (`arn:partition:service:region:account:resource`); account and Region may be empty,
    /// as in the ARN of a public image.
    Arn,
    "an ARN (arn:partition:service:region:account:resource)",
    |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        t.len() <= 2048 && parts.len() == 6 && parts[0] == "arn" && !parts[1].is_empty() && !parts[2].is_empty() && !parts[5].is_empty()
    },
    { "type": "string", "maxLength": 2048, "pattern": "^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{0,12}:.+$" }
);

impl Arn {
    fn part(&self, n: usize) -> &str {
        self.0.splitn(6, ':').nth(n).unwrap_or_default()
    }
    /// The partition in it: `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.part(1)
    }
    /// The Region in it, empty for what has none.
    pub fn region(&self) -> &str {
        self.part(3)
    }
    /// The 12-digit account in it, empty for what has none.
    pub fn account(&self) -> &str {
        self.part(4)
    }
    /// What follows the account: `fleet/<name>`.
    pub fn resource(&self) -> &str {
        self.part(5)
    }
}

text!(
    /// An AWS Region such as `eu-central-1`.
    Region,
    "an AWS Region such as eu-central-1",
    |t| {
        t.len() <= 32
            && t.split('-').count() >= 3
            && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && t.ends_with(|c: char| c.is_ascii_digit())
    },
    { "type": "string", "maxLength": 32, "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$" }
);

text!(
    /// The name of an `Account` object (a Kubernetes object name).
    AccountName,
    "the name of an Account object",
    |t| !t.is_empty() && t.len() <= 253,
    { "type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" }
);
