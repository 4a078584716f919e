//! Account objects: which of them an object lives in, what it gives, and why not.
//!
//! [`Book::judge`] is the whole of tenancy: it decides from the objects alone, before AWS is asked anything.

mod refusal;
mod selector;
mod show;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::api::account::{AccountSpec, AssumeRole, Endpoints, GrantTarget};
use crate::api::{AccountName, Region};

pub use refusal::Refusal;
pub use show::{Found, status};

use super::schedule::duration;
use super::{Allow, AllowGrants};

/// The labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// The Account objects and namespaces of the cluster, as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    /// Every Account object by its name.
    pub accounts: BTreeMap<String, Arc<Entry>>,
    /// Every namespace's labels by its name; `None` while they were not listed, which only a selector needs.
    pub namespaces: Option<Arc<BTreeMap<String, Labels>>>,
}

/// An Account object at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its uid: another under the same name is another Account.
    pub uid: String,
    /// The version of its spec.
    pub generation: i64,
    /// What it says; an error is the parser's words, where this version cannot read it.
    pub spec: Result<AccountSpec, String>,
}

/// What an object asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The object's kind, as its ownership tag has it.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The Account that it names.
    pub account: Option<&'a AccountName>,
    /// The Region that it names.
    pub region: Option<&'a Region>,
}

/// What the operator was told at its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct House {
    /// The Region of objects whose Account has none either (`--region`).
    pub region: Option<Region>,
    /// Whether its own identity serves no object by itself (`--require-account`).
    pub account_required: bool,
}

/// Where an object may live.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// By the operator's own identity: there is no Account object.
    Own(Region),
    /// In this Account.
    In(Arc<Entry>, Region),
    /// Nowhere.
    Refused(Refusal),
    /// Namespaces have not been listed yet, and it depends on their labels.
    NotYet,
}

/// By which identity a scope is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// The operator's own.
    #[default]
    Own,
    /// That which an Account object gives.
    Account(Arc<Mandate>),
}

/// What an Account object gives to a namespace: by which roles AWS is reached, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// The Account object's name.
    pub account: String,
    /// Its uid.
    pub uid: String,
    /// The version of its spec.
    pub generation: i64,
    /// The namespace.
    pub namespace: String,
    /// The roles, in order; empty means the operator's own identity.
    pub roles: Vec<AssumeRole>,
    /// Whether sessions carry tags.
    pub session_tags: bool,
    /// The Account's own Region, where STS is asked.
    pub region: Option<Region>,
    /// Addresses of services.
    pub endpoints: Endpoints,
}

impl Book {
    /// Where an object may live.
    pub fn judge(&self, wish: &Wish<'_>, house: &House) -> Judgement {
        let entry = match wish.account {
            Some(name) => match self.accounts.get(name.as_str()) {
                Some(entry) => entry,
                None => return Judgement::Refused(Refusal::NoSuchAccount(name.to_string())),
            },
            None if self.accounts.is_empty() && house.account_required => {
                return Judgement::Refused(Refusal::AccountRequired);
            }
            None if self.accounts.is_empty() => {
                return match wish.region.or(house.region.as_ref()) {
                    Some(region) => Judgement::Own(region.clone()),
                    None => Judgement::Refused(Refusal::NoRegion),
                };
            }
            None => match self.defaults()[..] {
                [entry] => entry,
                [] => return Judgement::Refused(Refusal::NoDefault),
                [..] => return Judgement::Refused(Refusal::DefaultConflict),
            },
        };
        let spec = match &entry.spec {
            Ok(spec) => spec,
            Err(_) => return Judgement::Refused(Refusal::Unreadable(entry.name.clone())),
        };
        let account = || entry.name.clone();
        match self.admits(spec, wish.namespace) {
            Some(true) => {}
            Some(false) => return Judgement::Refused(Refusal::Namespace(account(), wish.namespace.to_owned())),
            None => return Judgement::NotYet,
        }
        let kind = wish.kind.split('.').next().unwrap_or_default();
        let kinds = spec.allow.as_ref().and_then(|allow| allow.kinds.as_ref());
        if kinds.is_some_and(|kinds| !kinds.iter().any(|allowed| allowed.as_str() == kind)) {
            return Judgement::Refused(Refusal::Kind(account(), kind.to_owned()));
        }
        let Some(region) = wish.region.or(spec.region.as_ref()).or(house.region.as_ref()) else {
            return Judgement::Refused(Refusal::NoRegion);
        };
        match &spec.allowed_regions {
            Some(allowed) if !allowed.contains(region) => {
                Judgement::Refused(Refusal::Region(account(), region.to_string()))
            }
            Some(_) | None => Judgement::In(Arc::clone(entry), region.clone()),
        }
    }

    /// Whether a mandate still holds: its Account is the same at the same version, and allows the namespace.
    pub fn holds(&self, mandate: &Mandate) -> bool {
        self.accounts.get(&mandate.account).is_some_and(|entry| {
            let same = entry.uid == mandate.uid && entry.generation == mandate.generation;
            let admits = entry.spec.as_ref().is_ok_and(|spec| self.admits(spec, &mandate.namespace) == Some(true));
            same && admits
        })
    }

    /// Whether an Account is still the same at the same version, whomever it allows.
    pub fn has(&self, mandate: &Mandate) -> bool {
        let entry = self.accounts.get(&mandate.account);
        entry.is_some_and(|entry| entry.uid == mandate.uid && entry.generation == mandate.generation)
    }

    /// The Accounts that say that they are the default.
    pub fn defaults(&self) -> Vec<&Arc<Entry>> {
        let says = |entry: &&Arc<Entry>| entry.spec.as_ref().is_ok_and(|spec| spec.default == Some(true));
        self.accounts.values().filter(says).collect()
    }

    /// Whether any Account looks at labels of namespaces.
    pub fn needs_namespaces(&self) -> bool {
        let selectors =
            self.accounts.values().filter_map(|entry| entry.spec.as_ref().ok()?.namespaces.as_ref()?.selector.as_ref());
        selectors.into_iter().any(|selector| !selector::is_everything(selector))
    }

    /// Whether an Account allows a namespace; `None` while its labels are not known.
    fn admits(&self, spec: &AccountSpec, namespace: &str) -> Option<bool> {
        let Some(namespaces) = &spec.namespaces else { return Some(false) };
        if namespaces.names.as_ref().is_some_and(|names| names.contains(namespace)) {
            return Some(true);
        }
        match &namespaces.selector {
            None => Some(false),
            Some(selector) if selector::is_everything(selector) => Some(true),
            Some(selector) => {
                // A namespace that the watch has not shown yet may have labels that keep it out.
                Some(selector::selects(selector, self.namespaces.as_ref()?.get(namespace)?))
            }
        }
    }
}

impl Entry {
    /// What it gives to a namespace that it allows.
    pub fn mandate(&self, namespace: &str) -> Mandate {
        let spec = self.spec.clone().unwrap_or_default();
        Mandate {
            account: self.name.clone(),
            uid: self.uid.clone(),
            generation: self.generation,
            namespace: namespace.to_owned(),
            roles: spec.assume_roles.unwrap_or_default(),
            session_tags: spec.session_tags.unwrap_or(false),
            region: spec.region,
            endpoints: spec.endpoints.unwrap_or_default(),
        }
    }

    /// What its objects may ask for.
    pub fn allow(&self) -> Allow {
        let allowance = self.spec.as_ref().ok().and_then(|spec| spec.allow.clone()).unwrap_or_default();
        let grants = allowance.grants.unwrap_or_default();
        Allow {
            adoption: allowance.adoption.unwrap_or(false),
            foreign_fleets: allowance.foreign_fleets.unwrap_or(false),
            pass_roles: allowance.pass_roles.unwrap_or_default().into_iter().collect(),
            grants: AllowGrants {
                targets: grants.targets.unwrap_or_default(),
                unmanaged: grants.unmanaged.unwrap_or(false),
                // What no schema let pass is as short as it can be: it allows nothing.
                max_duration: grants.max_duration.map(|text| duration("maxDuration", &text).unwrap_or(Duration::ZERO)),
            },
        }
    }

    /// A refusal if the identity belongs to another AWS account than the one that is expected.
    pub fn mismatch(&self, account_id: &str) -> Option<Refusal> {
        let expected = self.spec.as_ref().ok()?.expected_account_id.as_ref()?;
        (expected != account_id).then(|| Refusal::Mismatch {
            account: self.name.clone(),
            is: account_id.to_owned(),
            expected: expected.clone(),
        })
    }
}

impl Allow {
    /// What objects may ask for while there is no Account object: only what the operator makes itself.
    pub fn own() -> Self {
        let targets = BTreeSet::from([GrantTarget::LightsailInstance]);
        Self { grants: AllowGrants { targets, ..AllowGrants::default() }, ..Self::default() }
    }
}
