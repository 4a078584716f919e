//! The forms of texts that people write, as rules with a sentence: ARNs, durations, cron expressions, tags.
//!
//! A rule here and the parser that reads the text later agree in one direction: what a parser cannot read and a rule lets
//! pass (an unknown time zone) is shown in the object's status.

use super::schema::{Rule, form};

/// An AppStream name (`Name` in the AppStream API model).
pub const AWS_NAME: [Rule; 1] = [form(
    "self.matches('^[a-zA-Z0-9][a-zA-Z0-9_.-]*$')",
    "an AWS name has 1 to 101 letters, digits, `_`, `.` and `-`, and begins with a letter or digit",
)];

/// A Lightsail name (AWS's own refusal: "at least 2 characters long and contain only alphanumerics, -, _, and .").
pub const LIGHTSAIL_NAME: [Rule; 1] = [form(
    "self.matches('^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$')",
    "a Lightsail name has 2 to 255 letters, digits, `_`, `.` and `-`, and begins and ends with a letter or digit",
)];

/// An Availability Zone: a Region and a letter.
pub const ZONE: [Rule; 1] = [form(
    "self.matches('^[a-z]{2,}(-[a-z]+)+-[0-9]+[a-z]$')",
    "this is not an Availability Zone, which is a Region and a letter, such as eu-central-1a",
)];

/// The id of a Lightsail blueprint or bundle: AWS's lists grow, so only what can never be one is refused.
pub const CATALOGUE_ID: [Rule; 1] = [form(
    "self.matches('^[a-z0-9][a-z0-9_.-]*$')",
    "an id of Lightsail's catalogue has lower-case letters, digits, `_`, `.` and `-`, such as ubuntu_24_04 or nano_3_0",
)];

/// A Lightsail key pair (`KeyPairName` in the Lightsail API model, and the `.` that its names may have).
pub const KEY_PAIR_NAME: [Rule; 1] = [form(
    "self.matches('^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$')",
    "the name of a key pair has letters, digits, `_`, `.` and `-`, and begins and ends with a letter, digit or `_`",
)];

/// A key of a Secret or ConfigMap (what the API server takes for one).
pub const DATA_KEY: [Rule; 1] =
    [form("self.matches('^[-._a-zA-Z0-9]+$')", "a key of a Secret or ConfigMap has letters, digits, `-`, `_` and `.`")];

/// An IPv4 address, or a range in CIDR notation.
pub const IPV4_RANGE: [Rule; 1] = [form(
    "self.matches('^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}(/(3[0-2]|[12]?[0-9]))?$')",
    "this is not an IPv4 address or range, which looks like 192.0.2.44 or 192.0.2.0/24",
)];

/// An IPv6 address, or a range in CIDR notation.
pub const IPV6_RANGE: [Rule; 1] = [form(
    "self.matches('^[0-9a-fA-F:]*:[0-9a-fA-F:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$')",
    "this is not an IPv6 address or range, which looks like 2001:db8::1 or 2001:db8::/32",
)];

/// An alias of a list of addresses: AWS has `lightsail-connect`, and may have more.
pub const ADDRESS_ALIAS: [Rule; 1] = [form(
    "self.matches('^[a-z][a-z0-9-]*$')",
    "an alias of addresses has lower-case letters, digits and `-`, such as lightsail-connect",
)];

/// A time of day at which AWS can begin an automatic snapshot (`AutoSnapshotAddOnRequest` in the Lightsail API model: full
/// hours, UTC).
pub const SNAPSHOT_TIME: [Rule; 1] =
    [form("self.matches('^([01][0-9]|2[0-3]):00$')", "a snapshot begins at a full hour in UTC, written such as 06:00")];

/// Any ARN. Account and Region may be empty, as in the ARN of a public image.
pub const ARN: [Rule; 1] = [form(
    "self.matches('^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:.+$')",
    "this is not an ARN, which looks like arn:aws:service:region:account:resource",
)];

/// The ARN of an image: public (no account), one's own or shared.
pub const IMAGE_ARN: [Rule; 1] = [form(
    "self.matches('^arn:aws[a-z-]*:appstream:[a-z0-9-]*:([0-9]{12})?:image/.+$')",
    "this is not the ARN of an AppStream image, which looks like arn:aws:appstream:eu-central-1:123456789012:image/my-image (no account for a public image)",
)];

/// The ARN of an AppStream application.
pub const APPLICATION_ARN: [Rule; 1] = [form(
    "self.matches('^arn:aws[a-z-]*:appstream:[a-z0-9-]+:[0-9]{12}:application/.+$')",
    "this is not the ARN of an AppStream application, which looks like arn:aws:appstream:eu-central-1:123456789012:application/my-application",
)];

/// The ARN of an IAM role.
pub const ROLE_ARN: [Rule; 1] = [form(
    "self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$')",
    "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role",
)];

/// A Region, of a form and not of a list, because the list grows.
pub const REGION: [Rule; 1] =
    [form("self.matches('^[a-z]{2,}(-[a-z]+)+-[0-9]+$')", "this is not an AWS Region, which looks like eu-central-1")];

/// The name of an `Account` object.
pub const OBJECT_NAME: [Rule; 1] = [form(
    "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
    "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit",
)];

/// The name of an entry in a list of ours (an RFC 1123 label, so that it is fit for an event or a metric).
pub const ENTRY_NAME: [Rule; 1] = [form(
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "this name has 1 to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit",
)];

/// An instance type, bundle or the like: AWS's lists grow, so only what can never be one is refused.
pub const INSTANCE_TYPE: [Rule; 1] = [form(
    "self.matches('^[A-Za-z0-9][A-Za-z0-9_.-]*$')",
    "an instance type has letters, digits, `_`, `.` and `-`, such as stream.standard.medium",
)];

/// A platform: AWS's list grows.
pub const PLATFORM: [Rule; 1] = [form(
    "self.matches('^[A-Z][A-Z0-9_]*$')",
    "a platform is spelt as AWS spells it: upper-case letters, digits and `_`, such as WINDOWS_SERVER_2022",
)];

/// A subnet id.
pub const SUBNET_ID: [Rule; 1] =
    [form("self.matches('^subnet-[0-9a-z]+$')", "this is not a subnet id, which looks like subnet-0a1b2c3d4e5f67890")];

/// A security group id.
pub const SECURITY_GROUP_ID: [Rule; 1] =
    [form("self.matches('^sg-[0-9a-z]+$')", "this is not a security group id, which looks like sg-0a1b2c3d4e5f67890")];

/// A USB filter: name, class, subclass, protocol, vendor, product, autoshare, skip reset
/// (`UsbDeviceFilterString` in the AppStream API model, and its developer guide).
pub const USB_FILTER: [Rule; 1] = [form(
    "self.matches('^[^,]*(,[^,]*){5}, *[01] *, *[01] *$')",
    "a USB filter has eight fields with commas between (name, class, subclass, protocol, vendor, product, autoshare, skip reset), the last two 0 or 1, such as \"Mass storage, 8, *, *, *, *, 1, 0\"",
)];

/// An S3 bucket name (`S3Bucket` in the AppStream API model).
pub const S3_BUCKET: [Rule; 1] = [form(
    "self.matches('^[0-9a-z.-]*[0-9a-z-]$')",
    "a bucket name has 3 to 63 lower-case letters, digits, `.` and `-`, and does not end with `.`",
)];

/// An IANA time zone, by its form; whether it exists is judged by the operator, which carries the table.
pub const TIME_ZONE: [Rule; 1] = [form(
    "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')",
    "this is not an IANA time zone, which looks like Europe/Berlin or UTC",
)];

/// Hours, minutes and seconds in this order; six digits each keep the sum within what CEL can count.
macro_rules! written_as_duration {
    () => {
        "self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$')"
    };
}

/// A length of time. One year is the bound so that a slip (hours for minutes) does not hide for ever.
pub const DURATION: [Rule; 3] = [
    form(
        written_as_duration!(),
        "a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h",
    ),
    form(
        concat!("!(", written_as_duration!(), ") || duration(self) > duration('0s')"),
        "a duration must be longer than zero",
    ),
    form(
        concat!("!(", written_as_duration!(), ") || duration(self) <= duration('8760h')"),
        "a duration can be one year (8760h) at most",
    ),
];

/// One item of a cron field: what stands for itself, a value with what may follow it, a range of values; then a step.
macro_rules! cron_item {
    ($alone:literal, $value:literal, $after:literal) => {
        concat!("(", $alone, "|", $value, "(", $after, "-", $value, ")?)(/[0-9]{1,2})?")
    };
}

/// A cron field: items with commas between.
macro_rules! cron_field {
    ($alone:literal, $value:literal, $after:literal) => {
        concat!(cron_item!($alone, $value, $after), "(,", cron_item!($alone, $value, $after), ")*")
    };
}

/// A cron expression of five fields, and that its days exist.
///
/// The form is that of the Vixie cron with names, `L`, `W` and `#`. The days: when the day of week is not restricted, the
/// 31st needs a month that has one, and February has no 30th.
pub const CRON: [Rule; 2] = [
    form(
        concat!(
            "self.matches('(?i)^",
            cron_field!("[*]", "[0-5]?[0-9]", ""),
            " +",
            cron_field!("[*]", "([01]?[0-9]|2[0-3])", ""),
            " +",
            cron_field!("[*]|L", "(0?[1-9]|[12][0-9]|3[01])", "W|"),
            " +",
            cron_field!("[*]", "(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)", ""),
            " +",
            cron_field!("[*]", "([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)", "L|#[1-5]|"),
            "$')"
        ),
        "a cron expression has five fields with spaces between: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as \"0 22 * * MON-FRI\"",
    ),
    form(
        concat!(
            "!self.matches('(?i)^[^ ]+ +[^ ]+ +(",
            "3[01](,3[01])* +(0?2|FEB)(,(0?2|FEB))*",
            "|",
            "31(,31)* +(0?[2469]|11|FEB|APR|JUN|SEP|NOV)(,(0?[2469]|11|FEB|APR|JUN|SEP|NOV))*",
            ") +[*]$')"
        ),
        "this cron expression names days that no year has (the 30th or 31st of a month that is shorter), so it would never come true",
    ),
];

/// AWS tags: at most 45 of the 50 that AWS allows, since five are the operator's. Form and lengths from the AppStream API
/// model (`TagKey`, `TagValue`); AWS keeps `aws:` for itself in any case of the letters.
pub const TAGS: [Rule; 5] = [
    form("self.all(key, key.size() >= 1 && key.size() <= 128)", "a tag key has 1 to 128 characters"),
    form("self.all(key, !key.matches('(?i)^aws:'))", "tag keys that begin with `aws:` belong to AWS"),
    form(
        "self.all(key, !key.startsWith('windlass.dev/'))",
        "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself",
    ),
    form(
        r"self.all(key, key.matches(r'^[\p{L}\p{Z}\p{N}_.:/=+@-]*$'))",
        "a tag key has letters, digits, spaces and `_ . : / = + - @`",
    ),
    form(
        r"self.all(key, self[key].matches(r'^[\p{L}\p{Z}\p{N}_.:/=+@-]*$'))",
        "a tag value has letters, digits, spaces and `_ . : / = + - @`",
    ),
];
