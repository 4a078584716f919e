//! Tags of fleets, stacks, image builders and private images, by ARN.

use std::collections::BTreeMap;

use super::{Call, names, not_found, read_tags, text};
use crate::place::Place;
use crate::wire::{Refusal, Value, map, nothing};

/// Tags on one resource (AWS's general limit, and the bound of the `Tags` member).
const LIMIT: usize = 50;

impl Place {
    /// The tags of what an ARN names here.
    pub(crate) fn tags_mut(&mut self, arn: &str) -> Option<&mut BTreeMap<String, String>> {
        let (_, resource) = arn.rsplit_once(':')?;
        let (kind, name) = resource.split_once('/')?;
        if kind == "image" {
            // Public images belong to nobody here, shared ones to somebody else.
            let image = self.images.get_mut(arn).filter(|image| image.visibility == "PRIVATE");
            return image.map(|image| &mut image.tags);
        }
        if arn != self.arn(resource) {
            return None;
        }
        match kind {
            "fleet" => self.fleets.get_mut(name).map(|fleet| &mut fleet.tags),
            "stack" => self.stacks.get_mut(name).map(|stack| &mut stack.tags),
            "image-builder" => self.builders.get_mut(name).map(|builder| &mut builder.tags),
            _ => None,
        }
    }
}

/// TagResource.
pub(crate) fn tag(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let arn = text(call, "ResourceArn");
    let tags = place.tags_mut(arn).ok_or_else(|| unknown(arn))?;
    let mut merged = tags.clone();
    merged.extend(read_tags(call));
    if merged.len() > LIMIT {
        let message = format!("The resource {arn} cannot have more than {LIMIT} tags.");
        return Err(Refusal::new("LimitExceededException", message));
    }
    *tags = merged;
    Ok(nothing())
}

/// UntagResource; a key that is not there is a success.
pub(crate) fn untag(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let arn = text(call, "ResourceArn");
    let tags = place.tags_mut(arn).ok_or_else(|| unknown(arn))?;
    for key in names(call, "TagKeys") {
        tags.remove(key);
    }
    Ok(nothing())
}

/// ListTagsForResource.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let arn = text(call, "ResourceArn");
    let tags = place.tags_mut(arn).ok_or_else(|| unknown(arn))?;
    let spelled = tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    Ok(map([("Tags", Value::Map(spelled))]))
}

fn unknown(arn: &str) -> Refusal {
    not_found(format!("The resource {arn} does not exist."))
}
