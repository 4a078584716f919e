//! AppStream stacks: what AWS says about one, its fleet and its sessions, and one write at a time.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_appstream::Client;

use super::appstream::{AppStream, audit, one};
use super::appstream_read as read;
use super::appstream_write::{reply, request_id};
use super::errors::ours;
use super::place::Place;
use super::request::Way;
use super::translate_stack as translate;
use crate::api::stack::StackSettings;
use crate::api::{Arn, AwsName, Stack};
use crate::aws::accounts::{ScopeError, Session};
use crate::aws::batch::lock;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::fleet::{AssociatedStack, FleetFacts, SessionFacts};
use crate::plan::looked::Looked;
use crate::plan::stack::wanted;
use crate::plan::stack::{Joined, NamedFleet, StackCall, StackFacts, StackKind, StackLook, StackState};
use crate::plan::{Call, Class, Scope};

impl AwsPort<StackKind> for AppStream {
    async fn scope(&self, object: &Stack) -> Result<Scope, ScopeError> {
        self.accounts.scope_of::<StackKind>(object).await
    }

    async fn observe(&self, scope: &Scope, object: &Stack, ask: Ask<'_, StackLook>) -> Result<StackState, AwsError> {
        // Boxed: the futures of many SDK calls lie in it, and whoever awaits it should not carry them on its stack.
        Box::pin(self.look_at_stack(scope, object, ask)).await
    }

    async fn send(&self, scope: &Scope, call: &StackCall, urgency: Urgency) -> Result<Reply, AwsError> {
        Box::pin(self.write_stack(scope, call, urgency)).await
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        let source = self.source::<StackFacts>(scope, Urgency::Routine);
        let all = self.stacks.all(&Place::of(scope), (self.clock)(), &source).await?;
        let arns = all.value.items.values().map(|stack| &stack.arn).filter(|arn| !claimed.contains(*arn));
        self.tagged(scope, arns.cloned().collect()).await
    }
}

impl AppStream {
    async fn look_at_stack(
        &self,
        scope: &Scope,
        object: &Stack,
        Ask { looks, not_before, urgency }: Ask<'_, StackLook>,
    ) -> Result<StackState, AwsError> {
        self.evict();
        let name = wanted::name(object)
            .map_err(|ill_formed| ours("DescribeStacks", Class::Rejected, "InvalidName", &ill_formed))?;
        let place = Place::of(scope);
        let source = self.source::<StackFacts>(scope, urgency);
        let known = one(&self.stacks, &place, &name, not_before, existed(object), (&source, &self.clock)).await?;
        let stack = known.value.as_deref();
        if stack.is_none() {
            self.forget_tags_of::<StackFacts>(&place, &name);
            self.forget_fleets_of(&place, &name);
        }
        let (client, way) = (&source.client, &source.way);

        let tags = async {
            match stack {
                Some(stack) if looks.contains(&StackLook::Tags) => {
                    self.read_tags(client, way, &place, &stack.arn).await.map(Some)
                }
                Some(stack) => Ok(self.remembered_tags(&place, &stack.arn)),
                None => Ok(None),
            }
        };
        let fleets_and_sessions = async {
            let sessions_too = looks.contains(&StackLook::Sessions);
            match (stack, sessions_too || looks.contains(&StackLook::Fleets)) {
                (None, _) => return Ok((None, None)),
                (Some(_), false) => return Ok((self.remembered_fleets(&place, &name).map(Looked::Found), None)),
                (Some(_), true) => {}
            }
            let found = self.read_fleets(client, way, &place, &name).await;
            let joined = self.looked((&place, &name, "fleets of the stack"), found)?;
            let sessions = match (&joined, sessions_too) {
                (Looked::Found(joined), true) => {
                    let found = sessions(client, way, &name, &joined.fleets).await;
                    Some(self.looked((&place, &name, "sessions of the stack"), found)?)
                }
                // Whoever may not see the fleets cannot ask for their sessions.
                (Looked::Refused(refusal), true) => Some(Looked::Refused(refusal.clone())),
                (Looked::Found(_) | Looked::Refused(_), false) => None,
            };
            Ok((Some(joined), sessions))
        };
        let named_fleet = async {
            match object.spec.fleet_name.as_ref().filter(|_| looks.contains(&StackLook::NamedFleet)) {
                Some(fleet) => {
                    let found = self.named_fleet(scope, fleet, urgency).await;
                    self.looked((&place, fleet, "named fleet"), found).map(Some)
                }
                None => Ok(None),
            }
        };
        let (tags, (joined, sessions), named_fleet) = futures::try_join!(tags, fleets_and_sessions, named_fleet)?;
        let stack = stack.cloned();
        Ok(StackState {
            began: self.shown(known.began),
            in_region: self.stacks.size(&place),
            stack,
            tags,
            joined,
            sessions,
            named_fleet,
        })
    }

    async fn write_stack(&self, scope: &Scope, call: &StackCall, urgency: Urgency) -> Result<Reply, AwsError> {
        let place = Place::of(scope);
        let result = send(&self.client(scope, Session::Writes), &self.way(scope, urgency), call).await;
        // Whether or not it was applied, what was read before it is no longer the last word.
        match call {
            StackCall::Tag { arn, .. } | StackCall::Untag { arn, .. } => self.forget_tags(&place, arn),
            // The next stack of this name has the same ARN, and tags of its own.
            StackCall::Create(create) => {
                self.forget_tags_of::<StackFacts>(&place, &create.name);
                self.forget_fleets_of(&place, &create.name);
                self.stacks.wrote(&place, create.name.as_str(), Some(result.is_ok()));
            }
            StackCall::Delete(name) => {
                self.forget_tags_of::<StackFacts>(&place, name);
                self.forget_fleets_of(&place, name);
                self.stacks.wrote(&place, name.as_str(), Some(false));
            }
            StackCall::Update(patch) => self.stacks.wrote(&place, patch.name.as_str(), None),
            StackCall::Associate { stack, .. } | StackCall::Disassociate { stack, .. } => {
                self.forget_fleets_of(&place, stack);
            }
        }
        audit(scope, call.operation(), &resource(call), &result);
        result
    }

    async fn read_fleets(
        &self,
        client: &Client,
        way: &Way,
        place: &Place,
        stack: &AwsName,
    ) -> Result<Joined, AwsError> {
        let began = self.shown((self.clock)());
        let joined = Joined { began, fleets: read::fleets(client, way, stack).await? };
        lock(&self.joined).insert((place.clone(), stack.clone()), (joined.clone(), (self.clock)()));
        Ok(joined)
    }

    fn remembered_fleets(&self, place: &Place, stack: &AwsName) -> Option<Joined> {
        let now = (self.clock)();
        let mut remembered = lock(&self.joined);
        let (joined, used) = remembered.get_mut(&(place.clone(), stack.clone()))?;
        *used = now;
        Some(joined.clone())
    }

    fn forget_fleets_of(&self, place: &Place, stack: &AwsName) {
        lock(&self.joined).remove(&(place.clone(), stack.clone()));
    }

    /// The fleet that a stack names, which may be anybody's, and its tags.
    async fn named_fleet(
        &self,
        scope: &Scope,
        fleet: &AwsName,
        urgency: Urgency,
    ) -> Result<Option<NamedFleet>, AwsError> {
        let place = Place::of(scope);
        let now = (self.clock)();
        let source = self.source::<FleetFacts>(scope, urgency);
        let known = one(&self.fleets, &place, fleet, now, false, (&source, &self.clock)).await?;
        let Some(found) = known.value.as_deref() else { return Ok(None) };
        let tags = self.read_tags(&source.client, &source.way, &place, &found.arn).await?;
        Ok(Some(NamedFleet { arn: found.arn.clone(), tags }))
    }
}

/// The sessions of a stack over all its fleets.
async fn sessions(
    client: &Client,
    way: &Way,
    stack: &AwsName,
    fleets: &BTreeSet<AwsName>,
) -> Result<Vec<SessionFacts>, AwsError> {
    let stack = [AssociatedStack { name: stack.clone() }];
    let mut all = Vec::new();
    for fleet in fleets {
        all.extend(read::sessions(client, way, fleet, &stack).await?);
    }
    Ok(all)
}

fn existed(object: &Stack) -> bool {
    object.status.as_ref().is_some_and(|status| status.arn.is_some() || status.internal.intent.is_some())
}

/// Gives what CreateStack and UpdateStack have in common to either request, which have the same setters but no common type.
/// The pattern names every field, so that a new one cannot be forgotten here.
macro_rules! with_settings {
    ($request:expr, $settings:expr, $agents:path) => {{
        let StackSettings {
            display_name,
            description,
            storage_connectors,
            redirect_url,
            feedback_url,
            user_settings,
            application_settings,
            access_endpoints,
            embed_host_domains,
            streaming_experience_settings,
            content_redirection,
            agent_access_config,
            storage_connector_authentication,
        } = $settings;
        $request
            .set_display_name(display_name.clone())
            .set_description(description.clone())
            .set_storage_connectors(translate::each(storage_connectors, translate::sdk_connector))
            .set_redirect_url(redirect_url.clone())
            .set_feedback_url(feedback_url.clone())
            .set_user_settings(translate::each(user_settings, translate::sdk_user_setting))
            .set_application_settings(application_settings.as_ref().map(translate::sdk_application_settings))
            .set_access_endpoints(translate::each(access_endpoints, translate::sdk_endpoint))
            .set_embed_host_domains(embed_host_domains.clone().map(|domains| domains.into_iter().collect()))
            .set_streaming_experience_settings(streaming_experience_settings.as_ref().map(translate::sdk_protocol))
            .set_content_redirection(content_redirection.as_ref().map(translate::sdk_redirection))
            .set_agent_access_config(agent_access_config.as_ref().map($agents))
            .set_storage_connector_authentication(storage_connector_authentication.map(translate::sdk_authentication))
    }};
}

async fn send(client: &Client, way: &Way, call: &StackCall) -> Result<Reply, AwsError> {
    let operation = call.operation();
    match call {
        StackCall::Create(create) => {
            let tags: HashMap<String, String> = create.tags.clone().into_iter().collect();
            let request = with_settings!(client.create_stack(), &create.settings, translate::sdk_agents)
                .name(create.name.as_str())
                .set_tags((!tags.is_empty()).then_some(tags));
            let created = way.write(operation, request.send()).await?;
            let arn = created.stack().and_then(|stack| stack.arn()).and_then(|arn| arn.parse().ok());
            Ok(Reply { arn, request_id: request_id(&created) })
        }
        StackCall::Update(patch) => {
            let clear: Vec<_> = patch.clear.iter().copied().map(translate::attribute).collect();
            let request = with_settings!(client.update_stack(), &patch.set, translate::sdk_agents_for_update)
                .name(patch.name.as_str())
                .set_attributes_to_delete((!clear.is_empty()).then_some(clear));
            reply(way.write(operation, request.send()).await)
        }
        StackCall::Delete(name) => reply(way.write(operation, client.delete_stack().name(name.as_str()).send()).await),
        StackCall::Associate { stack, fleet } => {
            let request = client.associate_fleet().stack_name(stack.as_str()).fleet_name(fleet.as_str());
            reply(way.write(operation, request.send()).await)
        }
        StackCall::Disassociate { stack, fleet } => {
            let request = client.disassociate_fleet().stack_name(stack.as_str()).fleet_name(fleet.as_str());
            reply(way.write(operation, request.send()).await)
        }
        StackCall::Tag { arn, tags } => {
            let tags = tags.clone().into_iter().collect();
            let request = client.tag_resource().resource_arn(arn.as_str()).set_tags(Some(tags));
            reply(way.write(operation, request.send()).await)
        }
        StackCall::Untag { arn, keys } => {
            let keys = keys.iter().cloned().collect();
            let request = client.untag_resource().resource_arn(arn.as_str()).set_tag_keys(Some(keys));
            reply(way.write(operation, request.send()).await)
        }
    }
}

/// What a write is about, for the audit log.
fn resource(call: &StackCall) -> String {
    match call {
        StackCall::Create(create) => create.name.to_string(),
        StackCall::Update(patch) => patch.name.to_string(),
        StackCall::Delete(name) => name.to_string(),
        StackCall::Associate { stack, fleet } | StackCall::Disassociate { stack, fleet } => format!("{stack} {fleet}"),
        StackCall::Tag { arn, .. } | StackCall::Untag { arn, .. } => arn.to_string(),
    }
}
