//! Tags of instances and key pairs, by the resource's name. Static IPs have none.
//!
//! A tag with an empty value is a key-only tag, whose `value` AWS leaves out.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::operation::Deed;
use super::{invalid, not_found, operations};
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// Tags on one resource (developer guide).
const LIMIT: usize = 50;

/// A resource's tags.
pub(crate) type Tags = BTreeMap<String, String>;

/// The `tags` member of AWS's answers.
pub(crate) fn spell(tags: &Tags) -> Value {
    let one = |(key, value): (&String, &String)| {
        map([("key", key.as_str().into()), ("value", Some(value.as_str()).filter(|value| !value.is_empty()).into())])
    };
    Value::List(tags.iter().map(one).collect())
}

/// The `tags` member of a request, as it was sent.
pub(crate) fn sent(input: &Json) -> Tags {
    let listed = input["tags"].as_array().into_iter().flatten();
    let pair =
        |tag: &Json| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str().unwrap_or_default().to_owned()));
    listed.filter_map(pair).collect()
}

/// The `tags` member of a request, if AWS takes it: 128 and 256 characters, no `aws:`, letters, digits, spaces and
/// `+ - = . _ : / @` (developer guide). The words of the refusals are our own.
pub(crate) fn checked(input: &Json) -> Result<Tags, Refusal> {
    let tags = sent(input);
    if input["tags"].as_array().map_or(0, Vec::len) != tags.len() {
        return Err(invalid("Tag keys must be given and be unique."));
    }
    let plain = |c: char| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c);
    for (key, value) in &tags {
        let key_fits = (1..=128).contains(&key.chars().count()) && key.chars().all(plain);
        if !key_fits || key.to_lowercase().starts_with("aws:") {
            return Err(invalid(format!("The tag key is not valid: {key}")));
        }
        if value.chars().count() > 256 || !value.chars().all(plain) {
            return Err(invalid(format!("The value of the tag {key} is not valid: {value}")));
        }
    }
    within_limit(&tags)?;
    Ok(tags)
}

fn within_limit(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > LIMIT {
        return Err(invalid(format!("A resource cannot have more than {LIMIT} tags.")));
    }
    Ok(())
}

/// What a name means to the tag operations.
struct Target<'a> {
    tags: &'a mut Tags,
    resource: &'static str,
    zone: String,
}

impl Place {
    fn tagged(&mut self, call: &Call<'_>) -> Result<Target<'_>, Refusal> {
        let name = call.text("resourceName");
        let lightsail = &mut self.lightsail;
        if lightsail.static_ips.contains_key(name) {
            return Err(invalid(format!("The resource type StaticIp does not support tags: {name}")));
        }
        let (found, arn) = if let Some(instance) = lightsail.instances.get_mut(name) {
            let target = Target { zone: instance.zone.clone(), tags: &mut instance.tags, resource: "Instance" };
            (target, &instance.arn)
        } else if let Some(pair) = lightsail.key_pairs.get_mut(name) {
            (Target { zone: "all".to_owned(), tags: &mut pair.tags, resource: "KeyPair" }, &pair.arn)
        } else {
            return Err(not_found("resource", name));
        };
        match call.input["resourceArn"].as_str() {
            Some(given) if given != arn => Err(not_found("resource", given)),
            Some(_) | None => Ok(found),
        }
    }
}

/// TagResource.
pub(crate) fn tag(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let sent = checked(call.input)?;
    change(place, call, "TagResource", |tags| tags.extend(sent))
}

/// UntagResource; a key that is not there is a success.
pub(crate) fn untag(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let keys: Vec<&str> = call.input["tagKeys"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    change(place, call, "UntagResource", |tags| tags.retain(|key, _| !keys.contains(&key.as_str())))
}

fn change(
    place: &mut Place,
    call: &Call<'_>,
    kind: &'static str,
    edit: impl FnOnce(&mut Tags),
) -> Result<Value, Refusal> {
    let target = place.tagged(call)?;
    let mut edited = target.tags.clone();
    edit(&mut edited);
    within_limit(&edited)?;
    let (resource, zone) = (target.resource, target.zone);
    if call.fails_later.is_none() {
        *target.tags = edited;
    }
    let name = call.text("resourceName").to_owned();
    let deed = Deed { kind, name, resource, zone, details: Some(String::new()), takes: std::time::Duration::ZERO };
    Ok(operations(vec![place.note(call, deed)]))
}
