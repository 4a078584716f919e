//! What a Stack object asks for at this moment, parsed once.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::AwsName;
use crate::api::fleet::DisruptionPolicy;
use crate::api::stack::{Stack, StackDisruption, StackSettings};
use crate::plan::fleet::FleetKind;
use crate::plan::reason::Stall;
use crate::plan::schedule::{self, WindowsNow};
use crate::plan::{Beside, Kind, Neighbour, Scope};

/// What the object asks for now.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The object.
    pub object: &'a Stack,
    /// The stack's name in AWS.
    pub name: AwsName,
    /// The rules for a cut.
    pub cuts: Cuts,
}

/// The rules for a cut, at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuts {
    /// Whose sessions count.
    pub policy: DisruptionPolicy,
    /// How long users are waited for.
    pub force_after: Option<Duration>,
    /// Whether a window is open.
    pub windows: WindowsNow,
}

/// The fleet that the stack should be associated with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The spec names none: what is associated is not compared.
    NotCompared,
    /// This one, by its name in AWS.
    Fleet {
        /// Its name.
        name: AwsName,
        /// Whether a Fleet object of this namespace vouches for it.
        vouched: bool,
    },
    /// One that is not there yet, in words.
    NotYet(String),
    /// One whose object is being deleted: it is not joined any more, and not cut either.
    Leaving(AwsName, String),
    /// One that can never be joined.
    Wrong(String),
}

impl<'a> Wanted<'a> {
    /// Parses the spec. What no schema can judge comes back as a sentence.
    ///
    /// # Errors
    /// A reason and a sentence.
    pub fn read(object: &'a Stack, now: Timestamp) -> Result<Self, (Stall, String)> {
        let invalid = |text: String| (Stall::InvalidSpec, text);
        let name = name(object).map_err(invalid)?;
        let cuts = Cuts::read(object.spec.disruption.as_ref(), now).map_err(invalid)?;
        Ok(Self { object, name, cuts })
    }

    /// The fields that AWS knows.
    pub fn settings(&self) -> &'a StackSettings {
        &self.object.spec.settings
    }
}

/// The stack's name in AWS: the spec's, else the object's own.
///
/// # Errors
/// A sentence, if AWS could not have that name.
pub fn name(object: &Stack) -> Result<AwsName, String> {
    match &object.spec.name {
        Some(name) => Ok(name.clone()),
        None => AwsName::try_from(object.name_any()).map_err(|e| format!("name: {e}")),
    }
}

/// The Fleet object that the spec names.
pub fn neighbour(object: &Stack) -> Option<Neighbour> {
    object.spec.fleet_ref.as_ref().map(|fleet| Neighbour { kind: FleetKind::NAME, name: fleet.name.clone() })
}

/// The spec path that names the fleet; the first of the two when neither does.
pub fn fleet_path(object: &Stack) -> &'static str {
    if object.spec.fleet_name.is_some() { "fleetName" } else { "fleetRef" }
}

/// The fleet that the stack should be associated with, by what the namespace holds.
pub fn target(object: &Stack, scope: &Scope, beside: &Beside) -> Target {
    if let Some(name) = &object.spec.fleet_name {
        return Target::Fleet { name: name.clone(), vouched: false };
    }
    let Some(neighbour) = neighbour(object) else { return Target::NotCompared };
    let named = &neighbour.name;
    let Some(face) = beside.objects.get(&neighbour).and_then(Option::as_ref) else {
        return Target::NotYet(format!("there is no Fleet {named} in this namespace"));
    };
    let Some(arn) = &face.arn else {
        return Target::NotYet(format!("Fleet {named} has no fleet of its own in AWS yet"));
    };
    if (arn.account(), arn.region()) != (scope.account.as_str(), scope.region.as_str()) {
        return Target::Wrong(format!(
            "fleetRef: Fleet {named} lives in account {} in {}, this stack in account {} in {}: a stack and its fleet live in one place",
            arn.account(),
            arn.region(),
            scope.account,
            scope.region
        ));
    }
    match (AwsName::try_from(face.aws_name.clone()), face.deleting) {
        (Err(_), _) => Target::NotYet(format!("Fleet {named} has no name that AWS could have")),
        (Ok(name), true) => {
            Target::Leaving(name, format!("Fleet {named} is being deleted: name another fleet, or none, to let it go"))
        }
        (Ok(name), false) => Target::Fleet { name, vouched: true },
    }
}

impl Cuts {
    /// Reads the rules.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn read(rules: Option<&StackDisruption>, now: Timestamp) -> Result<Self, String> {
        let rules = rules.cloned().unwrap_or_default();
        let force_after = match &rules.force_after {
            Some(text) => Some(schedule::duration("disruption.forceAfter", text)?),
            None => None,
        };
        Ok(Self { policy: rules.policy, force_after, windows: schedule::windows(rules.windows.as_deref(), now)? })
    }
}
