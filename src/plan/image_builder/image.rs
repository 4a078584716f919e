//! The image preflight: a create that AWS would refuse for its image is not sent.

use crate::api::image_builder::BuilderSettings;
use crate::plan::fleet::ImageRef;
use crate::plan::fleet::image::ImageUse;

use super::state::BuilderState;

/// Judges the image that the spec names.
pub fn usable(settings: &BuilderSettings, state: &BuilderState) -> ImageUse {
    let Some(named) = named(settings) else { return ImageUse::Usable };
    let name = match &named {
        ImageRef::Name(name) => name.as_str(),
        ImageRef::Arn(arn) => arn.as_str(),
    };
    let found = match &state.image {
        None => return ImageUse::Look,
        Some(None) => {
            let hint = match named {
                ImageRef::Name(_) => "; an image that another account shares is found by imageArn only",
                ImageRef::Arn(_) => "",
            };
            return ImageUse::Not(format!("there is no image {name}{hint}"));
        }
        Some(Some(found)) => found,
    };
    match found.state.as_str() {
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

/// The image that settings name.
pub fn named(settings: &BuilderSettings) -> Option<ImageRef> {
    let by_name = settings.image_name.clone().map(ImageRef::Name);
    by_name.or_else(|| settings.image_arn.clone().map(ImageRef::Arn))
}
