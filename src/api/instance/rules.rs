//! What no single field of an Instance can be judged by: which fields go together, and which cannot change.

use crate::api::schema::{Rule, forbid, form, require};

/// The longest name that leaves room for `-` and eight characters of the uid in the name of a static IP.
macro_rules! room_for_uid {
    () => {
        "246"
    };
}

/// Rules on the whole object.
pub const OBJECT: [Rule; 3] = [
    form(
        "has(self.spec.name) || self.metadata.name.size() >= 2",
        "the object's name is the instance's name in AWS, which has at least 2 characters: give a longer spec.name",
    ),
    forbid(
        ".spec.name",
        "(has(self.spec.name) ? self.spec.name : self.metadata.name) == (has(oldSelf.spec.name) ? oldSelf.spec.name : oldSelf.metadata.name)",
        "the name of an instance cannot be changed: create an Instance object with the other name, move what is on the instance, then delete this one",
    ),
    forbid(
        ".spec.staticIp",
        concat!(
            "!has(self.spec.staticIp) || has(self.spec.staticIp.name) || (has(self.spec.name) ? self.spec.name : self.metadata.name).size() <= ",
            room_for_uid!()
        ),
        concat!(
            "the operator's own static IP is named after the instance, whose name may then have at most ",
            room_for_uid!(),
            " characters: give a shorter name, or the name of a static IP that exists"
        ),
    ),
];

/// Rules on the spec.
pub const SPEC: [Rule; 10] = [
    forbid(
        ".availabilityZone",
        "self.availabilityZone == oldSelf.availabilityZone",
        "AWS cannot move an instance to another Availability Zone: create an Instance object with another name there, move what is on the instance, then delete this one",
    ),
    forbid(
        ".blueprintId",
        "self.blueprintId == oldSelf.blueprintId",
        "AWS cannot change what an instance was made of: create an Instance object with another name and the other blueprint, move what is on the instance, then delete this one",
    ),
    forbid(
        ".keyPairName",
        "has(self.keyPairName) == has(oldSelf.keyPairName) && (!has(self.keyPairName) || self.keyPairName == oldSelf.keyPairName)",
        "AWS puts the key pair on an instance when it is created and cannot change it: add the other key to ~/.ssh/authorized_keys on the instance, or create an Instance object with another name and that key pair",
    ),
    forbid(
        ".userData",
        "has(self.userData) == has(oldSelf.userData) && (!has(self.userData) || self.userData == oldSelf.userData)",
        "user data runs once, when an instance starts for the first time: make the change on the instance itself, or create an Instance object with another name and the other user data",
    ),
    forbid(
        ".userDataFrom",
        "has(self.userDataFrom) == has(oldSelf.userDataFrom) && (!has(self.userDataFrom) || self.userDataFrom == oldSelf.userDataFrom)",
        "user data is read once, when an instance is created: make the change on the instance itself, or create an Instance object with another name and the other source",
    ),
    forbid(
        ".region",
        "!has(oldSelf.region) || has(self.region) && self.region == oldSelf.region",
        "the Region cannot be changed or taken away once it is set: create an Instance object with another name there, then delete this one",
    ),
    // When Account objects exist, this rule gives way to the one that `region` has.
    forbid(
        ".account",
        "!has(self.account)",
        "Account objects come with a later release: leave account out, and the operator's own AWS identity is used",
    ),
    forbid(
        ".userData",
        "!(has(self.userData) && has(self.userDataFrom))",
        "userData and userDataFrom say the same thing: give one of them, userDataFrom for what is secret",
    ),
    forbid(
        ".staticIp",
        "!has(self.staticIp) || !has(self.ipAddressType) || self.ipAddressType != 'ipv6'",
        "a static IP is an IPv4 address, which an instance with ipAddressType ipv6 does not have: leave staticIp out, or choose dualstack",
    ),
    forbid(
        ".availabilityZone",
        "!has(self.region) || self.availabilityZone.startsWith(self.region) && self.availabilityZone.size() == self.region.size() + 1",
        "the Availability Zone lies in another Region than region says: give the zone of that Region, which is its name and a letter",
    ),
];

/// Rules on `userDataFrom`.
pub const USER_DATA_SOURCE: [Rule; 1] = [form(
    "has(self.secretKeyRef) != has(self.configMapKeyRef)",
    "give exactly one of secretKeyRef and configMapKeyRef",
)];

/// Rules on an entry of `publicPorts`.
pub const PUBLIC_PORT: [Rule; 3] = [
    form(
        "!(self.protocol in ['tcp', 'udp']) || 0 <= self.fromPort && self.fromPort <= self.toPort",
        "ports of tcp and udp are 0 to 65535, and fromPort is not above toPort",
    ),
    form(
        "!(self.protocol in ['icmp', 'icmpv6']) || self.fromPort <= 255 && self.toPort <= 255",
        "for ICMP fromPort is the type and toPort the code, each -1 to 255, such as 8 and -1 for ping (icmpv6: 128 and 0)",
    ),
    form(
        "self.protocol != 'all' || self.fromPort == 0 && self.toPort == 65535",
        "protocol all is every port of every protocol: give fromPort 0 and toPort 65535",
    ),
];

/// Rules on `addOns`.
pub const ADD_ONS: [Rule; 1] =
    [require(".autoSnapshot", "has(self.autoSnapshot)", "addOns is empty: give autoSnapshot, or leave addOns out")];

/// Rules on `metadataOptions`.
pub const METADATA_OPTIONS: [Rule; 1] = [form(
    "has(self.httpTokens) || has(self.httpEndpoint) || has(self.httpPutResponseHopLimit) || has(self.httpProtocolIpv6)",
    "metadataOptions is empty: give at least one of its fields, or leave it out for AWS's own",
)];
