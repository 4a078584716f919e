//! How an instance is created, if it may be: the catalogue first, then what became of earlier creates, then its user data.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::Instance;
use crate::api::instance::KeySelector;
use crate::plan::conditions::bounded;
use crate::plan::life::{Absent, Creation, wanted_tags};
use crate::plan::reason::{Stall, Waiting};
use crate::plan::report::{WORDS, elapsed};
use crate::plan::{KeyFound, KeyRef, KeySource, SecretText};

use super::diff::{NO_SNAPSHOTS_OF_WINDOWS, WINDOWS};
use super::state::{InstanceLook, InstanceState, OperationFacts};
use super::{InstanceCall, InstanceCreate, InstanceKind, report};

/// How old a catalogue may be that a create rests on: AWS changes it a few times a year.
const CATALOGUE_LASTS: Duration = Duration::from_secs(3600);
/// How long after a create that AWS took and did not carry out another one is made: this, doubled for each that failed
/// before it. Longer than it takes to be certain of its absence, so that a person sees why the first one failed.
const AGAIN: Duration = Duration::from_secs(2 * 60);
/// The longest of these waits: what AWS has no room for today it may have in half an hour.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// User data is at most this long (EC2's bound, which stands behind Lightsail's).
const USER_DATA: usize = 16_384;

/// The refusals of the catalogue come before anything is sent.
pub fn creation(absent: &Absent<'_, '_, InstanceKind>) -> Creation<InstanceKind> {
    let (input, wanted, state) = (absent.input, absent.wanted, absent.state);
    let spec = wanted.spec();
    let tried = report::earlier(input.object).internal.intent.is_some();
    let mut looks: BTreeSet<InstanceLook> = [InstanceLook::Catalogue].into();
    if tried {
        looks.insert(InstanceLook::Operations);
    }
    let Some(catalogue) = state.catalogue.as_ref().filter(|_| recent(state, input.now)) else {
        return Creation::Look(looks);
    };
    if let Some(text) = catalogue.mismatch(spec) {
        return Creation::Not(Stall::CatalogueMismatch, bounded(&text, WORDS));
    }
    let snapshots = spec.add_ons.as_ref().is_some_and(|add_ons| add_ons.auto_snapshot.is_some());
    if snapshots && catalogue.platform(&spec.blueprint_id) == Some(WINDOWS) {
        return Creation::Not(Stall::InvalidSpec, NO_SNAPSHOTS_OF_WINDOWS.into());
    }
    if tried {
        let Some(creates) = &state.creates else { return Creation::Look(looks) };
        if let Some(text) = failed(creates, input.object, input.now) {
            return Creation::NotYet(Waiting::CreateFailed, text);
        }
    }
    let user_data = match user_data_key(input.object) {
        None => spec.user_data.clone().map(SecretText::new),
        Some(key) => match input.beside.keys.get(&key) {
            None => {
                looks.insert(InstanceLook::UserData);
                return Creation::Look(looks);
            }
            Some(KeyFound::Value(text)) if text.reveal().len() > USER_DATA => {
                let text = format!("userDataFrom: {key} is longer than {USER_DATA} bytes, which is what AWS takes");
                return Creation::Not(Stall::InvalidSpec, text);
            }
            Some(KeyFound::Value(text)) => Some(text.clone()),
            Some(KeyFound::Absent) => {
                return Creation::NotYet(Waiting::DependencyNotReady, format!("userDataFrom: there is no {key} yet"));
            }
            Some(KeyFound::NotPermitted(said)) => {
                let text = format!(
                    "userDataFrom: the operator may not read {key}: bind ClusterRole windlass-secrets to it in this namespace ({said})"
                );
                return Creation::Not(Stall::SecretsNotPermitted, bounded(&text, WORDS));
            }
            Some(KeyFound::Unknown) => {
                let text = format!("userDataFrom: {key} could not be read now");
                return Creation::NotYet(Waiting::DependencyNotReady, text);
            }
            Some(KeyFound::NotText) => {
                return Creation::Not(Stall::InvalidSpec, format!("userDataFrom: {key} is no UTF-8 text"));
            }
        },
    };
    Creation::By(InstanceCall::Create(Box::new(InstanceCreate {
        name: wanted.name.clone(),
        availability_zone: spec.availability_zone.clone(),
        blueprint_id: spec.blueprint_id.clone(),
        bundle_id: spec.bundle_id.clone(),
        key_pair_name: spec.key_pair_name.clone(),
        user_data,
        ip_address_type: spec.ip_address_type,
        tags: wanted_tags::<InstanceKind>(absent.scope, wanted.object),
    })))
}

/// Whether the catalogue that is known is new enough to decide by.
pub fn recent(state: &InstanceState, now: Timestamp) -> bool {
    state.catalogue.as_ref().is_some_and(|catalogue| elapsed(catalogue.began, now) <= CATALOGUE_LASTS)
}

/// Where the user data is, if it is not in the object.
pub fn user_data_key(object: &Instance) -> Option<KeyRef> {
    let from = object.spec.user_data_from.as_ref()?;
    let key = |source, at: &KeySelector| KeyRef { source, name: at.name.clone(), key: at.key.clone() };
    let secret = from.secret_key_ref.as_ref().map(|at| key(KeySource::Secret, at));
    secret.or_else(|| from.config_map_key_ref.as_ref().map(|at| key(KeySource::ConfigMap, at)))
}

/// What AWS says of the last create, if it failed and it is too soon for another one.
fn failed(creates: &[OperationFacts], object: &Instance, now: Timestamp) -> Option<String> {
    // What was before this object is not about it.
    let born = object.creation_timestamp().map(|at| at.0);
    let ours = creates.iter().rev().filter(|one| one.created_at.is_some_and(|at| born.is_none_or(|born| at >= born)));
    let failed: Vec<&OperationFacts> = ours.take_while(|one| one.failed).collect();
    let last = failed.first()?;
    let doublings = u32::try_from(failed.len() - 1).unwrap_or(u32::MAX).min(16);
    let wait = AGAIN.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
    let soon = last.created_at.is_some_and(|at| elapsed(at, now) < wait);
    soon.then(|| {
        let words = format!("AWS could not create the instance: {}: {}; it is tried again", last.code, last.message);
        bounded(&words, WORDS)
    })
}
