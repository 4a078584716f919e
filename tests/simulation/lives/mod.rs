//! What is lived: one story for each kind.

mod access_grant;
mod fleet;
mod image_builder;
mod instance;
mod stack;

use super::life::Story;

/// The lives that are lived: all of them, or that of the kind which `WINDLASS_KIND` names.
pub fn all() -> impl Iterator<Item = &'static Story> {
    let only = std::env::var("WINDLASS_KIND").ok();
    ALL.into_iter().filter(move |story| only.as_deref().is_none_or(|kind| kind == story.kind))
}

/// Every life: one line for each kind.
const ALL: [&Story; 5] = [&fleet::LIFE, &stack::LIFE, &image_builder::LIFE, &instance::LIFE, &access_grant::LIFE];
