//! What people and AWS itself do to stacks and image builders, and what an inspector sees of them.
//!
//! None of it is audited or judged. A name is looked up in the home account and region first, then anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::builder::{Builder, BuilderState};
use super::image::ImageSeed;
use crate::place::{Place, PlaceKey};
use crate::world::World;

/// A stack as an inspector sees it, without any lag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Settings by AWS's own names, with what AWS filled in.
    pub settings: Map<String, Json>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The fleet that it is associated with.
    pub fleet: Option<String>,
}

/// An image builder as an inspector sees it, without any lag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuilderView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// State.
    pub state: BuilderState,
    /// Since when.
    pub state_since: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// Settings by AWS's own names, with what AWS filled in.
    pub settings: Map<String, Json>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Codes of ImageBuilderErrors.
    pub errors: Vec<String>,
}

impl World {
    /// A stack, or `None`.
    #[must_use]
    pub fn stack(&self, account: &str, region: &str, name: &str) -> Option<StackView> {
        self.stacks().into_iter().find(|one| (&*one.account, &*one.region, &*one.name) == (account, region, name))
    }

    /// Every stack, by account, region and name.
    #[must_use]
    pub fn stacks(&self) -> Vec<StackView> {
        self.look(|place| {
            let fleet_of = |stack: &str| place.associations.iter().find(|(_, name)| name == stack);
            let one = |stack: &super::stack::Stack| StackView {
                account: place.account.clone(),
                region: place.region.clone(),
                name: stack.name.clone(),
                arn: stack.arn.clone(),
                created_at: stack.created_at,
                settings: stack.settings.clone(),
                tags: stack.tags.clone(),
                fleet: fleet_of(&stack.name).map(|(fleet, _)| fleet.clone()),
            };
            place.stacks.values().map(one).collect()
        })
    }

    /// An image builder, or `None`.
    #[must_use]
    pub fn builder(&self, account: &str, region: &str, name: &str) -> Option<BuilderView> {
        self.builders().into_iter().find(|one| (&*one.account, &*one.region, &*one.name) == (account, region, name))
    }

    /// Every image builder, by account, region and name.
    #[must_use]
    pub fn builders(&self) -> Vec<BuilderView> {
        self.look(|place| {
            let one = |builder: &Builder| BuilderView {
                account: place.account.clone(),
                region: place.region.clone(),
                name: builder.name.clone(),
                arn: builder.arn.clone(),
                state: builder.state,
                state_since: builder.state_since,
                created_at: builder.created_at,
                settings: builder.settings.clone(),
                tags: builder.tags.clone(),
                errors: builder.errors.iter().map(|(code, _)| code.clone()).collect(),
            };
            place.builders.values().map(one).collect()
        })
    }

    /// Somebody begins to make an image on a builder: it is SNAPSHOTTING, and the image PENDING, until
    /// [`World::finish_snapshot`]. False: there is no such builder, or it is not RUNNING.
    pub fn begin_snapshot(&self, builder: &str, image: &str) -> bool {
        let begun = self.on_builder(builder, |place, now, name| {
            let pace = place.laws.pace;
            let made = place.builders.get_mut(name).filter(|one| one.state == BuilderState::Running)?;
            made.enter(BuilderState::Snapshotting, now, &pace);
            let seed = seed_of(image, made.settings.get("Platform"), "PENDING");
            place.put_image(&seed, now);
            Some(())
        });
        begun.is_some()
    }

    /// The image is made: it is AVAILABLE, and its builder STOPPED, as AWS leaves it. False: it is not SNAPSHOTTING.
    pub fn finish_snapshot(&self, builder: &str, image: &str) -> bool {
        let finished = self.on_builder(builder, |place, now, name| {
            let pace = place.laws.pace;
            let made = place.builders.get_mut(name).filter(|one| one.state == BuilderState::Snapshotting)?;
            made.enter(BuilderState::Stopped, now, &pace);
            let seed = seed_of(image, made.settings.get("Platform"), "AVAILABLE");
            place.put_image(&seed, now);
            Some(())
        });
        finished.is_some()
    }

    /// A builder fails: FAILED with these ImageBuilderErrors and a StateChangeReason. False: there is no such builder.
    pub fn fail_builder(&self, name: &str, codes: &[&str]) -> bool {
        let errors: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let failed = self.on_builder(name, |place, now, name| {
            let pace = place.laws.pace;
            let builder = place.builders.get_mut(name)?;
            builder.enter(BuilderState::Failed, now, &pace);
            builder.errors = errors.into_iter().map(|code| (code, now)).collect();
            builder.reason = Some(("INTERNAL_ERROR".to_owned(), "The image builder failed.".to_owned()));
            Some(())
        });
        failed.is_some()
    }

    /// Puts a builder into a state, with no more errors. PENDING, STOPPING and DELETING go on by themselves, the others
    /// last until somebody changes them. False: there is no such builder.
    pub fn put_builder_into(&self, name: &str, state: BuilderState) -> bool {
        let put = self.on_builder(name, |place, now, name| {
            let pace = place.laws.pace;
            let builder = place.builders.get_mut(name)?;
            builder.enter(state, now, &pace);
            builder.errors.clear();
            builder.reason = None;
            Some(())
        });
        put.is_some()
    }

    /// Removes a builder in whatever state. False: there is no such builder.
    pub fn delete_builder_out_of_band(&self, name: &str) -> bool {
        self.on_builder(name, |place, _, name| place.builders.remove(name)).is_some()
    }

    /// Removes a stack with its association. False: there is no such stack.
    pub fn delete_stack_out_of_band(&self, name: &str) -> bool {
        let mut state = self.lock();
        let has = |place: &Place| place.stacks.contains_key(name);
        let Some(key) = place_with(&state, has) else {
            return false;
        };
        let place = state.change(&key);
        place.associations.retain(|(_, stack)| stack != name);
        place.stacks.remove(name).is_some()
    }

    /// Gives a stack these StackErrors. False: there is no such stack.
    pub fn stack_errors(&self, name: &str, codes: &[&str]) -> bool {
        let mut state = self.lock();
        let Some(key) = place_with(&state, |place| place.stacks.contains_key(name)) else {
            return false;
        };
        let error =
            |code: &&str| json!({"ErrorCode": code, "ErrorMessage": format!("The stack has a problem: {code}.")});
        let errors: Vec<Json> = codes.iter().map(error).collect();
        if let Some(stack) = state.change(&key).stacks.get_mut(name) {
            stack.settings.remove("StackErrors");
            if !errors.is_empty() {
                stack.settings.insert("StackErrors".to_owned(), Json::Array(errors));
            }
        }
        true
    }

    fn look<T>(&self, see: impl Fn(&Place) -> Vec<T>) -> Vec<T> {
        let mut state = self.lock();
        let now = state.clock.now();
        state.timelines.values_mut().flat_map(|timeline| see(timeline.now(now))).collect()
    }

    fn on_builder<T>(&self, name: &str, change: impl FnOnce(&mut Place, Timestamp, &str) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        let now = state.clock.now();
        let key = place_with(&state, |place| place.builders.contains_key(name))?;
        change(state.change(&key), now, name)
    }
}

fn seed_of(image: &str, platform: Option<&Json>, state: &str) -> ImageSeed {
    let usual = ImageSeed::default();
    let platform = platform.and_then(Json::as_str).map_or(usual.platform.clone(), str::to_owned);
    ImageSeed { name: image.to_owned(), state: state.to_owned(), platform, ..usual }
}

/// The place that has it: home first.
fn place_with(state: &crate::world::State, has: impl Fn(&Place) -> bool) -> Option<PlaceKey> {
    let home = state.home();
    if state.timelines.get(&home).is_some_and(|line| has(line.peek())) {
        return Some(home);
    }
    state.timelines.iter().find(|(_, line)| has(line.peek())).map(|(key, _)| key.clone())
}
