//! What a Fleet object asks for at this moment, parsed once.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::AwsName;
use crate::api::fleet::{
    DesiredState, Disruption, DisruptionPolicy, Fleet, FleetSettings, FleetSpec, NextTransition, UpdateStrategy,
};
use crate::plan::reason::Stall;
use crate::plan::schedule::{self, WindowsNow};

use super::state::ImageRef;

/// What the object asks for now.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The object.
    pub object: &'a Fleet,
    /// The fleet's name in AWS.
    pub name: AwsName,
    /// On or off, by `desiredState` and `powerSchedule`.
    pub power: DesiredState,
    /// Why it is off, in words.
    pub off_because: &'static str,
    /// When the schedule changes it next.
    pub next: Option<NextTransition>,
    /// The rules for a stop.
    pub stops: Stops,
}

/// The rules for a stop, at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stops {
    /// Whose sessions count.
    pub policy: DisruptionPolicy,
    /// How long users are waited for.
    pub force_after: Option<std::time::Duration>,
    /// Whether a window is open.
    pub windows: WindowsNow,
    /// Whether new users are refused meanwhile.
    pub drain: bool,
}

impl<'a> Wanted<'a> {
    /// Parses the spec. What no schema can judge comes back as a sentence.
    pub fn read(object: &'a Fleet, now: Timestamp) -> Result<Self, (Stall, String)> {
        let invalid = |text: String| (Stall::InvalidSpec, text);
        let spec = &object.spec;
        let name = name(object).map_err(invalid)?;
        let scheduled = match &spec.power_schedule {
            Some(periods) if !periods.is_empty() => Some(schedule::power(periods, now).map_err(invalid)?),
            Some(_) | None => None,
        };
        let (power, off_because, next) = match (spec.desired_state, scheduled) {
            (DesiredState::Stopped, _) => (DesiredState::Stopped, "desiredState is Stopped", None),
            (DesiredState::Running, None) => (DesiredState::Running, "", None),
            (DesiredState::Running, Some(now)) => {
                let to = match now.state {
                    DesiredState::Running => DesiredState::Stopped,
                    DesiredState::Stopped => DesiredState::Running,
                };
                (now.state, "powerSchedule says off", now.changes.map(|at| NextTransition { at, to }))
            }
        };
        let stops = Stops::read(spec.disruption.as_ref(), now).map_err(invalid)?;
        Ok(Self { object, name, power, off_because, next, stops })
    }

    /// Parses what a deletion goes by: the rules for a stop, whatever the schedule says.
    pub fn leaving(object: &'a Fleet, name: AwsName, now: Timestamp) -> Result<Self, (Stall, String)> {
        let stops = Stops::read(object.spec.disruption.as_ref(), now).map_err(|text| (Stall::InvalidSpec, text))?;
        let power = DesiredState::Stopped;
        Ok(Self { object, name, power, off_because: "the object is being deleted", next: None, stops })
    }

    /// The spec.
    pub fn spec(&self) -> &'a FleetSpec {
        &self.object.spec
    }

    /// The fields that AWS knows.
    pub fn settings(&self) -> &'a FleetSettings {
        &self.object.spec.settings
    }

    /// How a change that needs a stop is carried out.
    pub fn strategy(&self) -> UpdateStrategy {
        self.spec().update_strategy.clone().unwrap_or_default()
    }

    /// The image that the spec names.
    pub fn image(&self) -> Option<ImageRef> {
        image(self.settings())
    }
}

/// The fleet's name in AWS: the spec's, else the object's own.
pub fn name(object: &Fleet) -> Result<AwsName, String> {
    match &object.spec.name {
        Some(name) => Ok(name.clone()),
        None => AwsName::try_from(object.name_any()).map_err(|e| format!("name: {e}")),
    }
}

/// The image that settings name.
pub fn image(settings: &FleetSettings) -> Option<ImageRef> {
    let by_name = settings.image_name.clone().map(ImageRef::Name);
    by_name.or_else(|| settings.image_arn.clone().map(ImageRef::Arn))
}

impl Stops {
    fn read(rules: Option<&Disruption>, now: Timestamp) -> Result<Self, String> {
        let rules = rules.cloned().unwrap_or_default();
        let force_after = match &rules.force_after {
            Some(text) => Some(schedule::duration("disruption.forceAfter", text)?),
            None => None,
        };
        Ok(Self {
            policy: rules.policy,
            force_after,
            windows: schedule::windows(rules.windows.as_deref(), now)?,
            drain: rules.drain.unwrap_or(false),
        })
    }
}
