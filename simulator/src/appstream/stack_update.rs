//! UpdateStack: a patch with `AttributesToDelete`.

use serde_json::{Map, Value as Json};

use super::stack::{MEMBERS, settings_bucket, unknown};
use super::{Call, names, text};
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// UpdateStack. Members that are sent replace what is there; connectors and settings that are not named stay.
pub(crate) fn update(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    let bucket = settings_bucket(place);
    let Some(stack) = place.stacks.get_mut(name) else {
        return Err(unknown(place, name));
    };
    for member in MEMBERS {
        let Some(sent) = call.input.get(member).filter(|value| !value.is_null()) else {
            continue;
        };
        let kept = stack.settings.get(member);
        // An empty text clears it.
        if sent == "" {
            stack.settings.remove(member);
            continue;
        }
        let merged = match member {
            "StorageConnectors" => join(kept, sent, "ConnectorType"),
            "UserSettings" => join(kept, sent, "Action"),
            "AgentAccessConfig" => overlay(kept, sent),
            _ => sent.clone(),
        };
        stack.settings.insert(member.to_owned(), merged);
    }
    if call.input["DeleteStorageConnectors"].as_bool() == Some(true) {
        stack.settings.remove("StorageConnectors");
    }
    for attribute in names(call, "AttributesToDelete") {
        remove(&mut stack.settings, attribute);
    }
    stack.fill_defaults(bucket);
    Ok(map([("Stack", stack.spell())]))
}

/// The list that was there, with entries of the same key replaced and new ones added: one that is left out is not
/// removed by that.
fn join(kept: Option<&Json>, sent: &Json, key: &str) -> Json {
    let mut joined = kept.and_then(Json::as_array).cloned().unwrap_or_default();
    for one in sent.as_array().into_iter().flatten() {
        match joined.iter_mut().find(|old| old[key] == one[key]) {
            Some(old) => *old = one.clone(),
            None => joined.push(one.clone()),
        }
    }
    Json::Array(joined)
}

fn overlay(kept: Option<&Json>, sent: &Json) -> Json {
    let mut members = kept.and_then(Json::as_object).cloned().unwrap_or_default();
    members.extend(sent.as_object().cloned().unwrap_or_default());
    Json::Object(members)
}

fn remove(settings: &mut Map<String, Json>, attribute: &str) {
    let mut drop_connector = |kind: &str| {
        if let Some(list) = settings.get_mut("StorageConnectors").and_then(Json::as_array_mut) {
            list.retain(|one| one["ConnectorType"] != kind);
        }
    };
    match attribute {
        "STORAGE_CONNECTOR_HOMEFOLDERS" => drop_connector("HOMEFOLDERS"),
        "STORAGE_CONNECTOR_GOOGLE_DRIVE" => drop_connector("GOOGLE_DRIVE"),
        "STORAGE_CONNECTOR_ONE_DRIVE" => drop_connector("ONE_DRIVE"),
        "AGENT_ACCESS_CONFIG_KMS_KEY_ARN" => {
            if let Some(config) = settings.get_mut("AgentAccessConfig").and_then(Json::as_object_mut) {
                config.remove("KmsKeyArn");
            }
        }
        _ => {}
    }
    let whole = match attribute {
        "STORAGE_CONNECTORS" => "StorageConnectors",
        "REDIRECT_URL" => "RedirectURL",
        "FEEDBACK_URL" => "FeedbackURL",
        "USER_SETTINGS" => "UserSettings",
        "EMBED_HOST_DOMAINS" => "EmbedHostDomains",
        "ACCESS_ENDPOINTS" => "AccessEndpoints",
        "STREAMING_EXPERIENCE_SETTINGS" => "StreamingExperienceSettings",
        "CONTENT_REDIRECTION" => "ContentRedirection",
        "AGENT_ACCESS_CONFIG" => "AgentAccessConfig",
        "STORAGE_CONNECTOR_AUTHENTICATION" => "StorageConnectorAuthentication",
        // THEME_NAME and IAM_ROLE_ARN delete what no operation here can set.
        _ => return,
    };
    settings.remove(whole);
}
