//! The API models' patterns, as the text that AWS's refusals quote and as a check.

/// A pattern of the AppStream model, or of GameLift's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Name,
    Arn,
    TagKey,
    TagValue,
    StreamingUser,
    UsbFilter,
    Bucket,
    EmbedHost,
    Url,
    BucketArn,
    KmsKeyArn,
    GameFleet,
    GameInstance,
    GameCompute,
    GameLocation,
    GameDefinition,
}

impl Pattern {
    /// The regular expression as the model has it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Name => "^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$",
            Self::Arn => {
                "^arn:aws(?:\\-cn|\\-iso\\-b|\\-iso|\\-us\\-gov)?:[A-Za-z0-9][A-Za-z0-9_/.-]{0,62}:\
                 [A-Za-z0-9_/.-]{0,63}:[A-Za-z0-9_/.-]{0,63}:[A-Za-z0-9][A-Za-z0-9:_/+=,@.\\\\-]{0,1023}$"
            }
            Self::TagKey => "^(^(?!aws:).[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
            Self::TagValue => "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
            Self::StreamingUser => "[\\w+=,.@-]*",
            Self::UsbFilter => {
                "^((\\w*)\\s*(\\w*)\\s*\\,\\s*(\\w*)\\s*\\,\\s*\\*?(\\w*)\\s*\\,\\s*\\*?(\\w*)\\s*\\,\\s*\\*?\\d*\\s*\
                 \\,\\s*\\*?\\d*\\s*\\,\\s*[0-1]\\s*\\,\\s*[0-1]\\s*)$"
            }
            Self::Bucket => "^[0-9a-z\\.\\-]*(?<!\\.)$",
            Self::EmbedHost => "(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]",
            Self::Url => "^((https?|ftp|sftp)://|mailto:)[^\\s,;<>]+$",
            Self::BucketArn => {
                "^arn:aws(?:\\-cn|\\-iso\\-b|\\-iso|\\-us\\-gov)?:s3:::[a-z0-9][a-z0-9.\\-]{1,61}[a-z0-9]$"
            }
            Self::GameFleet => "^[a-z]*fleet-[a-zA-Z0-9\\-]+$|^arn:.*:[a-z]*fleet\\/[a-z]*fleet-[a-zA-Z0-9\\-]+$",
            Self::GameInstance => "^[a-zA-Z0-9\\.-]+$",
            Self::GameCompute => {
                "^([a-zA-Z0-9\\-]+(\\/[a-zA-Z0-9\\-]+)?|arn:.*:compute\\/[a-zA-Z0-9\\-]+(\\/[a-zA-Z0-9\\-]+)?)$"
            }
            Self::GameLocation => "^[A-Za-z0-9\\-]+$",
            Self::GameDefinition => "^[a-zA-Z0-9\\-]+$|^arn:.*:containergroupdefinition\\/[a-zA-Z0-9\\-]+(:[0-9]+)?$",
            Self::KmsKeyArn => {
                "^arn:aws(?:\\-cn|\\-iso\\-b|\\-iso|\\-us\\-gov)?:kms:[a-z0-9\\-]+:\\d{12}:key/[A-Za-z0-9\\-]+$"
            }
        }
    }

    /// Whether a text fits.
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            Self::Name => {
                headed(text, 101, |c| c.is_ascii_alphanumeric(), |c| c.is_ascii_alphanumeric() || "_.-".contains(c))
            }
            Self::Arn => arn(text),
            Self::TagKey => {
                let mut rest = text.chars();
                !text.starts_with("aws:") && rest.next().is_some() && rest.all(tag_char)
            }
            Self::TagValue => text.chars().all(tag_char),
            Self::StreamingUser => text.chars().all(|c| word(c) || "+=,.@-".contains(c)),
            Self::UsbFilter => usb_filter(text),
            Self::Bucket => !text.ends_with('.') && text.chars().all(|c| lower_or_digit(c) || ".-".contains(c)),
            Self::EmbedHost => embed_host(text),
            Self::Url => {
                let schemes = ["http://", "https://", "ftp://", "sftp://", "mailto:"];
                let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
                rest.is_some_and(|rest| {
                    !rest.is_empty() && !rest.contains([',', ';', '<', '>']) && !rest.contains(char::is_whitespace)
                })
            }
            Self::BucketArn => partition(text).and_then(|rest| rest.strip_prefix("s3:::")).is_some_and(|bucket| {
                (3..=63).contains(&bucket.len())
                    && bucket.chars().all(|c| lower_or_digit(c) || ".-".contains(c))
                    && bucket.starts_with(lower_or_digit)
                    && bucket.ends_with(lower_or_digit)
            }),
            Self::GameFleet => {
                let named = |text: &str| {
                    let (kind, id) = text.split_once('-').unwrap_or_default();
                    kind.ends_with("fleet") && kind.chars().all(|c| c.is_ascii_lowercase()) && dashed(id)
                };
                let (before, id) = text.rsplit_once('/').unwrap_or_default();
                let kind = before.rsplit_once(':').map_or("", |(_, kind)| kind);
                let in_arn = before.starts_with("arn:") && kind.ends_with("fleet");
                named(text) || (in_arn && kind.chars().all(|c| c.is_ascii_lowercase()) && named(id))
            }
            Self::GameInstance => {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            }
            Self::GameCompute => {
                let named = |text: &str| match text.split_once('/') {
                    Some((first, second)) => dashed(first) && dashed(second),
                    None => dashed(text),
                };
                let in_arn = text.strip_prefix("arn:").and_then(|rest| rest.split_once(":compute/"));
                named(text) || in_arn.is_some_and(|(_, name)| named(name))
            }
            Self::GameLocation => dashed(text),
            Self::GameDefinition => {
                let in_arn = text.strip_prefix("arn:").and_then(|rest| rest.split_once(":containergroupdefinition/"));
                let version = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                dashed(text)
                    || in_arn.is_some_and(|(_, name)| match name.split_once(':') {
                        Some((name, number)) => dashed(name) && version(number),
                        None => dashed(name),
                    })
            }
            Self::KmsKeyArn => {
                let parts: Vec<&str> = partition(text).unwrap_or_default().splitn(4, ':').collect();
                matches!(parts[..], ["kms", region, account, key]
                    if !region.is_empty()
                        && region.chars().all(|c| lower_or_digit(c) || c == '-')
                        && account.len() == 12
                        && account.bytes().all(|b| b.is_ascii_digit())
                        && key.strip_prefix("key/").is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')))
            }
        }
    }
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Letters, digits and dashes, at least one.
fn dashed(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Letters, separators and numbers of any script, and a few marks.
fn tag_char(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

fn headed(text: &str, longest: usize, first: impl Fn(char) -> bool, rest: impl Fn(char) -> bool) -> bool {
    text.len() <= longest && text.chars().next().is_some_and(first) && text.chars().skip(1).all(rest)
}

/// What follows `arn:<partition>:`.
fn partition(text: &str) -> Option<&str> {
    let partitions = ["arn:aws:", "arn:aws-cn:", "arn:aws-iso:", "arn:aws-iso-b:", "arn:aws-us-gov:"];
    partitions.iter().find_map(|head| text.strip_prefix(head))
}

fn arn(text: &str) -> bool {
    let parts: Vec<&str> = partition(text).unwrap_or_default().splitn(4, ':').collect();
    let [service, region, account, resource] = parts[..] else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
    headed(service, 63, |c| c.is_ascii_alphanumeric(), plain)
        && [region, account].iter().all(|part| part.len() <= 63 && part.chars().all(plain))
        && headed(
            resource,
            1024,
            |c| c.is_ascii_alphanumeric(),
            |c| c.is_ascii_alphanumeric() || ":_/+=,@.\\-".contains(c),
        )
}

/// Eight fields: name, vendor id, product id, class, subclass, protocol, autoshare, autoreconnect.
fn usb_filter(text: &str) -> bool {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let words =
        |field: &str| field.split_whitespace().count() <= 2 && field.chars().all(|c| word(c) || c.is_whitespace());
    let starred = |field: &str, fits: fn(char) -> bool| field.strip_prefix('*').unwrap_or(field).chars().all(fits);
    let digit = |c: char| c.is_ascii_digit();
    match fields[..] {
        [name, vendor, product, class, subclass, protocol, share, reconnect] => {
            words(name)
                && vendor.chars().all(word)
                && starred(product, word)
                && starred(class, word)
                && starred(subclass, digit)
                && starred(protocol, digit)
                && [share, reconnect].iter().all(|flag| matches!(*flag, "0" | "1"))
        }
        _ => false,
    }
}

fn embed_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let fits = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| lower_or_digit(c) || c == '-')
            && label.starts_with(lower_or_digit)
            && label.ends_with(lower_or_digit)
    };
    labels.len() >= 2 && labels.iter().all(fits) && labels.last().is_some_and(|last| last.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::Pattern::{
        Arn, EmbedHost, GameCompute, GameDefinition, GameFleet, GameInstance, Name, TagKey, TagValue, Url, UsbFilter,
    };

    #[test]
    fn patterns_take_what_the_model_takes() {
        let fits = [
            (Name, "a"),
            (Name, "Design.fleet_1-x"),
            (Arn, "arn:aws:appstream:us-east-1::image/AppStream-WinServer2022-04-07-2026"),
            (Arn, "arn:aws-us-gov:iam::123456789012:role/fleet"),
            (TagKey, "windlass.dev/cluster"),
            (TagKey, "größe 2"),
            (TagValue, ""),
            (UsbFilter, "1234, 0f0d, 0001, *, *, *, 1, 0"),
            (EmbedHost, "apps.example.com"),
            (Url, "https://example.com/a?b=c"),
            (GameFleet, "fleet-2222bbbb-33cc-44dd-55ee-6666ffff77aa"),
            (GameFleet, "containerfleet-1"),
            (GameFleet, "arn:aws:gamelift:us-west-2::fleet/fleet-1"),
            (GameFleet, "arn:aws:gamelift:us-west-2:123456789012:containerfleet/containerfleet-1"),
            (GameInstance, "i-0123.a"),
            (GameCompute, "a123b456/1a234b56-7cd8"),
            (GameCompute, "arn:aws:gamelift:us-west-2::compute/a/b"),
            (GameDefinition, "arn:aws:gamelift:us-west-2:1:containergroupdefinition/game:2"),
        ];
        let refused: Vec<_> = fits.iter().filter(|(pattern, text)| !pattern.fits(text)).collect();
        assert_eq!(refused, Vec::<&(super::Pattern, &str)>::new());
    }

    #[test]
    fn patterns_refuse_what_the_model_refuses() {
        let long = "n".repeat(102);
        let misfits = [
            (Name, ""),
            (Name, "-a"),
            (Name, "a b"),
            (Name, long.as_str()),
            (Arn, "arn:aws:appstream"),
            (Arn, "not-an-arn"),
            (TagKey, "aws:name"),
            (TagKey, "a#b"),
            (TagValue, "{}"),
            (UsbFilter, "a,b,c"),
            (UsbFilter, "a,b,c,d,1,1,2,0"),
            (EmbedHost, "localhost"),
            (Url, "https://a b"),
            (GameFleet, "fleet"),
            (GameFleet, "fleet-"),
            (GameFleet, "build-1"),
            (GameFleet, "arn:aws:gamelift:us-west-2::build/fleet-1"),
            (GameInstance, "i_1"),
            (GameCompute, "a/b/c"),
            (GameCompute, "a/"),
            (GameDefinition, "game:2"),
        ];
        let taken: Vec<_> = misfits.iter().filter(|(pattern, text)| pattern.fits(text)).collect();
        assert_eq!(taken, Vec::<&(super::Pattern, &str)>::new());
    }
}
