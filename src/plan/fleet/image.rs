//! The image preflight: a create or a change that AWS would refuse for its image is not sent, and no fleet is stopped for it.

use super::state::{FleetState, ImageFacts, ImageRef};
use super::wanted::Wanted;

/// Whether the image that the spec names can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageUse {
    /// Not known: look.
    Look,
    /// Yes, or none is named.
    Usable,
    /// Not yet.
    NotYet(String),
    /// No.
    Not(String),
}

/// Judges the image that the spec names.
pub fn image_usable(wanted: &Wanted<'_>, state: &FleetState) -> ImageUse {
    let Some(named) = wanted.image() else { return ImageUse::Usable };
    let name = match &named {
        ImageRef::Name(name) => name.as_str(),
        ImageRef::Arn(arn) => arn.as_str(),
    };
    match &state.image {
        None => ImageUse::Look,
        Some(None) => {
            let hint = match named {
                ImageRef::Name(_) => "; an image that another account shares is found by imageArn only",
                ImageRef::Arn(_) => "",
            };
            ImageUse::Not(format!("there is no image {name}{hint}"))
        }
        Some(Some(found)) => judge(wanted, name, found),
    }
}

fn judge(wanted: &Wanted<'_>, name: &str, found: &ImageFacts) -> ImageUse {
    let linux = found.platform.as_deref().is_some_and(|p| !p.starts_with("WINDOWS"));
    let shared = wanted.settings().max_sessions_per_instance.is_some();
    let other_platform = match (&wanted.settings().platform, &found.platform) {
        // WINDOWS is the word of older images for any server version.
        (Some(wanted), Some(has)) if wanted == "WINDOWS" || has == "WINDOWS" => {
            !(wanted.starts_with("WINDOWS") && has.starts_with("WINDOWS"))
        }
        (Some(wanted), Some(has)) => wanted != has,
        (Some(_) | None, _) => false,
    };
    let kept = found.visibility.as_deref() == Some("SHARED") && found.allow_fleet == Some(false);
    match found.state.as_str() {
        "AVAILABLE" | "" if kept => {
            ImageUse::Not(format!("image {name} is shared without the permission to use it for fleets"))
        }
        "AVAILABLE" | "" if linux && shared => ImageUse::Not(format!(
            "image {name} is {}: fleets with several sessions per instance need Windows",
            found.platform.as_deref().unwrap_or_default()
        )),
        "AVAILABLE" | "" if other_platform => ImageUse::Not(format!(
            "image {name} is {}, but platform says {}",
            found.platform.as_deref().unwrap_or_default(),
            wanted.settings().platform.as_deref().unwrap_or_default()
        )),
        // AWS may leave the state out; it refuses what it does not like.
        "AVAILABLE" | "" => ImageUse::Usable,
        state @ ("PENDING" | "CREATING" | "COPYING" | "IMPORTING" | "VALIDATING") => {
            ImageUse::NotYet(format!("image {name} is {state}"))
        }
        state => {
            let why = found.state_reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
            ImageUse::Not(format!("image {name} is {state}{why}; it must be AVAILABLE"))
        }
    }
}
