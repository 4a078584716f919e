//! What Lightsail offers in a Region, and whether what a spec asks for is in it: before anything is created.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::instance::{InstanceSpec, IpAddressType};

/// GetBlueprints, GetBundles (with those that are no longer offered) and GetRegions, as one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// When the read of it began.
    pub began: Timestamp,
    /// By id.
    pub blueprints: BTreeMap<String, Blueprint>,
    /// By id.
    pub bundles: BTreeMap<String, Bundle>,
    /// The Availability Zones of the Region; empty where AWS names none.
    pub zones: BTreeSet<String>,
    /// AWS does not let us read it, in AWS's words: then nothing is held against a spec, and AWS itself says what it takes.
    pub unreadable: Option<String>,
}

/// What an instance can be made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blueprint {
    /// Whether new instances can be made of it.
    pub active: bool,
    /// The least power of a bundle for it.
    pub min_power: i32,
    /// `LINUX_UNIX` or `WINDOWS`, if AWS says.
    pub platform: Option<String>,
    /// For Lightsail for Research: then only bundles of the same category fit.
    pub app_category: Option<String>,
}

/// A size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Whether new instances can have it.
    pub active: bool,
    /// What it costs in a month, in US cents.
    pub cents: Option<u64>,
    /// AWS's word for the size, such as `nano`.
    pub size: Option<String>,
    /// Its power, against a blueprint's least.
    pub power: i32,
    /// Virtual CPUs, disk in GB, memory in MiB: what tells whether two bundles are the same but for their addresses.
    pub shape: (i32, i32, i64),
    /// Platforms that it takes.
    pub platforms: BTreeSet<String>,
    /// Categories of Lightsail for Research that it takes.
    pub app_categories: BTreeSet<String>,
    /// How many public IPv4 addresses it has; none makes it a bundle for IPv6 alone. `None` where AWS does not say.
    pub ipv4_addresses: Option<i32>,
}

/// How a change of the bundle can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is none: AWS swaps a bundle for its counterpart with the other addresses by itself.
    Counterpart,
    /// A newer generation of the same size: on a stopped instance, when it is started.
    Generation,
    /// AWS cannot.
    Impossible,
}

/// How long a Region's catalogue is gone by: AWS changes it a few times a year, and a create that rests on an older one is
/// refused by AWS itself.
const LASTS: Duration = Duration::from_secs(3600);
/// The same where AWS did not let it be read: whoever mends that should not have to wait.
const REFUSED_LASTS: Duration = Duration::from_secs(60);

impl Catalogue {
    /// How long after its beginning it is gone by.
    pub fn lasts(&self) -> Duration {
        if self.unreadable.is_some() { REFUSED_LASTS } else { LASTS }
    }

    /// What is wrong with the blueprint, bundle, zone or addresses that a spec asks for, in a sentence; `None` when an
    /// instance can be made.
    pub fn mismatch(&self, spec: &InstanceSpec) -> Option<String> {
        if self.unreadable.is_some() {
            return None;
        }
        let ipv6_only = spec.ip_address_type == Some(IpAddressType::Ipv6);
        let Some(blueprint) = self.blueprints.get(&spec.blueprint_id) else {
            return Some(format!(
                "blueprintId: this Region has no blueprint {}{}",
                spec.blueprint_id,
                self.alike(&spec.blueprint_id)
            ));
        };
        if !blueprint.active {
            return Some(format!(
                "blueprintId: AWS no longer makes instances of {}{}",
                spec.blueprint_id,
                self.alike(&spec.blueprint_id)
            ));
        }
        if !self.zones.is_empty() && !self.zones.contains(&spec.availability_zone) {
            let zones: Vec<&str> = self.zones.iter().map(String::as_str).collect();
            let zone = &spec.availability_zone;
            return Some(format!(
                "availabilityZone: this Region has no zone {zone} for Lightsail; it has {}",
                zones.join(", ")
            ));
        }
        let platform = blueprint.platform.as_deref().unwrap_or("its platform");
        let wrong = match self.bundles.get(&spec.bundle_id) {
            None => format!("this Region has no bundle {}", spec.bundle_id),
            Some(bundle) if !bundle.active => format!("AWS no longer makes instances of size {}", spec.bundle_id),
            Some(bundle) if !bundle.takes_platform(blueprint) => {
                format!("{} does not take {platform}, which {} is", spec.bundle_id, spec.blueprint_id)
            }
            Some(bundle) if !bundle.takes_category(blueprint) => {
                format!("{} is not for the kind of programs that {} is", spec.bundle_id, spec.blueprint_id)
            }
            Some(bundle) if bundle.power < blueprint.min_power => {
                format!("{} is too small for {}", spec.bundle_id, spec.blueprint_id)
            }
            Some(bundle) if !bundle.takes_addresses(ipv6_only) => match ipv6_only {
                true => format!("{} has IPv4 addresses, and ipAddressType is ipv6", spec.bundle_id),
                false => format!("{} is for ipAddressType ipv6 alone", spec.bundle_id),
            },
            Some(_) => return None,
        };
        Some(format!("bundleId: {wrong}; {}", self.fitting(blueprint, ipv6_only)))
    }

    /// The bundles that fit, cheapest first, with their price.
    fn fitting(&self, blueprint: &Blueprint, ipv6_only: bool) -> String {
        let mut fit: Vec<(&String, &Bundle)> = self
            .bundles
            .iter()
            .filter(|(_, b)| b.active && b.takes_platform(blueprint) && b.takes_category(blueprint))
            .filter(|(_, b)| b.power >= blueprint.min_power && b.takes_addresses(ipv6_only))
            .collect();
        fit.sort_by_key(|(id, bundle)| (bundle.cents.unwrap_or(u64::MAX), id.as_str()));
        let named = |(id, bundle): &(&String, &Bundle)| match bundle.price() {
            Some(price) => format!("{id} ({price} USD a month)"),
            None => (*id).clone(),
        };
        let more = fit.len().saturating_sub(SHOWN);
        let named: Vec<String> = fit.iter().take(SHOWN).map(named).collect();
        match (named.is_empty(), more) {
            (true, _) => "no bundle of this Region fits".to_owned(),
            (false, 0) => format!("these fit: {}", named.join(", ")),
            (false, more) => format!("these fit: {}, and {more} that cost more", named.join(", ")),
        }
    }

    /// Active blueprints whose id begins with the same word.
    fn alike(&self, id: &str) -> String {
        let word = id.split(['_', '-', '.']).next().unwrap_or_default();
        let like: Vec<&str> = self
            .blueprints
            .iter()
            .filter(|(other, blueprint)| blueprint.active && !word.is_empty() && other.starts_with(word))
            .map(|(other, _)| other.as_str())
            .take(SHOWN)
            .collect();
        if like.is_empty() { String::new() } else { format!("; it has {}", like.join(", ")) }
    }

    /// The platform of a blueprint.
    pub fn platform(&self, blueprint: &str) -> Option<&str> {
        self.blueprints.get(blueprint)?.platform.as_deref()
    }

    /// What a bundle costs in a month, in US dollars.
    pub fn price(&self, bundle: &str) -> Option<String> {
        self.bundles.get(bundle)?.price()
    }

    /// How the bundle of an instance could become another.
    pub fn change(&self, from: &str, to: &str) -> Change {
        let (Some(old), Some(new)) = (self.bundles.get(from), self.bundles.get(to)) else {
            return Change::Impossible;
        };
        let same_size = old.size.is_some() && old.size == new.size && old.platforms == new.platforms;
        let same_addresses = old.ipv4_addresses.unwrap_or(1) == new.ipv4_addresses.unwrap_or(1);
        let same_category = old.app_categories == new.app_categories;
        match (same_size && same_category, same_addresses, generation(from), generation(to)) {
            (true, false, old_one, new_one) if old_one == new_one && old.shape == new.shape => Change::Counterpart,
            (true, true, Some(old_one), Some(new_one)) if new_one > old_one && new.active => Change::Generation,
            (_, _, _, _) => Change::Impossible,
        }
    }

    /// Newer generations of a bundle, oldest first.
    pub fn newer(&self, from: &str) -> Vec<&str> {
        let mut newer: Vec<&str> =
            self.bundles.keys().map(String::as_str).filter(|to| self.change(from, to) == Change::Generation).collect();
        newer.sort_by_key(|id| generation(id));
        newer
    }
}

/// How many bundles or blueprints a sentence names.
const SHOWN: usize = 8;

impl Bundle {
    fn takes_platform(&self, blueprint: &Blueprint) -> bool {
        blueprint.platform.as_ref().is_none_or(|platform| self.platforms.contains(platform))
    }

    /// Research blueprints need research bundles, and those take nothing else.
    fn takes_category(&self, blueprint: &Blueprint) -> bool {
        match &blueprint.app_category {
            Some(category) => self.app_categories.contains(category),
            None => self.app_categories.is_empty(),
        }
    }

    /// A bundle without a public IPv4 address is for IPv6 alone, and only such a one.
    fn takes_addresses(&self, ipv6_only: bool) -> bool {
        self.ipv4_addresses.is_none_or(|count| (count == 0) == ipv6_only)
    }

    fn price(&self) -> Option<String> {
        self.cents.map(|cents| format!("{}.{:02}", cents / 100, cents % 100))
    }
}

/// The generation in a bundle's id: the two numbers at its end (`nano_3_0` is 3.0). AWS gives it nowhere else.
fn generation(id: &str) -> Option<(u32, u32)> {
    let mut parts = id.rsplit('_');
    let (minor, major) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
