//! What an Instance object asks for at this moment, parsed once.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::LightsailName;
use crate::api::instance::{Instance, InstanceDisruptionPolicy, InstanceSpec};
use crate::plan::reason::Stall;
use crate::plan::schedule::{self, WindowsNow};

/// What the object asks for now.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The object.
    pub object: &'a Instance,
    /// The instance's name in AWS.
    pub name: LightsailName,
    /// The static IP that it is to have.
    pub static_ip: Option<WantedIp>,
    /// Whether a running instance may be restarted.
    pub policy: InstanceDisruptionPolicy,
    /// Whether a window for that is open.
    pub windows: WindowsNow,
}

/// A static IP that an instance is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedIp {
    /// Its name.
    pub name: LightsailName,
    /// Whether it is the operator's own: allocated and released with the instance.
    pub own: bool,
}

impl<'a> Wanted<'a> {
    /// Parses the spec. What no schema can judge comes back as a sentence.
    ///
    /// # Errors
    /// A name that is none in Lightsail, a window that never opens.
    pub fn read(object: &'a Instance, now: Timestamp) -> Result<Self, (Stall, String)> {
        let invalid = |text: String| (Stall::InvalidSpec, text);
        let spec = &object.spec;
        let name = name(object).map_err(invalid)?;
        let static_ip = match spec.static_ip.as_ref().map(|ip| &ip.name) {
            Some(Some(name)) => Some(WantedIp { name: name.clone(), own: false }),
            Some(None) => {
                let name = own_static_ip(object).map_err(|text| invalid(format!("staticIp: {text}")))?;
                Some(WantedIp { name, own: true })
            }
            None => None,
        };
        let rules = spec.disruption.clone().unwrap_or_default();
        let windows = schedule::windows(rules.windows.as_deref(), now).map_err(invalid)?;
        Ok(Self { object, name, static_ip, policy: rules.policy, windows })
    }

    /// The spec.
    pub fn spec(&self) -> &'a InstanceSpec {
        &self.object.spec
    }
}

/// The instance's name in AWS.
///
/// # Errors
/// A sentence, where the object's own name is none in Lightsail.
pub fn name(object: &Instance) -> Result<LightsailName, String> {
    match &object.spec.name {
        Some(name) => Ok(name.clone()),
        None => LightsailName::try_from(object.name_any()).map_err(|e| format!("name: {e}")),
    }
}

/// The name of the operator's own static IP: AWS keeps no tags on one, and names are shared by all types of resources.
///
/// # Errors
/// A sentence, where the name would be too long.
pub fn own_static_ip(object: &Instance) -> Result<LightsailName, String> {
    let uid: String = object.uid().unwrap_or_default().chars().take(8).collect();
    LightsailName::try_from(format!("{}-{uid}", name(object)?)).map_err(|e| e.to_string())
}
