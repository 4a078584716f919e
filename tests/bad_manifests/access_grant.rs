//! What is tried of an AccessGrant.

use serde_json::{Map, Value, json};

use super::bounds::{Bound, letters, long, padded, row};
use super::{Change, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "AccessGrant",
    good: &[SMALLEST, FULL, RAW, INSTANCE, COMPUTE],
    defaults: &[],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "TARGET", "EXPIRES", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // One target.
    (SMALLEST, "spec: {lightsailInstance: null}", "spec: Invalid value: a grant has exactly one target: give one of lightsailInstance, gameLiftInstance and gameLiftCompute"),
    (SMALLEST, "spec: {gameLiftInstance: {fleetId: fleet-1, instanceId: i-1}}", "a grant has exactly one target"),
    (INSTANCE, "spec: {gameLiftCompute: {fleetId: fleet-1, computeName: i-1}}", "a grant has exactly one target"),
    (SMALLEST, "spec: {lightsailInstance: {name: web}}", "spec.lightsailInstance: Invalid value: give exactly one of instanceRef (an Instance object of this namespace) and name (an instance in AWS)"),
    (RAW, "spec: {lightsailInstance: {name: null}}", "give exactly one of instanceRef (an Instance object of this namespace) and name (an instance in AWS)"),
    (SMALLEST, "spec: {decryptionKeyRef: {name: a}}", "spec.decryptionKeyRef: Forbidden: decryptionKeyRef decrypts the password of a Lightsail instance with Windows: leave it out, or give lightsailInstance with protocol rdp"),
    (COMPUTE, "spec: {decryptionKeyRef: {name: a}}", "decryptionKeyRef decrypts the password of a Lightsail instance with Windows"),
    // What is required.
    (SMALLEST, "spec: {duration: null}", "spec.duration: Required value"),
    (SMALLEST, "spec: {lightsailInstance: {protocol: null}}", "spec.lightsailInstance.protocol: Required value"),
    (SMALLEST, "spec: {lightsailInstance: {instanceRef: {name: null}}}", "spec.lightsailInstance.instanceRef.name: Required value"),
    (INSTANCE, "spec: {gameLiftInstance: {instanceId: null}}", "spec.gameLiftInstance.instanceId: Required value"),
    (COMPUTE, "spec: {gameLiftCompute: {computeName: null}}", "spec.gameLiftCompute.computeName: Required value"),
    (FULL, "spec: {decryptionKeyRef: {name: null}}", "spec.decryptionKeyRef.name: Required value"),
    // Times.
    (SMALLEST, "spec: {duration: 59s}", "spec.duration: Invalid value: \"59s\": a grant lasts one minute (1m) at least"),
    (SMALLEST, "spec: {duration: 8761h}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {duration: two hours}", "a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (SMALLEST, "spec: {duration: 0h0m}", "a duration must be longer than zero"),
    (SMALLEST, "spec: {startsAt: tomorrow}", "spec.startsAt: Invalid value"),
    (SMALLEST, "spec: {refresh: {interval: 30s}}", "spec.refresh.interval: Invalid value: \"30s\": credentials are renewed once a minute (1m) at most"),
    (SMALLEST, "spec: {refresh: {interval: 25h}}", "credentials are renewed once a day (24h) at least"),
    (SMALLEST, "spec: {refresh: {interval: often}}", "a duration is written in hours, minutes and seconds"),
    // Forms.
    (RAW, "spec: {lightsailInstance: {name: custom gitlab}}", "a Lightsail name has 2 to 255 letters, digits, `_`, `.` and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {lightsailInstance: {instanceRef: {name: Web}}}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {lightsailInstance: {protocol: SSH}}", "spec.lightsailInstance.protocol: Unsupported value: \"SSH\": supported values: \"ssh\", \"rdp\""),
    (INSTANCE, "spec: {gameLiftInstance: {fleetId: game}}", "this is not the id or ARN of a GameLift fleet, which look like fleet-1a2b3c4d-0000-1111-2222-333344445555 and arn:aws:gamelift:eu-central-1:123456789012:fleet/fleet-1a2b3c4d-0000-1111-2222-333344445555"),
    (INSTANCE, "spec: {gameLiftInstance: {instanceId: 'i 1'}}", "this is not the id of an instance, which looks like i-0a1b2c3d4e5f67890"),
    (COMPUTE, "spec: {gameLiftCompute: {computeName: 'a/b/c'}}", "this is not the name or ARN of a GameLift compute, which look like compute-1a2b3c4d or i-0a1b2c3d4e5f67890, and arn:aws:gamelift:eu-central-1:123456789012:compute/compute-1a2b3c4d"),
    (SMALLEST, "spec: {secret: {name: My_Secret}}", "the name of an object has lower-case letters"),
    (SMALLEST, "spec: {secret: {labels: {windlass.dev/grant-uid: a}}}", "labels that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {secret: {labels: {'a b': a}}}", "a label key has letters, digits, `-`, `_` and `.`, at most 63 characters, such as team or example.com/team"),
    (SMALLEST, "spec: {secret: {labels: {a: 'b c'}}}", "a label value has letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {secret: {annotations: {windlass.dev/renew-at: a}}}", "annotations that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {secret: {annotations: {'a b': a}}}", "an annotation key has letters, digits, `-`, `_` and `.`, at most 63 characters, such as note or example.com/note"),
    (FULL, "spec: {decryptionKeyRef: {key: 'a/b'}}", "a key of a Secret or ConfigMap has letters, digits, `-`, `_` and `.`"),
    (SMALLEST, "spec: {region: Frankfurt}", "this is not an AWS Region, which looks like eu-central-1"),
    // Closed: no other namespace, no type of one's own.
    (SMALLEST, "spec: {secret: {namespace: kube-system}}", "unknown field \"spec.secret.namespace\""),
    (SMALLEST, "spec: {secret: {type: Opaque}}", "unknown field \"spec.secret.type\""),
    (SMALLEST, "spec: {lightsailInstance: {instanceRef: {namespace: a}}}", "unknown field \"spec.lightsailInstance.instanceRef.namespace\""),
    (FULL, "spec: {decryptionKeyRef: {namespace: a}}", "unknown field \"spec.decryptionKeyRef.namespace\""),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (SMALLEST, "{}", "spec: {duration: 30m}", ""),
    (SMALLEST, "{}", "spec: {duration: 7200s}", ""),
    (SMALLEST, "{}", "spec: {duration: 2h1s}", "spec.duration: Forbidden: a grant can be shortened and not made longer: create another AccessGrant object for the time after it"),
    (SMALLEST, "{}", "spec: {duration: long}", "a duration is written in hours, minutes and seconds"),
    (SMALLEST, "{}", "spec: {lightsailInstance: {instanceRef: {name: other}}}", "spec.lightsailInstance: Forbidden: the target of a grant cannot be changed: create an AccessGrant object for the other one"),
    (SMALLEST, "{}", "spec: {lightsailInstance: null, gameLiftInstance: {fleetId: fleet-1, instanceId: i-1}}", "the target of a grant cannot be changed"),
    (INSTANCE, "{}", "spec: {gameLiftInstance: {instanceId: i-2}}", "spec.gameLiftInstance: Forbidden: the target of a grant cannot be changed"),
    (COMPUTE, "{}", "spec: {gameLiftCompute: {computeName: i-2}}", "spec.gameLiftCompute: Forbidden: the target of a grant cannot be changed"),
    (SMALLEST, "{}", "spec: {startsAt: '2026-01-01T00:00:00Z'}", "spec.startsAt: Forbidden: the beginning of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one"),
    (FULL, "{}", "spec: {startsAt: null}", "spec.startsAt: Forbidden: the beginning of a grant cannot be changed"),
    (FULL, "{}", "spec: {reason: other}", "spec.reason: Forbidden: the reason of a grant cannot be changed, because it is in the records already: create another AccessGrant object"),
    (FULL, "{}", "spec: {refresh: {interval: 5m}}", "spec.refresh: Forbidden: how often a grant is renewed cannot be changed: create an AccessGrant object with the other interval, then delete this one"),
    (SMALLEST, "{}", "spec: {secret: {name: other}}", "spec.secret: Forbidden: the Secret of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one"),
    (FULL, "{}", "spec: {secret: {labels: {team: b}}}", "spec.secret: Forbidden: the Secret of a grant cannot be changed"),
    (FULL, "{}", "spec: {decryptionKeyRef: {name: other}}", "spec.decryptionKeyRef: Forbidden: the decryption key of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one"),
    (FULL, "{}", "spec: {region: eu-west-1}", "spec.region: Forbidden: the Region of a grant cannot be changed: create an AccessGrant object there, then delete this one"),
    (SMALLEST, "{}", "spec: {region: eu-west-1}", "spec.region: Forbidden: the Region of a grant cannot be changed"),
    (SMALLEST, "{}", "spec: {account: production}", "spec.account: Forbidden: the account of a grant cannot be changed: create an AccessGrant object there, then delete this one"),
];

fn rows() -> Vec<Bound> {
    vec![
        row(SMALLEST, "lightsailInstance.instanceRef.name", (1, 253), letters),
        row(RAW, "lightsailInstance.name", (2, 255), letters),
        long(INSTANCE, "gameLiftInstance.fleetId", (1, 512), |size| padded("fleet-", size, "")),
        row(INSTANCE, "gameLiftInstance.instanceId", (1, 256), letters),
        long(COMPUTE, "gameLiftCompute.fleetId", (1, 512), |size| padded("fleet-", size, "")),
        row(COMPUTE, "gameLiftCompute.computeName", (1, 1024), letters),
        long(SMALLEST, "duration", (2, 21), of_a_day),
        long(SMALLEST, "refresh.interval", (2, 21), of_a_day),
        row(SMALLEST, "reason", (1, 1024), letters),
        row(SMALLEST, "secret.name", (1, 253), letters),
        row(SMALLEST, "secret.labels.a", (0, 63), letters),
        row(SMALLEST, "secret.annotations.a", (0, 4096), letters),
        row(SMALLEST, "secret.labels", (0, 32), entries),
        row(SMALLEST, "secret.annotations", (0, 32), entries),
        row(FULL, "decryptionKeyRef.name", (1, 253), letters),
        row(FULL, "decryptionKeyRef.key", (1, 253), letters),
        row(SMALLEST, "account", (1, 253), letters),
        long(SMALLEST, "region", (1, 32), |size| padded("aa-", size, "-1")),
    ]
}

fn entries(size: i64) -> Value {
    (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<Map<_, _>>().into()
}

/// Less than a day, written at length.
fn of_a_day(size: i64) -> Value {
    let longest = "000023h000059m000059s";
    match longest.len().checked_sub(size as usize) {
        Some(spare) => longest[spare..].into(),
        None => format!("0{longest}").into(),
    }
}

/// A status with everything in it.
fn status() -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x",
        "arn": "arn:aws:lightsail:eu-central-1:123456789012:Instance/bd470fc5-0000-4000-8000-000000000000",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "target": "Instance web (ssh)", "startsAt": at, "endsAt": at, "secretName": "good", "credentialExpiresAt": at,
        "internal": {
            "target": {"name": "web", "id": "arn:aws:lightsail:eu-central-1:123456789012:Instance/bd470fc5", "created": at, "account": "123456789012"},
            "missingSince": at, "ended": "TargetGone"
        }
    })
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: access.windlass.dev/v1alpha1
kind: AccessGrant
metadata: {name: good}
spec: {lightsailInstance: {instanceRef: {name: web}, protocol: ssh}, duration: 2h}
",
);

const FULL: Good = Good(
    "FULL",
    "
apiVersion: access.windlass.dev/v1alpha1
kind: AccessGrant
metadata: {name: good}
spec:
  lightsailInstance:
    instanceRef: {name: windows.desk-1}
    protocol: rdp
  duration: 1h30m
  startsAt: '2026-11-23T08:00:00Z'
  reason: 'A look at incident 1234: why?'
  refresh: {interval: 24h}
  secret:
    name: desk.login-1
    labels: {team: a, example.com/tier: '', app.kubernetes.io/name: x_y.z-1}
    annotations: {example.com/note: 'any text at all, é'}
  decryptionKeyRef: {name: key, key: private.pem}
  account: team-1
  region: eu-central-1
",
);

const RAW: Good = Good(
    "RAW",
    "
apiVersion: access.windlass.dev/v1alpha1
kind: AccessGrant
metadata: {name: good}
spec:
  lightsailInstance: {name: Web_Server.1, protocol: ssh}
  duration: 1m
  secret: {}
  refresh: {}
",
);

const INSTANCE: Good = Good(
    "INSTANCE",
    "
apiVersion: access.windlass.dev/v1alpha1
kind: AccessGrant
metadata: {name: good}
spec:
  gameLiftInstance: {fleetId: 'arn:aws:gamelift:us-west-2::fleet/fleet-1a2b3c4d-0000-1111-2222-333344445555', instanceId: i-0a1b2c3d4e5f67890}
  duration: 8760h
",
);

const COMPUTE: Good = Good(
    "COMPUTE",
    "
apiVersion: access.windlass.dev/v1alpha1
kind: AccessGrant
metadata: {name: good}
spec:
  gameLiftCompute: {fleetId: containerfleet-1a2b3c4d, computeName: 'arn:aws:gamelift:us-west-2:123456789012:compute/compute-1a2b/x'}
  duration: 15m
",
);
