//! What is tried of a Stack.

use serde_json::{Value, json};

use super::bounds::{Bound, cron, duration, letters, list, long, padded, row};
use super::{Change, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "Stack",
    good: &[SMALLEST, FULL, NAMED],
    defaults: &[
        ("deletionPolicy", "Delete"),
        ("adoptionPolicy", "Never"),
        ("managementPolicy", "Manage"),
        ("recreatePolicy", "Always"),
    ],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "FLEET", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // Which fields go together.
    (FULL, "spec: {fleetName: other}", "spec.fleetName: Forbidden: fleetRef and fleetName name the same thing: give fleetRef for a Fleet object of this namespace, or fleetName for another fleet"),
    (SMALLEST, "spec: {fleetRef: {}}", "spec.fleetRef.name: Required value"),
    (SMALLEST, "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "the object's name is the stack's name in AWS, which has at most 101 characters: give a shorter spec.name"),
    (SMALLEST, "spec: {storageConnectors: [{connectorType: HOMEFOLDERS, domains: [example.com]}]}", "home folders have no domains: give domains with GOOGLE_DRIVE or ONE_DRIVE"),
    (SMALLEST, "spec: {storageConnectors: [{connectorType: GOOGLE_DRIVE, domainsRequireAdminConsent: [example.com]}]}", "only ONE_DRIVE knows domainsRequireAdminConsent: leave it out of other connectors"),
    (SMALLEST, "spec: {storageConnectors: [{connectorType: HOMEFOLDERS}, {connectorType: HOMEFOLDERS}]}", "spec.storageConnectors[1]: Duplicate value"),
    (SMALLEST, "spec: {storageConnectors: [{domains: [a]}]}", "spec.storageConnectors[0].connectorType: Required value"),
    (SMALLEST, "spec: {userSettings: [{action: FILE_UPLOAD, permission: ENABLED, maximumLength: 5}]}", "maximumLength is for the two clipboard actions: leave it out of others"),
    (SMALLEST, "spec: {userSettings: [{action: CLIPBOARD_COPY_TO_LOCAL_DEVICE, permission: DISABLED, maximumLength: 5}]}", "maximumLength says how much may be copied: leave it out where copying is DISABLED"),
    (SMALLEST, "spec: {userSettings: [{action: FILE_UPLOAD, permission: ENABLED}, {action: FILE_UPLOAD, permission: DISABLED}]}", "spec.userSettings[1]: Duplicate value"),
    (SMALLEST, "spec: {userSettings: [{action: FILE_UPLOAD}]}", "spec.userSettings[0].permission: Required value"),
    (SMALLEST, "spec: {applicationSettings: {settingsGroup: a}}", "spec.applicationSettings.enabled: Required value"),
    (SMALLEST, "spec: {accessEndpoints: [{endpointType: STREAMING}]}", "spec.accessEndpoints[0].vpceId: Required value"),
    (FULL, "spec: {agentAccessConfig: {s3BucketArn: null}}", "spec.agentAccessConfig.s3BucketArn: Required value: screenshots are kept in a bucket: give s3BucketArn, or leave screenshotsUploadEnabled out"),
    (FULL, "spec: {agentAccessConfig: {settings: null}}", "spec.agentAccessConfig.settings: Required value"),
    // Forms.
    (SMALLEST, "spec: {name: -a}", "an AWS name has 1 to 101 letters, digits, `_`, `.` and `-`, and begins with a letter or digit"),
    (SMALLEST, "spec: {fleetName: a b}", "spec.fleetName: Invalid value: \"a b\": an AWS name has 1 to 101 letters"),
    (SMALLEST, "spec: {fleetRef: {name: Office_1}}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {region: Frankfurt}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {redirectURL: example.com}", "spec.redirectURL: Invalid value: \"example.com\": this is not a URL, which looks like https://example.com/goodbye"),
    (SMALLEST, "spec: {feedbackURL: 'ftp://example.com'}", "spec.feedbackURL: Invalid value: \"ftp://example.com\": this is not a URL"),
    (SMALLEST, "spec: {embedHostDomains: ['https://example.com']}", "this is not a domain in lower-case letters, which looks like portal.example.com"),
    (SMALLEST, "spec: {embedHostDomains: [example]}", "this is not a domain in lower-case letters"),
    (SMALLEST, "spec: {contentRedirection: {hostToClient: {enabled: true, allowedUrls: ['example.com']}}}", "a URL pattern begins with https://, http://, ftp://, sftp:// or mailto: and has no space, comma or semicolon, such as https://*.example.com/*"),
    (SMALLEST, "spec: {contentRedirection: {hostToClient: {enabled: true, deniedUrls: ['http://a,b']}}}", "a URL pattern begins with https://"),
    (SMALLEST, "spec: {userSettings: [{action: upload, permission: ENABLED}]}", "an action is spelt as AWS spells it: upper-case letters, digits and `_`, such as FILE_UPLOAD"),
    (SMALLEST, "spec: {accessEndpoints: [{endpointType: streaming, vpceId: vpce-0a}]}", "a type of endpoint is spelt as AWS spells it: upper-case letters, digits and `_`, such as STREAMING"),
    (SMALLEST, "spec: {accessEndpoints: [{endpointType: STREAMING, vpceId: vpc-0a}]}", "this is not the id of a VPC endpoint, which looks like vpce-0a1b2c3d4e5f67890"),
    (FULL, "spec: {agentAccessConfig: {screenImageFormat: image/png}}", "this is spelt as AWS spells it: letters, digits and `_`, such as W_1280xH_720 or PNG"),
    (FULL, "spec: {agentAccessConfig: {s3BucketArn: 'arn:aws:s3:::Bucket'}}", "this is not the ARN of an S3 bucket, which looks like arn:aws:s3:::my-bucket"),
    (SMALLEST, "spec: {disruption: {forceAfter: 1d}}", "a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (SMALLEST, "spec: {disruption: {forceAfter: 0s}}", "a duration must be longer than zero"),
    (SMALLEST, "spec: {disruption: {forceAfter: 8761h}}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {disruption: {windows: [{name: A, start: '0 1 * * *', duration: 1h}]}}", "this name has 1 to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: 'every day at 8', duration: 1h}]}}", "a cron expression has five fields with spaces between: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as \"0 22 * * MON-FRI\""),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 0 30 2 *', duration: 1h}]}}", "this cron expression names days that no year has (the 30th or 31st of a month that is shorter), so it would never come true"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: Berlin time}]}}", "this is not an IANA time zone, which looks like Europe/Berlin or UTC"),
    // Tags.
    (SMALLEST, "spec: {tags: {'aws:owner': a}}", "tag keys that begin with `aws:` belong to AWS"),
    (SMALLEST, "spec: {tags: {windlass.dev/uid: a}}", "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {tags: {'': a}}", "a tag key has 1 to 128 characters"),
    (SMALLEST, "spec: {tags: {'a#b': c}}", "a tag key has letters, digits, spaces and `_ . : / = + - @`"),
    (SMALLEST, "spec: {tags: {a: 'b*'}}", "a tag value has letters, digits, spaces and `_ . : / = + - @`"),
    // Choices, and what does not exist.
    (SMALLEST, "spec: {storageConnectors: [{connectorType: DROPBOX}]}", "Unsupported value: \"DROPBOX\": supported values: \"HOMEFOLDERS\", \"GOOGLE_DRIVE\", \"ONE_DRIVE\""),
    (SMALLEST, "spec: {streamingExperienceSettings: {preferredProtocol: QUIC}}", "Unsupported value: \"QUIC\": supported values: \"TCP\", \"UDP\""),
    (SMALLEST, "spec: {storageConnectorAuthentication: NEVER}", "Unsupported value: \"NEVER\": supported values: \"FORCE_REAUTHENTICATION\", \"REUSE_CREDENTIALS\""),
    (SMALLEST, "spec: {disruption: {policy: Always}}", "spec.disruption.policy: Unsupported value: \"Always\": supported values: \"WhenIdle\", \"Immediate\", \"Never\""),
    (SMALLEST, "spec: {disruption: {drain: true}}", "unknown field \"spec.disruption.drain\""),
    (SMALLEST, "spec: {fleetRef: {name: a, namespace: b}}", "unknown field \"spec.fleetRef.namespace\""),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (FULL, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of a stack cannot be changed: create a Stack object with the other name, send users there, then delete this one"),
    (SMALLEST, "{}", "spec: {name: good}", ""),
    (SMALLEST, "{}", "spec: {region: eu-west-1}", ""),
    (SMALLEST, "{}", "spec: {account: other}", ""),
    (FULL, "{}", "spec: {account: other}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set: create a Stack object with another name there, then delete this one"),
    (FULL, "{}", "spec: {account: null}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set"),
    (FULL, "{}", "spec: {region: null}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set: create a Stack object with another name there, then delete this one"),
    (FULL, "{}", "spec: {fleetRef: null, fleetName: other}", ""),
    (NAMED, "{}", "spec: {fleetName: null}", ""),
    (FULL, "{}", "spec: {displayName: null, storageConnectors: null, userSettings: null, applicationSettings: null, accessEndpoints: null, embedHostDomains: null, streamingExperienceSettings: null, contentRedirection: null, agentAccessConfig: null, storageConnectorAuthentication: null, disruption: null, tags: null}", ""),
];

fn rows() -> Vec<Bound> {
    vec![
        row(SMALLEST, "name", (1, 101), letters),
        row(SMALLEST, "fleetName", (1, 101), letters),
        row(SMALLEST, "fleetRef.name", (1, 253), letters),
        row(SMALLEST, "displayName", (1, 100), letters),
        row(SMALLEST, "description", (1, 256), letters),
        row(SMALLEST, "tags.a", (0, 256), letters),
        row(SMALLEST, "account", (1, 253), letters),
        long(SMALLEST, "region", (1, 32), |size| padded("aa-", size, "-1")),
        long(SMALLEST, "redirectURL", (1, 1000), |size| padded("https://", size, "")),
        long(SMALLEST, "feedbackURL", (1, 1000), |size| padded("https://", size, "")),
        row(FULL, "storageConnectors", (1, 3), connectors),
        row(FULL, "storageConnectors.0.resourceIdentifier", (1, 2048), letters),
        row(FULL, "storageConnectors.0.domains", (1, 50), |size| list(size, |n| json!(format!("d{n}")))),
        row(FULL, "storageConnectors.0.domains.0", (1, 64), letters),
        row(FULL, "storageConnectors.0.domainsRequireAdminConsent", (1, 50), |size| {
            list(size, |n| json!(format!("d{n}")))
        }),
        row(FULL, "storageConnectors.0.domainsRequireAdminConsent.0", (1, 64), letters),
        row(SMALLEST, "userSettings", (1, 32), |size| {
            list(size, |n| json!({ "action": format!("ACTION_{n}"), "permission": "ENABLED" }))
        }),
        row(UPLOAD, "userSettings.0.action", (1, 64), |size| "A".repeat(size as usize).into()),
        row(FULL, "userSettings.0.maximumLength", (1, 20_971_520), |size| size.into()),
        row(FULL, "applicationSettings.settingsGroup", (1, 100), letters),
        row(SMALLEST, "accessEndpoints", (1, 4), |size| {
            list(size, |n| json!({ "endpointType": "STREAMING", "vpceId": format!("vpce-{n}") }))
        }),
        row(FULL, "accessEndpoints.0.endpointType", (1, 64), |size| "A".repeat(size as usize).into()),
        long(FULL, "accessEndpoints.0.vpceId", (1, 64), |size| padded("vpce-", size, "")),
        row(SMALLEST, "embedHostDomains", (1, 20), |size| list(size, |n| json!(format!("d{n}.example.com")))),
        long(SMALLEST, "embedHostDomains.0", (1, 128), domain),
        row(FULL, "contentRedirection.hostToClient.allowedUrls", (1, 100), |size| {
            list(size, |n| json!(format!("https://d{n}.example.com")))
        }),
        long(FULL, "contentRedirection.hostToClient.allowedUrls.0", (1, 2048), |size| padded("https://", size, "")),
        row(FULL, "contentRedirection.hostToClient.deniedUrls", (1, 100), |size| {
            list(size, |n| json!(format!("https://d{n}.example.com")))
        }),
        long(FULL, "contentRedirection.hostToClient.deniedUrls.0", (1, 2048), |size| padded("https://", size, "")),
        row(FULL, "agentAccessConfig.settings", (1, 16), |size| {
            list(size, |n| json!({ "agentAction": format!("ACTION_{n}"), "permission": "ENABLED" }))
        }),
        row(FULL, "agentAccessConfig.settings.0.agentAction", (1, 64), |size| "A".repeat(size as usize).into()),
        long(FULL, "agentAccessConfig.s3BucketArn", (1, 2048), |size| padded("arn:aws:s3:::", size, "")),
        row(FULL, "agentAccessConfig.screenResolution", (1, 64), letters),
        row(FULL, "agentAccessConfig.screenImageFormat", (1, 64), letters),
        row(FULL, "agentAccessConfig.userControlMode", (1, 64), letters),
        row(FULL, "disruption.windows.0.name", (1, 63), letters),
        row(FULL, "disruption.windows.0.timeZone", (1, 64), letters),
        long(FULL, "disruption.forceAfter", (2, 21), duration),
        long(FULL, "disruption.windows.0.duration", (2, 21), duration),
        row(FULL, "disruption.windows.0.start", (9, 128), cron),
        row(SMALLEST, "tags", (0, 45), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
        row(SMALLEST, "disruption.windows", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("w{n}"), "start": "0 1 * * *", "duration": "1h" }))
        }),
    ]
}

/// There are three types of connector: a fourth entry repeats one, which is as wrong as its being the fourth.
fn connectors(size: i64) -> Value {
    let types = ["ONE_DRIVE", "GOOGLE_DRIVE", "HOMEFOLDERS"];
    list(size, |n| json!({ "connectorType": types[n as usize % 3] }))
}

/// Labels of at most 63 letters with dots between.
fn domain(size: i64) -> Value {
    let text: String = (0..size).map(|n| if n % 50 == 49 { '.' } else { 'a' }).collect();
    match text.strip_suffix('.') {
        Some(cut) => format!("{cut}a").into(),
        None => text.into(),
    }
}

/// A status with everything in it, as large as the operator may write it.
fn status() -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x", "name": "good", "fleetName": "fleet",
        "arn": "arn:aws-us-gov:appstream:us-gov-west-1:123456789012:stack/good",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "createdTime": at,
        "stackErrors": vec![json!({"errorCode": "STORAGE_CONNECTOR_ERROR", "errorMessage": "m".repeat(4096)}); 100],
        "pendingChanges": vec![json!({"field": "fleetRef", "from": "a", "to": "b", "impact": "None", "waitingFor": "users", "since": at}); 100],
        "sessions": {"count": 2, "oldest": at},
        "internal": {
            "intent": {"name": "good", "at": at, "account": "123456789012", "region": "us-gov-west-1"}, "stateSince": at,
            "applied": {"tags": ["a", "b"], "fields": ["userSettings"], "fleet": "fleet"},
            "rejected": {"generation": 1, "code": "InvalidParameterCombinationException", "message": "no", "change": "a=b"},
            "refusedFleet": {"generation": 1, "code": "ResourceNotFoundException", "message": "no", "change": "a"}
        }
    })
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: good}
spec: {}
",
);

const FULL: Good = Good(
    "FULL",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: good}
spec:
  name: Good_Stack.1
  account: production
  region: us-gov-west-1
  tags: {team: a}
  deletionPolicy: Retain
  adoptionPolicy: IfExists
  managementPolicy: Observe
  recreatePolicy: Never
  deletionProtection: true
  fleetRef: {name: office}
  displayName: Bürö №1
  description: With every field
  storageConnectors:
  - {connectorType: ONE_DRIVE, resourceIdentifier: onedrive.com, domains: [example.com], domainsRequireAdminConsent: [example.com]}
  - {connectorType: HOMEFOLDERS}
  redirectURL: https://example.com/goodbye?a=b&c=é
  feedbackURL: http://example.com
  userSettings:
  - {action: CLIPBOARD_COPY_TO_LOCAL_DEVICE, permission: ENABLED, maximumLength: 100}
  - {action: FILE_UPLOAD, permission: DISABLED}
  applicationSettings: {enabled: true, settingsGroup: office}
  accessEndpoints:
  - {endpointType: STREAMING, vpceId: vpce-0a1b2c3d4e5f67890}
  embedHostDomains: [a.b.example.org, portal.example.com]
  streamingExperienceSettings: {preferredProtocol: UDP}
  contentRedirection: {hostToClient: {enabled: true, allowedUrls: ['*'], deniedUrls: ['https://*.example.com/*']}}
  agentAccessConfig:
    settings: [{agentAction: COMPUTER_VISION, permission: ENABLED}]
    s3BucketArn: arn:aws-us-gov:s3:::screens
    screenshotsUploadEnabled: true
    screenResolution: W_1280xH_720
    screenImageFormat: PNG
    userControlMode: VIEW_ONLY
  storageConnectorAuthentication: FORCE_REAUTHENTICATION
  disruption:
    policy: Never
    forceAfter: 1h30m
    windows:
    - {name: night, start: '0 22 * * SUN', duration: 2h, timeZone: Europe/Berlin}
    - {name: month-end, start: '*/5 0-6/2,23 L JAN-MAR,12 *', duration: 90s}
",
);

/// With a user setting that has no length, so that its action may be any.
const UPLOAD: Good = Good(
    "UPLOAD",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: good}
spec: {userSettings: [{action: FILE_UPLOAD, permission: ENABLED}]}
",
);

const NAMED: Good = Good(
    "NAMED",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: good}
spec: {fleetName: Office_Fleet.1}
",
);
