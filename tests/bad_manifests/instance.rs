//! What is tried of an Instance.

use serde_json::{Value, json};

use super::bounds::{Bound, cron, duration, letters, list, long, padded, row};
use super::{Change, Cluster, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "Instance",
    good: &[SMALLEST, FULL, SCRIPTED, MAPPED],
    defaults: &[
        ("desiredState", "Running"),
        ("autoSnapshotsOnDelete", "Wait"),
        ("deletionPolicy", "Delete"),
        ("adoptionPolicy", "Never"),
        ("managementPolicy", "Manage"),
        ("recreatePolicy", "Never"),
    ],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "STATE", "IP", "BUNDLE", "BLUEPRINT", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // Which fields go together.
    (SCRIPTED, "spec: {userDataFrom: {secretKeyRef: {name: a, key: b}}}", "spec.userData: Forbidden: userData and userDataFrom say the same thing: give one of them, userDataFrom for what is secret"),
    (SMALLEST, "spec: {userDataFrom: {}}", "spec.userDataFrom: Invalid value: give exactly one of secretKeyRef and configMapKeyRef"),
    (FULL, "spec: {userDataFrom: {configMapKeyRef: {name: a, key: b}}}", "give exactly one of secretKeyRef and configMapKeyRef"),
    (SMALLEST, "spec: {staticIp: {}, ipAddressType: ipv6}", "spec.staticIp: Forbidden: a static IP is an IPv4 address, which an instance with ipAddressType ipv6 does not have: leave staticIp out, or choose dualstack"),
    (SMALLEST, "spec: {region: eu-west-1}", "spec.availabilityZone: Forbidden: the Availability Zone lies in another Region than region says: give the zone of that Region, which is its name and a letter"),
    (SMALLEST, "spec: {region: eu-central-1, availabilityZone: eu-central-11a}", "the Availability Zone lies in another Region than region says"),
    (SMALLEST, "spec: {addOns: {}}", "spec.addOns.autoSnapshot: Required value: addOns is empty: give autoSnapshot, or leave addOns out"),
    (SMALLEST, "spec: {metadataOptions: {}}", "metadataOptions is empty: give at least one of its fields, or leave it out for AWS's own"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 443, toPort: 80}]}", "spec.publicPorts[0]: Invalid value: ports of tcp and udp are 0 to 65535, and fromPort is not above toPort"),
    (SMALLEST, "spec: {publicPorts: [{protocol: udp, fromPort: -1, toPort: 80}]}", "ports of tcp and udp are 0 to 65535, and fromPort is not above toPort"),
    (SMALLEST, "spec: {publicPorts: [{protocol: icmp, fromPort: 256, toPort: -1}]}", "for ICMP fromPort is the type and toPort the code, each -1 to 255, such as 8 and -1 for ping (icmpv6: 128 and 0)"),
    (SMALLEST, "spec: {publicPorts: [{protocol: all, fromPort: 0, toPort: 0}]}", "protocol all is every port of every protocol: give fromPort 0 and toPort 65535"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22}, {protocol: tcp, fromPort: 22, toPort: 22, cidrs: [10.0.0.1]}]}", "spec.publicPorts[1]: Duplicate value"),
    (SMALLEST, "metadata: {name: a}", "the object's name is the instance's name in AWS, which has at least 2 characters: give a longer spec.name"),
    (SMALLEST, "{metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}, spec: {staticIp: {}}}", "spec.staticIp: Forbidden: the operator's own static IP is named after the instance, whose name may then have at most 246 characters: give a shorter name, or the name of a static IP that exists"),
    // What is required.
    (SMALLEST, "spec: {availabilityZone: null}", "spec.availabilityZone: Required value"),
    (SMALLEST, "spec: {blueprintId: null}", "spec.blueprintId: Required value"),
    (SMALLEST, "spec: {bundleId: null}", "spec.bundleId: Required value"),
    (SMALLEST, "spec: {publicPorts: [{fromPort: 22, toPort: 22}]}", "spec.publicPorts[0].protocol: Required value"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, toPort: 22}]}", "spec.publicPorts[0].fromPort: Required value"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22}]}", "spec.publicPorts[0].toPort: Required value"),
    (SMALLEST, "spec: {userDataFrom: {secretKeyRef: {name: a}}}", "spec.userDataFrom.secretKeyRef.key: Required value"),
    (SMALLEST, "spec: {userDataFrom: {configMapKeyRef: {key: a}}}", "spec.userDataFrom.configMapKeyRef.name: Required value"),
    // Forms.
    (SMALLEST, "spec: {name: -a}", "a Lightsail name has 2 to 255 letters, digits, `_`, `.` and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {name: a.}", "a Lightsail name has 2 to 255 letters, digits"),
    (SMALLEST, "spec: {name: custom gitlab}", "a Lightsail name has 2 to 255 letters, digits"),
    (SMALLEST, "spec: {staticIp: {name: _ab}}", "spec.staticIp.name: Invalid value: \"_ab\": a Lightsail name has 2 to 255 letters, digits"),
    (SMALLEST, "spec: {availabilityZone: eu-central-1}", "spec.availabilityZone: Invalid value: \"eu-central-1\": this is not an Availability Zone, which is a Region and a letter, such as eu-central-1a"),
    (SMALLEST, "spec: {availabilityZone: EU-CENTRAL-1A}", "this is not an Availability Zone"),
    (SMALLEST, "spec: {blueprintId: Ubuntu 24.04}", "an id of Lightsail's catalogue has lower-case letters, digits, `_`, `.` and `-`, such as ubuntu_24_04 or nano_3_0"),
    (SMALLEST, "spec: {bundleId: Nano}", "spec.bundleId: Invalid value: \"Nano\": an id of Lightsail's catalogue has lower-case letters"),
    (SMALLEST, "spec: {keyPairName: 'my key'}", "the name of a key pair has letters, digits, `_`, `.` and `-`, and begins and ends with a letter, digit or `_`"),
    (SMALLEST, "spec: {userDataFrom: {secretKeyRef: {name: My-Secret, key: a}}}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {userDataFrom: {secretKeyRef: {name: a, key: 'a/b'}}}", "a key of a Secret or ConfigMap has letters, digits, `-`, `_` and `.`"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, cidrs: [10.0.0.0/33]}]}", "spec.publicPorts[0].cidrs[0]: Invalid value: \"10.0.0.0/33\": this is not an IPv4 address or range, which looks like 192.0.2.44 or 192.0.2.0/24"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, cidrs: [256.0.0.1]}]}", "this is not an IPv4 address or range"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, cidrs: ['2001:db8::1']}]}", "this is not an IPv4 address or range"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, cidrs: [10.0.0.1, 10.0.0.1]}]}", "spec.publicPorts[0].cidrs[1]: Duplicate value"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, ipv6Cidrs: [10.0.0.1]}]}", "this is not an IPv6 address or range, which looks like 2001:db8::1 or 2001:db8::/32"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, ipv6Cidrs: ['2001:db8::/129']}]}", "this is not an IPv6 address or range"),
    (SMALLEST, "spec: {publicPorts: [{protocol: tcp, fromPort: 22, toPort: 22, cidrListAliases: [Lightsail Connect]}]}", "an alias of addresses has lower-case letters, digits and `-`, such as lightsail-connect"),
    (SMALLEST, "spec: {addOns: {autoSnapshot: {snapshotTimeOfDay: '06:30'}}}", "spec.addOns.autoSnapshot.snapshotTimeOfDay: Invalid value: \"06:30\": a snapshot begins at a full hour in UTC, written such as 06:00"),
    (SMALLEST, "spec: {addOns: {autoSnapshot: {snapshotTimeOfDay: '24:00'}}}", "a snapshot begins at a full hour in UTC, written such as 06:00"),
    (SMALLEST, "spec: {region: Frankfurt}", "this is not an AWS Region, which looks like eu-central-1"),
    // Windows.
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: two hours}]}}", "a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 0h0m}]}}", "a duration must be longer than zero"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 8761h}]}}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {disruption: {windows: [{name: Night, start: '0 1 * * *', duration: 1h}]}}", "this name has 1 to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: '+01:00'}]}}", "this is not an IANA time zone, which looks like Europe/Berlin or UTC"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '60 1 * * *', duration: 1h}]}}", "a cron expression has five fields with spaces between: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as \"0 22 * * MON-FRI\""),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 0 30 2 *', duration: 1h}]}}", "this cron expression names days that no year has (the 30th or 31st of a month that is shorter), so it would never come true"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h}, {name: a, start: '0 2 * * *', duration: 1h}]}}", "spec.disruption.windows[1]: Duplicate value: {\"name\":\"a\"}"),
    // Tags.
    (SMALLEST, "spec: {tags: {'aws:owner': a}}", "spec.tags: Invalid value: tag keys that begin with `aws:` belong to AWS"),
    (SMALLEST, "spec: {tags: {windlass.dev/uid: a}}", "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {tags: {'': a}}", "a tag key has 1 to 128 characters"),
    (SMALLEST, "spec: {tags: {'a#b': c}}", "a tag key has letters, digits, spaces and `_ . : / = + - @`"),
    (SMALLEST, "spec: {tags: {a: 'b*'}}", "a tag value has letters, digits, spaces and `_ . : / = + - @`"),
    // Choices.
    (SMALLEST, "spec: {desiredState: RUNNING}", "spec.desiredState: Unsupported value: \"RUNNING\": supported values: \"Running\", \"Stopped\""),
    (SMALLEST, "spec: {ipAddressType: IPv4}", "spec.ipAddressType: Unsupported value: \"IPv4\": supported values: \"dualstack\", \"ipv4\", \"ipv6\""),
    (SMALLEST, "spec: {autoSnapshotsOnDelete: Keep}", "spec.autoSnapshotsOnDelete: Unsupported value: \"Keep\": supported values: \"Wait\", \"Delete\""),
    (SMALLEST, "spec: {publicPorts: [{protocol: TCP, fromPort: 22, toPort: 22}]}", "spec.publicPorts[0].protocol: Unsupported value: \"TCP\""),
    (SMALLEST, "spec: {metadataOptions: {httpTokens: v2}}", "spec.metadataOptions.httpTokens: Unsupported value: \"v2\": supported values: \"optional\", \"required\""),
    (SMALLEST, "spec: {metadataOptions: {httpEndpoint: 'off'}}", "spec.metadataOptions.httpEndpoint: Unsupported value: \"off\": supported values: \"disabled\", \"enabled\""),
    (SMALLEST, "spec: {disruption: {policy: WhenIdle}}", "spec.disruption.policy: Unsupported value: \"WhenIdle\": supported values: \"Never\", \"Immediate\""),
    (SMALLEST, "spec: {recreatePolicy: Maybe}", "spec.recreatePolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\""),
    // Closed.
    (SMALLEST, "spec: {bundle: nano_3_0}", "unknown field \"spec.bundle\""),
    (SMALLEST, "spec: {staticIp: {release: true}}", "unknown field \"spec.staticIp.release\""),
    (SMALLEST, "spec: {userDataFrom: {secretKeyRef: {name: a, key: b, namespace: c}}}", "unknown field \"spec.userDataFrom.secretKeyRef.namespace\""),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (FULL, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of an instance cannot be changed: create an Instance object with the other name, move what is on the instance, then delete this one"),
    (SMALLEST, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of an instance cannot be changed"),
    (SMALLEST, "{}", "spec: {name: good}", ""),
    (SMALLEST, "{}", "spec: {availabilityZone: eu-central-1b}", "spec.availabilityZone: Forbidden: AWS cannot move an instance to another Availability Zone: create an Instance object with another name there, move what is on the instance, then delete this one"),
    (SMALLEST, "{}", "spec: {blueprintId: debian_12}", "spec.blueprintId: Forbidden: AWS cannot change what an instance was made of: create an Instance object with another name and the other blueprint, move what is on the instance, then delete this one"),
    (FULL, "{}", "spec: {keyPairName: other}", "spec.keyPairName: Forbidden: AWS puts the key pair on an instance when it is created and cannot change it: add the other key to ~/.ssh/authorized_keys on the instance, or create an Instance object with another name and that key pair"),
    (FULL, "{}", "spec: {keyPairName: null}", "spec.keyPairName: Forbidden: AWS puts the key pair on an instance when it is created"),
    (SMALLEST, "{}", "spec: {keyPairName: other}", "spec.keyPairName: Forbidden: AWS puts the key pair on an instance when it is created"),
    (SCRIPTED, "{}", "spec: {userData: '#!/bin/true'}", "spec.userData: Forbidden: user data runs once, when an instance starts for the first time: make the change on the instance itself, or create an Instance object with another name and the other user data"),
    (SCRIPTED, "{}", "spec: {userData: null}", "spec.userData: Forbidden: user data runs once"),
    (SMALLEST, "{}", "spec: {userData: a}", "spec.userData: Forbidden: user data runs once"),
    (FULL, "{}", "spec: {userDataFrom: {secretKeyRef: {key: other}}}", "spec.userDataFrom: Forbidden: user data is read once, when an instance is created: make the change on the instance itself, or create an Instance object with another name and the other source"),
    (MAPPED, "{}", "spec: {userDataFrom: null}", "spec.userDataFrom: Forbidden: user data is read once"),
    (SMALLEST, "{}", "spec: {region: eu-central-1}", ""),
    (SMALLEST, "{}", "spec: {account: other}", ""),
    (FULL, "{}", "spec: {account: other}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set: create an Instance object with another name there, then delete this one"),
    (FULL, "{}", "spec: {account: null}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set"),
    (FULL, "{}", "spec: {region: null}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set: create an Instance object with another name there, then delete this one"),
    (SMALLEST, "{}", "spec: {bundleId: micro_3_0, ipAddressType: ipv6, desiredState: Stopped}", ""),
    (FULL, "{}", "spec: {publicPorts: null, staticIp: null, addOns: null, metadataOptions: null, disruption: null, ipAddressType: null, tags: null}", ""),
    (FULL, "{}", "spec: {staticIp: {name: null}}", ""),
    (FULL, "{}", "spec: {deletionPolicy: Delete, adoptionPolicy: Never, managementPolicy: Manage, recreatePolicy: Never, deletionProtection: false, autoSnapshotsOnDelete: Wait}", ""),
];

fn rows() -> Vec<Bound> {
    vec![
        row(SMALLEST, "name", (2, 255), letters),
        row(SMALLEST, "blueprintId", (1, 128), letters),
        row(SMALLEST, "bundleId", (1, 128), letters),
        row(SMALLEST, "keyPairName", (1, 255), letters),
        row(SMALLEST, "userData", (1, 16_384), letters),
        row(FULL, "userDataFrom.secretKeyRef.name", (1, 253), letters),
        row(FULL, "userDataFrom.secretKeyRef.key", (1, 253), letters),
        row(MAPPED, "userDataFrom.configMapKeyRef.name", (1, 253), letters),
        row(MAPPED, "userDataFrom.configMapKeyRef.key", (1, 253), letters),
        row(SMALLEST, "staticIp.name", (2, 255), letters),
        row(SMALLEST, "tags.a", (0, 256), letters),
        row(FULL, "disruption.windows.0.name", (1, 63), letters),
        row(FULL, "disruption.windows.0.timeZone", (1, 64), letters),
        row(FULL, "disruption.windows.0.start", (9, 128), cron),
        long(FULL, "disruption.windows.0.duration", (2, 21), duration),
        long(SMALLEST, "availabilityZone", (1, 33), |size| padded("aa-", size, "-1a")),
        row(SMALLEST, "account", (1, 253), letters),
        long(FAR, "region", (1, 32), |size| padded("aa-", size, "-1")),
        row(SMALLEST, "addOns.autoSnapshot.snapshotTimeOfDay", (5, 5), |size| match size {
            5 => "06:00".into(),
            size => letters(size),
        }),
        row(SMALLEST, "metadataOptions.httpPutResponseHopLimit", (1, 64), |size| size.into()),
        long(FULL, "publicPorts.0.fromPort", (-1, 65_535), |size| size.into()),
        long(FULL, "publicPorts.0.toPort", (-1, 65_535), |size| size.into()),
        row(FULL, "publicPorts.0.cidrs.0", (7, 18), |size| match size {
            7 => "1.2.3.4".into(),
            18 => "192.168.100.100/32".into(),
            size => letters(size),
        }),
        row(FULL, "publicPorts.0.ipv6Cidrs.0", (2, 49), |size| match size {
            2 => "::".into(),
            49 => "aaaa:bbbb:cccc:dddd:eeee:ffff:255.255.255.255/128".into(),
            size => letters(size),
        }),
        row(FULL, "publicPorts.0.cidrListAliases.0", (1, 64), letters),
        row(FULL, "publicPorts.0.cidrs", (0, 60), |size| list(size, |n| json!(format!("10.0.0.{n}")))),
        row(FULL, "publicPorts.0.ipv6Cidrs", (0, 60), |size| list(size, |n| json!(format!("2001:db8::{n}")))),
        row(FULL, "publicPorts.0.cidrListAliases", (0, 10), |size| list(size, |n| json!(format!("alias-{n}")))),
        row(SMALLEST, "publicPorts", (0, 60), |size| {
            list(size, |n| json!({ "protocol": "tcp", "fromPort": n, "toPort": n }))
        }),
        row(SMALLEST, "tags", (0, 45), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
        row(SMALLEST, "disruption.windows", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("w{n}"), "start": "0 1 * * *", "duration": "1h" }))
        }),
    ]
}

/// A status with everything in it.
fn status() -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x", "name": "good", "state": "running",
        "arn": "arn:aws:lightsail:eu-central-1:123456789012:Instance/bd470fc5-0000-4000-8000-000000000000",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "address": "198.18.0.1", "publicIpAddress": "198.18.0.1", "privateIpAddress": "172.26.0.1",
        "ipv6Addresses": ["2001:db8::1"], "staticIp": {"name": "good-12345678", "ipAddress": "198.18.0.1"},
        "username": "ubuntu", "platform": "LINUX_UNIX", "bundleId": "nano_3_0", "blueprintId": "ubuntu_24_04",
        "availabilityZone": "eu-central-1a", "monthlyPrice": "5.00", "createdTime": at,
        "pendingChanges": vec![json!({"field": "bundleId", "from": "a", "to": "b", "impact": "Restart", "waitingFor": "a window", "since": at}); 100],
        "internal": {
            "intent": {"name": "good", "at": at, "account": "123456789012", "region": "eu-central-1"}, "stateSince": at,
            "applied": {"tags": ["a", "b"], "autoSnapshot": true, "staticIps": ["good-12345678"]},
            "rejected": {"generation": 1, "code": "InvalidInputException", "message": "no", "change": "bundleId=b"},
            "powerSets": {"generation": 1, "count": 3, "at": at},
            "started": {"bundle": "nano_4_0", "at": at}
        }
    })
}

#[tokio::test]
async fn an_empty_disruption_is_one_that_never_restarts() {
    let cluster = Cluster::with("never").await;
    let answer = cluster.create(&SMALLEST.but("spec: {disruption: {}}"), true).await.unwrap();
    assert_eq!(answer["spec"]["disruption"], json!({ "policy": "Never" }));
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: lightsail.windlass.dev/v1alpha1
kind: Instance
metadata: {name: good}
spec: {availabilityZone: eu-central-1a, blueprintId: ubuntu_24_04, bundleId: nano_3_0}
",
);

const FULL: Good = Good(
    "FULL",
    "
apiVersion: lightsail.windlass.dev/v1alpha1
kind: Instance
metadata: {name: good}
spec:
  name: Good_Instance.1
  availabilityZone: us-gov-west-1a
  account: production
  region: us-gov-west-1
  blueprintId: amazon_linux_2023
  bundleId: medium_3_0
  keyPairName: My_Key.1
  userDataFrom: {secretKeyRef: {name: boot, key: script.sh}}
  ipAddressType: dualstack
  desiredState: Stopped
  publicPorts:
  - {protocol: tcp, fromPort: 1024, toPort: 65535, cidrs: [10.0.0.0/8, 192.0.2.44], ipv6Cidrs: ['2001:db8::/32', '::1'], cidrListAliases: [lightsail-connect]}
  - {protocol: udp, fromPort: 0, toPort: 0}
  - {protocol: icmp, fromPort: 8, toPort: -1}
  - {protocol: icmpv6, fromPort: 128, toPort: 0}
  - {protocol: all, fromPort: 0, toPort: 65535}
  staticIp: {name: shared-address}
  addOns: {autoSnapshot: {snapshotTimeOfDay: '23:00'}}
  autoSnapshotsOnDelete: Delete
  metadataOptions: {httpTokens: required, httpEndpoint: enabled, httpPutResponseHopLimit: 2, httpProtocolIpv6: disabled}
  disruption:
    policy: Immediate
    windows:
    - {name: night, start: '0 22 * * SUN', duration: 2h, timeZone: Europe/Berlin}
  tags: {team: a, 'cost centre/é': 'x = y @ z:1+2-3', empty: ''}
  deletionPolicy: Retain
  adoptionPolicy: IfExists
  managementPolicy: Observe
  recreatePolicy: Always
  deletionProtection: true
",
);

const SCRIPTED: Good = Good(
    "SCRIPTED",
    "
apiVersion: lightsail.windlass.dev/v1alpha1
kind: Instance
metadata: {name: good}
spec:
  availabilityZone: eu-central-1a
  blueprintId: ubuntu_24_04
  bundleId: nano_3_0
  userData: |
    #!/bin/sh
    apt-get update
  staticIp: {}
  publicPorts: []
",
);

const MAPPED: Good = Good(
    "MAPPED",
    "
apiVersion: lightsail.windlass.dev/v1alpha1
kind: Instance
metadata: {name: good}
spec:
  availabilityZone: eu-central-1a
  blueprintId: windows_server_2022
  bundleId: medium_win_3_0
  userDataFrom: {configMapKeyRef: {name: boot, key: script.ps1}}
  addOns: {autoSnapshot: {}}
",
);

/// In the Region with the longest name.
const FAR: Good = Good(
    "FAR",
    "
apiVersion: lightsail.windlass.dev/v1alpha1
kind: Instance
metadata: {name: good}
spec: {availabilityZone: aa-aaaaaaaaaaaaaaaaaaaaaaaaaaa-1a, blueprintId: ubuntu_24_04, bundleId: nano_3_0}
",
);
