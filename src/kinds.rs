//! The register: every kind that this operator serves, one line each.

use std::sync::Arc;

use crate::aws::Leave;
use crate::aws::accounts::Accounts;
use crate::aws::live::{Access, AppStream, Lightsail};
use crate::plan::access_grant::GrantKind;
use crate::plan::fleet::FleetKind;
use crate::plan::image_builder::ImageBuilderKind;
use crate::plan::instance::InstanceKind;
use crate::plan::stack::StackKind;
use crate::run::{Kinds, serve};

/// Starts every kind.
pub fn register(kinds: &mut Kinds, accounts: &Arc<Accounts>, leave: &Arc<dyn Leave>) {
    let appstream = Arc::new(AppStream::new(Arc::clone(accounts), Arc::clone(leave)));
    serve::<FleetKind, _>(kinds, Arc::clone(&appstream));
    serve::<StackKind, _>(kinds, Arc::clone(&appstream));
    serve::<ImageBuilderKind, _>(kinds, appstream);
    let lightsail = Arc::new(Lightsail::new(Arc::clone(accounts), Arc::clone(leave)));
    serve::<InstanceKind, _>(kinds, Arc::clone(&lightsail));
    serve::<GrantKind, _>(kinds, Access::new(Arc::clone(accounts), lightsail));
}
