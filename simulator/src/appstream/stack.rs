//! Stacks and their fleets. A stack has no state; everything is answered at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{Call, already_exists, names, not_found, page, page_of, read_tags, text};
use crate::place::Place;
use crate::wire::{Refusal, Value, map, nothing};

/// One stack. Its settings are kept as AWS's own members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_at: Timestamp,
    pub(crate) settings: Map<String, Json>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Members of CreateStack that are given back as they are.
pub(crate) const MEMBERS: [&str; 13] = [
    "DisplayName",
    "Description",
    "StorageConnectors",
    "RedirectURL",
    "FeedbackURL",
    "UserSettings",
    "ApplicationSettings",
    "AccessEndpoints",
    "EmbedHostDomains",
    "StreamingExperienceSettings",
    "ContentRedirection",
    "AgentAccessConfig",
    "StorageConnectorAuthentication",
];

/// What AWS permits for actions that the caller did not name.
const ACTIONS: [(&str, &str); 9] = [
    ("CLIPBOARD_COPY_FROM_LOCAL_DEVICE", "ENABLED"),
    ("CLIPBOARD_COPY_TO_LOCAL_DEVICE", "ENABLED"),
    ("FILE_UPLOAD", "ENABLED"),
    ("FILE_DOWNLOAD", "ENABLED"),
    ("PRINTING_TO_LOCAL_DEVICE", "ENABLED"),
    ("DOMAIN_PASSWORD_SIGNIN", "ENABLED"),
    ("DOMAIN_SMART_CARD_SIGNIN", "DISABLED"),
    ("AUTO_TIME_ZONE_REDIRECTION", "ENABLED"),
    ("SMART_CARD_REDIRECTION", "DISABLED"),
];

impl Stack {
    pub(crate) fn spell(&self) -> Value {
        let mut stack = map([
            ("Arn", self.arn.as_str().into()),
            ("Name", self.name.as_str().into()),
            ("CreatedTime", self.created_at.into()),
        ]);
        for (member, value) in &self.settings {
            stack.set(member, value.clone());
        }
        stack
    }

    /// Fills in what AWS always has: every user setting, application settings, a streaming protocol.
    pub(crate) fn fill_defaults(&mut self, bucket: String) {
        let given = self.settings.get("UserSettings").and_then(Json::as_array).cloned().unwrap_or_default();
        let full = ACTIONS.iter().map(|(action, permission)| {
            let named = given.iter().find(|one| one["Action"] == *action).cloned();
            named.unwrap_or_else(|| json!({"Action": action, "Permission": permission}))
        });
        self.settings.insert("UserSettings".to_owned(), full.collect());
        let application = self.settings.entry("ApplicationSettings").or_insert_with(|| json!({"Enabled": false}));
        if let Some(members) = application.as_object_mut() {
            members.entry("SettingsGroup").or_insert_with(|| json!(self.name));
            match members.get("Enabled").and_then(Json::as_bool) {
                Some(true) => members.insert("S3BucketName".to_owned(), json!(bucket)),
                Some(false) | None => members.remove("S3BucketName"),
            };
        }
        let experience = json!({"PreferredProtocol": "TCP"});
        self.settings.entry("StreamingExperienceSettings").or_insert(experience);
    }
}

/// Bucket in which AWS keeps application settings, by its documented naming.
pub(crate) fn settings_bucket(place: &Place) -> String {
    format!("appstream-app-settings-{}-{}-x0000001", place.region, place.account)
}

impl Place {
    /// A stack with these settings and tags.
    pub(crate) fn put_stack(
        &mut self,
        name: &str,
        settings: Map<String, Json>,
        tags: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Value {
        let arn = self.arn(&format!("stack/{name}"));
        let mut stack = Stack { name: name.to_owned(), arn, created_at: now, settings, tags };
        stack.fill_defaults(settings_bucket(self));
        let answer = map([("Stack", stack.spell())]);
        self.stacks.insert(name.to_owned(), stack);
        answer
    }
}

/// CreateStack.
pub(crate) fn create(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    if place.stacks.contains_key(name) {
        return Err(already_exists("stack", name, &place.account));
    }
    if place.laws.quotas.stacks.is_some_and(|limit| place.stacks.len() >= limit) {
        let message = format!("The stack limit for account {} was exceeded.", place.account);
        return Err(Refusal::new("LimitExceededException", message));
    }
    let sent = |member: &&str| Some(((*member).to_owned(), call.input.get(*member)?.clone()));
    let settings = MEMBERS.iter().filter_map(sent).filter(|(_, value)| !value.is_null() && value != "").collect();
    Ok(place.put_stack(name, settings, read_tags(call), call.now))
}

/// DescribeStacks.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let asked = names(call, "Names");
    let chosen: Vec<&Stack> = if asked.is_empty() {
        place.stacks.values().collect()
    } else {
        let find = |name: &&str| place.stacks.get(*name).ok_or_else(|| unknown(place, name));
        asked.iter().map(find).collect::<Result<_, _>>()?
    };
    let spelled = chosen.into_iter().map(|stack| (stack.name.clone(), stack)).collect();
    page_of(call, &place.laws, place.laws.page_size, "Stacks", spelled, Stack::spell)
}

/// DeleteStack: only without a fleet.
pub(crate) fn delete(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    if !place.stacks.contains_key(name) {
        return Err(unknown(place, name));
    }
    if place.associations.iter().any(|(_, stack)| stack == name) {
        let message = format!(
            "Cannot delete stack {name}. This stack has fleets associated with it. \
             Only stacks with no fleets associated with it can be deleted."
        );
        return Err(Refusal::new("ResourceInUseException", message));
    }
    place.stacks.remove(name);
    Ok(nothing())
}

/// AssociateFleet: one fleet for a stack; saying it again succeeds.
pub(crate) fn associate(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (fleet, stack) = (text(call, "FleetName").to_owned(), text(call, "StackName").to_owned());
    let Some(host) = place.fleets.get(&fleet) else {
        return Err(super::fleet::unknown(place, &fleet));
    };
    let Some(joined) = place.stacks.get(&stack) else {
        return Err(unknown(place, &stack));
    };
    if place.associations.iter().any(|(other, name)| *name == stack && *other != fleet) {
        let message = format!("The stack {stack} is already associated with a fleet.");
        return Err(Refusal::new("OperationNotPermittedException", message));
    }
    let linux = host.settings.platform.as_deref().is_some_and(|platform| !platform.starts_with("WINDOWS"));
    if linux && !fits_linux(joined) {
        let message = format!(
            "The stack {stack} cannot be associated with the Linux fleet {fleet}: disable Google Drive, OneDrive and \
             application settings persistence first."
        );
        return Err(Refusal::new("IncompatibleImageException", message));
    }
    place.associations.insert((fleet, stack));
    Ok(nothing())
}

fn fits_linux(stack: &Stack) -> bool {
    let connectors = stack.settings.get("StorageConnectors").and_then(Json::as_array).into_iter().flatten();
    let kept = stack.settings.get("ApplicationSettings").is_some_and(|settings| settings["Enabled"] == true);
    !kept && connectors.into_iter().all(|one| one["ConnectorType"] == "HOMEFOLDERS")
}

/// DisassociateFleet: refused while sessions of the pair are live.
pub(crate) fn disassociate(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (fleet, stack) = (text(call, "FleetName").to_owned(), text(call, "StackName").to_owned());
    let Some(host) = place.fleets.get(&fleet) else {
        return Err(super::fleet::unknown(place, &fleet));
    };
    if !place.stacks.contains_key(&stack) {
        return Err(unknown(place, &stack));
    }
    if host.sessions.iter().any(|one| one.ended_at.is_none() && one.stack == stack) {
        let message = format!("The fleet {fleet} has active sessions in the stack {stack}.");
        return Err(Refusal::new("ResourceInUseException", message));
    }
    if !place.associations.remove(&(fleet.clone(), stack.clone())) {
        return Err(not_found(format!("The fleet {fleet} is not associated with the stack {stack}.")));
    }
    Ok(nothing())
}

/// ListAssociatedFleets; it has no modelled error, so an unknown stack has no fleets.
pub(crate) fn list_fleets(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let stack = text(call, "StackName");
    let fleets = place.associations.iter().filter(|(_, name)| name == stack).map(|(fleet, _)| fleet.clone());
    let spelled = fleets.map(|name| (name.clone(), name.into())).collect();
    page(call, &place.laws, place.laws.page_size, "Names", spelled)
}

/// ResourceNotFoundException for a stack.
pub(crate) fn unknown(place: &Place, name: &str) -> Refusal {
    not_found(format!("The stack {name} for account {} does not exist.", place.account))
}
