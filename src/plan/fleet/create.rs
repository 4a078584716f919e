//! How a fleet is created, if it may be.

use crate::api::fleet::FleetType;
use crate::plan::Scope;
use crate::plan::life::{Creation, wanted_tags};
use crate::plan::reason::{Stall, Waiting};
use crate::plan::roles::may_pass;

use super::state::{FleetLook, FleetState};
use super::wanted::Wanted;
use super::{FleetCall, FleetCreate, FleetKind, diff, image};

/// The role that it may not have, the image that is not there: these come before the create.
pub fn creation(wanted: &Wanted<'_>, scope: &Scope, state: &FleetState) -> Creation<FleetKind> {
    if let Some(text) = forbidden_role(wanted, scope) {
        return Creation::Not(Stall::NotAllowed, text);
    }
    match image::image_usable(wanted, state) {
        image::ImageUse::Look => return Creation::Look([FleetLook::Image].into()),
        image::ImageUse::Not(text) => return Creation::Not(Stall::ImageNotUsable, text),
        image::ImageUse::NotYet(text) => return Creation::NotYet(Waiting::DependencyNotReady, text),
        image::ImageUse::Usable => {}
    }
    let mut settings = wanted.settings().clone();
    settings.compute_capacity = match wanted.spec().fleet_type {
        FleetType::Elastic => None,
        FleetType::AlwaysOn | FleetType::OnDemand => {
            settings.compute_capacity.or_else(|| Some(diff::first_capacity(wanted.settings())))
        }
    };
    Creation::By(FleetCall::Create(Box::new(FleetCreate {
        name: wanted.name.clone(),
        fleet_type: wanted.spec().fleet_type,
        settings,
        tags: wanted_tags::<FleetKind>(scope, wanted.object),
    })))
}

/// A role may be passed only where an Account allows it.
pub fn forbidden_role(wanted: &Wanted<'_>, scope: &Scope) -> Option<String> {
    let role = wanted.settings().iam_role_arn.as_ref()?;
    (!may_pass(scope, role)).then(|| format!("iamRoleArn: no Account allows this namespace to pass {role}"))
}
