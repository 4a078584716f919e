//! Key pairs: real RSA ones, whose private half is in the answer of CreateKeyPair only.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use jiff::Timestamp;

use super::operation::Deed;
use super::tags::{self, Tags};
use super::{invalid, not_found, page_of};
use crate::call::Call;
use crate::keys::rsa::{Purpose, key, parse_public_line};
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// The key pair of every instance that names none; each Region has it.
pub(crate) const DEFAULT_KEY_PAIR: &str = "LightsailDefaultKeyPair";

/// One key pair. Its private key is not kept.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair {
    name: String,
    pub(crate) arn: String,
    created_at: Timestamp,
    fingerprint: String,
    /// The public key as SSH writes it on the wire.
    pub(crate) public: Vec<u8>,
    pub(crate) tags: Tags,
}

impl KeyPair {
    fn spell(&self, account: &str, region: &str) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("arn", self.arn.as_str().into()),
            ("supportCode", format!("{account}/{}", self.name).into()),
            ("createdAt", self.created_at.into()),
            ("location", map([("availabilityZone", "all".into()), ("regionName", region.into())])),
            ("resourceType", "KeyPair".into()),
            ("tags", tags::spell(&self.tags)),
            ("fingerprint", self.fingerprint.as_str().into()),
        ])
    }
}

impl Place {
    /// Keeps a key pair of this name.
    fn put_key_pair(&mut self, name: &str, public: Vec<u8>, tags: Tags, now: Timestamp) -> Value {
        let arn = self.lightsail_arn("KeyPair");
        let fingerprint = fingerprint(&public);
        let pair = KeyPair { name: name.to_owned(), arn, created_at: now, fingerprint, public, tags };
        let spelled = pair.spell(&self.account, &self.region);
        self.lightsail.key_pairs.insert(name.to_owned(), pair);
        spelled
    }
}

/// Key pairs that there are in a process before one is used again.
const DISTINCT: u64 = 8;

/// Twenty bytes in hex, as in AWS's samples. What of the key AWS hashes is not documented.
fn fingerprint(public: &[u8]) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, public);
    let bytes: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// CreateKeyPair: the private key is in this answer only.
pub(crate) fn create(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("keyPairName");
    check_own(place, name)?;
    let sent = tags::checked(call.input)?;
    let key = key(Purpose::KeyPair, place.lightsail.key_pairs_made % DISTINCT)?;
    place.lightsail.key_pairs_made += 1;
    let pair = place.put_key_pair(name, key.public_blob(), sent, call.now);
    let noted = place.note(call, deed("CreateKeyPair", name));
    // Despite their members' names these are texts; AWS's own sample doubles the algorithm.
    Ok(map([
        ("keyPair", pair),
        ("publicKeyBase64", format!("ssh-rsa {}", key.public_line()).into()),
        ("privateKeyBase64", key.pem().into()),
        ("operation", noted),
    ]))
}

/// ImportKeyPair.
pub(crate) fn import(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("keyPairName");
    check_own(place, name)?;
    let public = parse_public_line(call.text("publicKeyBase64"));
    let public = public.map_err(|_| invalid("The public key must be an ssh-rsa key."))?;
    place.put_key_pair(name, public, Tags::new(), call.now);
    Ok(map([("operation", place.note(call, deed("ImportKeyPair", name)))]))
}

/// DeleteKeyPair: the default one only with its fingerprint, and it comes back by itself.
pub(crate) fn delete(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("keyPairName");
    match (name == DEFAULT_KEY_PAIR, call.input["expectedFingerprint"].as_str()) {
        (true, None) => return Err(invalid("expectedFingerprint is required to delete the default key pair.")),
        (true, Some(_)) => {}
        (false, _) => {
            place.lightsail.key_pairs.remove(name).ok_or_else(|| not_found("KeyPair", name))?;
        }
    }
    Ok(map([("operation", place.note(call, deed("DeleteKeyPair", name)))]))
}

fn check_own(place: &Place, name: &str) -> Result<(), Refusal> {
    if name == DEFAULT_KEY_PAIR {
        return Err(invalid(format!("Some names are already in use: {name}")).with_sub_code("NameExists"));
    }
    place.check_new_name(name)
}

fn deed(kind: &'static str, name: &str) -> Deed {
    let (resource, zone, takes) = ("KeyPair", "all".to_owned(), Duration::ZERO);
    Deed { kind, name: name.to_owned(), resource, zone, details: Some(String::new()), takes }
}

fn default_pair(place: &Place) -> KeyPair {
    KeyPair {
        name: DEFAULT_KEY_PAIR.to_owned(),
        arn: place.arn_of("lightsail", &format!("KeyPair/{DEFAULT_KEY_PAIR}")),
        created_at: Timestamp::UNIX_EPOCH,
        fingerprint: ["00"; 20].join(":"),
        public: Vec::new(),
        tags: Tags::new(),
    }
}

/// GetKeyPair.
pub(crate) fn get(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("keyPairName");
    let found = match place.lightsail.key_pairs.get(name) {
        Some(pair) => pair.clone(),
        None if name == DEFAULT_KEY_PAIR => default_pair(place),
        None => return Err(not_found("KeyPair", name)),
    };
    Ok(map([("keyPair", found.spell(&place.account, &place.region))]))
}

/// GetKeyPairs: the default one only when it is asked for.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut all: Vec<KeyPair> = place.lightsail.key_pairs.values().cloned().collect();
    if call.flag("includeDefaultKeyPair") {
        all.push(default_pair(place));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let keyed = all.into_iter().map(|one| (one.name.clone(), one)).collect();
    page_of(call, &place.laws, "keyPairs", keyed, |one| one.spell(&place.account, &place.region))
}
