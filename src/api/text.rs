//! Names and identifiers as types: parsed once at the edge, never a bare string below it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::form;

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
    { "type": "string", "minLength": 1, "maxLength": 101, "x-kubernetes-validations": form::AWS_NAME }
);

text!(
    /// The name of a Lightsail resource: 2 to 255 letters, digits, `_`, `.`, `-`, the first and the last a letter or digit
    /// (the words of AWS's own refusal; the pattern of the Lightsail API model leaves out the `.`).
    LightsailName,
    "a Lightsail name (2 to 255 letters, digits, `_`, `.`, `-`, beginning and ending with a letter or digit)",
    |t| {
        (2..=255).contains(&t.len())
            && t.starts_with(|c: char| c.is_ascii_alphanumeric())
            && t.ends_with(|c: char| c.is_ascii_alphanumeric())
            && t.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    },
    { "type": "string", "minLength": 2, "maxLength": 255, "x-kubernetes-validations": form::LIGHTSAIL_NAME }
);

text!(
    /// An Amazon Resource Name (`arn:partition:service:region:account:resource`); account and Region may be empty,
    /// as in the ARN of a public image.
    Arn,
    "an ARN (arn:partition:service:region:account:resource)",
    |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        t.chars().count() <= 2048 && parts.len() == 6 && parts[0] == "arn" && !parts[1].is_empty() && !parts[2].is_empty() && !parts[5].is_empty()
    },
    { "type": "string", "minLength": 1, "maxLength": 2048, "x-kubernetes-validations": form::ARN }
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
    { "type": "string", "minLength": 1, "maxLength": 32, "x-kubernetes-validations": form::REGION }
);

text!(
    /// The name of an `Account` object (a Kubernetes object name).
    AccountName,
    "the name of an Account object",
    |t| !t.is_empty() && t.len() <= 253,
    { "type": "string", "minLength": 1, "maxLength": 253, "x-kubernetes-validations": form::OBJECT_NAME }
);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reads<T: std::str::FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    /// The API server counts characters where Rust counts bytes: what it lets pass must be readable here.
    #[test]
    fn the_longest_texts_that_the_schema_allows_are_read() {
        assert!(reads::<AwsName>(&"a".repeat(101)));
        assert!(!reads::<AwsName>(&"a".repeat(102)));
        assert!(reads::<LightsailName>("ab") && reads::<LightsailName>(&"a".repeat(255)));
        assert!(!reads::<LightsailName>("a") && !reads::<LightsailName>(&"a".repeat(256)));
        let before = "arn:aws:iam::123456789012:role/";
        let arn = |length: usize| format!("{before}{}", "é".repeat(length - before.len()));
        assert!(reads::<Arn>(&arn(2048)));
        assert!(!reads::<Arn>(&arn(2049)));
        assert!(reads::<Region>(&format!("aa-{}-1", "a".repeat(27))));
        assert!(!reads::<Region>(&format!("aa-{}-1", "a".repeat(28))));
        assert!(reads::<AccountName>(&"a".repeat(253)));
        assert!(!reads::<AccountName>(&"a".repeat(254)));
    }

    #[test]
    fn a_text_of_another_form_is_refused_and_named() {
        assert_eq!("".parse::<AwsName>().unwrap_err().to_string().split(' ').next(), Some("``"));
        assert_eq!(
            "nowhere".parse::<Region>().unwrap_err().to_string(),
            "`nowhere` is not an AWS Region such as eu-central-1"
        );
        for text in [
            "",
            "arn",
            "arn:aws:appstream:eu-central-1:123456789012",
            "arn:aws:appstream:eu-central-1:123456789012:",
            "urn:aws:a:b:c:d",
        ] {
            assert!(!reads::<Arn>(text), "{text}");
        }
    }

    #[test]
    fn an_arn_falls_into_its_parts() {
        let arn: Arn = "arn:aws:appstream:eu-central-1:123456789012:fleet/a:b".parse().unwrap();
        assert_eq!((arn.region(), arn.account(), arn.resource()), ("eu-central-1", "123456789012", "fleet/a:b"));
        let public: Arn = "arn:aws:appstream:eu-central-1::image/a".parse().unwrap();
        assert_eq!((public.region(), public.account(), public.resource()), ("eu-central-1", "", "image/a"));
    }
}
