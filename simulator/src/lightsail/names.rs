//! Names: one space for all types of resources in an account and region.

use std::collections::BTreeSet;

use super::{invalid, page_of};
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value};

impl Place {
    /// Every name in use.
    fn active_names(&self) -> BTreeSet<String> {
        let all = &self.lightsail;
        let names =
            all.instances.keys().chain(all.static_ips.keys()).chain(all.key_pairs.keys()).chain(all.others.keys());
        names.cloned().collect()
    }

    fn is_name_used(&self, name: &str) -> bool {
        let all = &self.lightsail;
        all.instances.contains_key(name)
            || all.static_ips.contains_key(name)
            || all.key_pairs.contains_key(name)
            || all.others.contains_key(name)
    }

    /// Refuses a name that a new resource cannot have.
    pub(crate) fn check_new_name(&self, name: &str) -> Result<(), Refusal> {
        check_name(name)?;
        if self.is_name_used(name) {
            let message = format!("Some names are already in use: {name}");
            return Err(invalid(message).with_sub_code("NameExists"));
        }
        Ok(())
    }
}

/// The rule of AWS's own error text; the bound of 255 is the developer guide's.
fn check_name(name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let fits = (2..=255).contains(&name.len())
        && name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || "-_.".contains(c));
    if fits {
        return Ok(());
    }
    Err(invalid(format!(
        "{name} is not a valid resource name. Resource names must be at least 2 characters long and contain only \
         alphanumerics, -, _, and ."
    )))
}

/// GetActiveNames.
pub(crate) fn get_active(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let names = place.active_names().into_iter().map(|name| (name.clone(), name)).collect();
    page_of(call, &place.laws, "activeNames", names, Value::from)
}
