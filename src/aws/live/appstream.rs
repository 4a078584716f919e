//! AppStream 2.0 as the engine sees it: what is shared by its kinds, what AWS says about a fleet, and one write at a time.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_appstream::Client;
use futures::FutureExt;
use jiff::Timestamp;

use super::appstream_list::{Listed, Pages};
use super::appstream_read as read;
use super::appstream_write as write;
use super::errors::ours;
use super::leave::AskLeave;
use super::place::{Clients, Place};
use super::refused::Refused;
use super::request::Way;
use crate::api::{Arn, AwsName, Fleet};
use crate::aws::accounts::{Accounts, Reach, ScopeError, Session};
use crate::aws::batch::{Clock, Shared, Snapshot, age, lock, strictly};
use crate::aws::codes::Service;
use crate::aws::gate::Urgency;
use crate::aws::listing::{All, Known, Listings};
use crate::aws::{Ask, AwsError, AwsPort, Leave, Reply, Stray};
use crate::plan::fleet::{FleetCall, FleetFacts, FleetKind, FleetLook, FleetState, ImageFacts, ImageRef, Tagged};
use crate::plan::image_builder::BuilderFacts;
use crate::plan::looked::Looked;
use crate::plan::stack::{Joined, StackFacts};
use crate::plan::{Call, Class, Scope};

/// What nobody asked for during this time is forgotten: three times the hourly look at tags.
const UNUSED_AFTER: Duration = Duration::from_secs(3 * 3600);
/// How long an image's description is shared: images change by hand and by copying, which takes minutes.
const IMAGE_LASTS: Duration = Duration::from_secs(60);

/// The way to AppStream for every account and Region.
pub struct AppStream {
    pub(super) accounts: Arc<Accounts>,
    leave: Arc<dyn Leave>,
    pub(super) clock: Clock,
    clients: Clients<Client>,
    pub(super) fleets: Listings<Place, FleetFacts>,
    pub(super) stacks: Listings<Place, StackFacts>,
    pub(super) builders: Listings<Place, BuilderFacts>,
    /// The fleets of stacks, and when they were asked for last.
    pub(super) joined: Mutex<HashMap<(Place, AwsName), (Joined, Timestamp)>>,
    images: Shared<(Place, ImageRef), Option<ImageFacts>>,
    tags: Mutex<HashMap<(Place, Arn), RememberedTags>>,
    refused: Refused,
}

struct RememberedTags {
    tagged: Tagged,
    used: Timestamp,
}

impl AppStream {
    /// A way that has seen nothing yet.
    pub fn new(accounts: Arc<Accounts>, leave: Arc<dyn Leave>) -> Self {
        let clock = strictly(accounts.clock());
        Self {
            accounts,
            leave,
            clients: Clients::new(clock()),
            fleets: Listings::new(Arc::clone(&clock), UNUSED_AFTER),
            stacks: Listings::new(Arc::clone(&clock), UNUSED_AFTER),
            builders: Listings::new(Arc::clone(&clock), UNUSED_AFTER),
            joined: Mutex::default(),
            images: Shared::new(Arc::clone(&clock), UNUSED_AFTER),
            tags: Mutex::default(),
            refused: Refused::default(),
            clock,
        }
    }

    async fn look(
        &self,
        scope: &Scope,
        object: &Fleet,
        Ask { looks, not_before, urgency }: Ask<'_, FleetLook>,
    ) -> Result<FleetState, AwsError> {
        self.evict();
        let name = aws_name(object)?;
        let place = Place::of(scope);
        // Right before a stop the counts must be as new as the sessions.
        let not_before = if looks.contains(&FleetLook::Sessions) { not_before.max((self.clock)()) } else { not_before };
        let source = self.source::<FleetFacts>(scope, urgency);
        let known = one(&self.fleets, &place, &name, not_before, existed(object), (&source, &self.clock)).await?;
        let fleet = known.value.as_deref();
        if fleet.is_none() {
            self.forget_tags_of::<FleetFacts>(&place, &name);
        }
        let (client, way) = (&source.client, &source.way);

        let image = async {
            match image_ref(object).filter(|_| looks.contains(&FleetLook::Image)) {
                Some(image) => match self.image(client, way, &place, image.clone()).await {
                    // Who may not read images may still make fleets of them: AWS itself says whether the image will do.
                    Err(error) if matches!(error.class, Class::AccessDenied | Class::Rejected) => {
                        Ok(Some(Some(unread(&image))))
                    }
                    answer => answer.map(Some),
                },
                None => Ok(None),
            }
        };
        let tags = async {
            match fleet {
                Some(fleet) if looks.contains(&FleetLook::Tags) => {
                    self.read_tags(client, way, &place, &fleet.arn).await.map(Some)
                }
                Some(fleet) => Ok(self.remembered_tags(&place, &fleet.arn)),
                None => Ok(None),
            }
        };
        let stacks_and_sessions = async {
            let sessions_too = looks.contains(&FleetLook::Sessions);
            if fleet.is_none() || !(sessions_too || looks.contains(&FleetLook::Stacks)) {
                return Ok((None, None));
            }
            let stacks = self.looked((&place, &name, "stacks"), read::stacks(client, way, &name).await)?;
            let sessions = match (&stacks, sessions_too) {
                (Looked::Found(stacks), true) => {
                    Some(self.looked((&place, &name, "sessions"), read::sessions(client, way, &name, stacks).await)?)
                }
                // Whoever may not see the stacks cannot ask for their sessions.
                (Looked::Refused(refusal), true) => Some(Looked::Refused(refusal.clone())),
                (Looked::Found(_) | Looked::Refused(_), false) => None,
            };
            Ok((Some(stacks), sessions))
        };
        let applications = async {
            match fleet {
                Some(_) if looks.contains(&FleetLook::Applications) => {
                    let found = read::applications(client, way, &name).await;
                    self.looked((&place, &name, "applications"), found).map(Some)
                }
                _ => Ok(None),
            }
        };
        let (image, tags, (stacks, sessions), applications) =
            futures::try_join!(image, tags, stacks_and_sessions, applications)?;

        Ok(FleetState {
            began: self.shown(known.began),
            fleet: fleet.cloned(),
            tags,
            image,
            stacks,
            sessions,
            applications,
        })
    }

    async fn write(&self, scope: &Scope, call: &FleetCall, urgency: Urgency) -> Result<Reply, AwsError> {
        let place = Place::of(scope);
        let client = self.client(scope, Session::Writes);
        let way = self.way(scope, urgency);
        let result = write::send(&client, &way, call).await;
        // Whether or not it was applied, what was read before it is no longer the last word.
        let wrote = |name: &AwsName, there| self.fleets.wrote(&place, name.as_str(), there);
        match call {
            FleetCall::Tag { arn, .. } | FleetCall::Untag { arn, .. } => self.forget_tags(&place, arn),
            // The next fleet of this name has the same ARN, and tags of its own.
            FleetCall::Create(create) => {
                self.forget_tags_of::<FleetFacts>(&place, &create.name);
                wrote(&create.name, Some(result.is_ok()));
            }
            FleetCall::Delete(name) => {
                self.forget_tags_of::<FleetFacts>(&place, name);
                wrote(name, Some(false));
            }
            FleetCall::Update(patch) => wrote(&patch.name, None),
            FleetCall::Start(name) | FleetCall::Stop(name) => wrote(name, None),
            FleetCall::AssociateApplication { .. } | FleetCall::DisassociateApplication { .. } => {}
        }
        audit(scope, call.operation(), write::resource(call), &result);
        result
    }

    /// The tags of resources that no object claims.
    pub(super) async fn tagged(&self, scope: &Scope, arns: Vec<Arn>) -> Result<Vec<Stray>, AwsError> {
        let place = Place::of(scope);
        let (client, way) = (self.client(scope, Session::Reads), self.way(scope, Urgency::Routine));
        let mut strays = Vec::new();
        for arn in arns {
            let tags = match self.read_tags(&client, &way, &place, &arn).await {
                Ok(tagged) => tagged.tags,
                // Deleted since it was listed.
                Err(error) if error.code == "ResourceNotFoundException" => continue,
                Err(error) => return Err(error),
            };
            strays.push(Stray { arn, tags });
        }
        Ok(strays)
    }

    /// Every fleet of a place, by a complete read that began at or after `not_before`, and when it began.
    ///
    /// # Errors
    /// Those of the read.
    pub(super) async fn fleets(
        &self,
        scope: &Scope,
        not_before: Timestamp,
    ) -> Result<Arc<Snapshot<All<FleetFacts>>>, AwsError> {
        let place = Place::of(scope);
        let source = self.source::<FleetFacts>(scope, Urgency::Routine);
        self.fleets.all(&place, not_before, &source).await
    }

    pub(super) async fn image(
        &self,
        client: &Client,
        way: &Way,
        place: &Place,
        image: ImageRef,
    ) -> Result<Option<ImageFacts>, AwsError> {
        let now = (self.clock)();
        let not_before = now.checked_sub(IMAGE_LASTS).unwrap_or(now);
        let key = (place.clone(), image);
        let read = || {
            let (client, way, image) = (client.clone(), way.clone(), key.1.clone());
            async move { read::image(&client, &way, &image).await }.boxed()
        };
        Ok(self.images.since(&key, not_before, read).await?.value.clone())
    }

    pub(super) async fn read_tags(
        &self,
        client: &Client,
        way: &Way,
        place: &Place,
        arn: &Arn,
    ) -> Result<Tagged, AwsError> {
        let began = self.shown((self.clock)());
        let tagged = Tagged { began, tags: read::tags(client, way, arn).await? };
        let mut remembered = lock(&self.tags);
        remembered
            .insert((place.clone(), arn.clone()), RememberedTags { tagged: tagged.clone(), used: (self.clock)() });
        Ok(tagged)
    }

    pub(super) fn remembered_tags(&self, place: &Place, arn: &Arn) -> Option<Tagged> {
        let now = (self.clock)();
        let mut remembered = lock(&self.tags);
        let tags = remembered.get_mut(&(place.clone(), arn.clone()))?;
        tags.used = now;
        Some(tags.tagged.clone())
    }

    /// Another resource under the same name has the same ARN, and other tags.
    pub(super) fn forget_tags_of<T: Listed>(&self, place: &Place, name: &AwsName) {
        let resource = format!("{}/{name}", T::RESOURCE);
        lock(&self.tags).retain(|(at, arn), _| at != place || arn.resource() != resource);
    }

    pub(super) fn forget_tags(&self, place: &Place, arn: &Arn) {
        lock(&self.tags).remove(&(place.clone(), arn.clone()));
    }

    pub(super) fn client(&self, scope: &Scope, session: Session) -> Client {
        self.clients.get(scope, session, (self.clock)(), || {
            let Reach { config, endpoint } = self.accounts.reach(scope, session, Service::AppStream);
            let builder = aws_sdk_appstream::config::Builder::from(&config);
            let builder = endpoint.into_iter().fold(builder, |builder, endpoint| builder.endpoint_url(endpoint));
            Client::from_conf(builder.interceptor(AskLeave(Arc::clone(&self.leave))).build())
        })
    }

    pub(super) fn source<T: Listed>(&self, scope: &Scope, urgency: Urgency) -> Pages<T> {
        Pages { client: self.client(scope, Session::Reads), way: self.way(scope, urgency), listed: PhantomData }
    }

    pub(super) fn way(&self, scope: &Scope, urgency: Urgency) -> Way {
        Way::new(self.accounts.gate(), Service::AppStream, &scope.account, scope.region.as_str(), urgency)
    }

    /// A time of the strictly increasing clock as everybody else's clock shows it: never in the future.
    pub(super) fn shown(&self, time: Timestamp) -> Timestamp {
        time.min((self.accounts.clock())())
    }

    pub(super) fn evict(&self) {
        let now = (self.clock)();
        if !self.clients.evict(now, UNUSED_AFTER) {
            return;
        }
        self.fleets.evict();
        self.stacks.evict();
        self.builders.evict();
        lock(&self.joined).retain(|_, (_, used)| age(*used, now) < UNUSED_AFTER);
        self.images.evict();
        lock(&self.tags).retain(|_, tags| age(tags.used, now) < UNUSED_AFTER);
        self.refused.evict(now);
    }

    /// What a look beside the shared one found: `what`, of the resource of that name.
    pub(super) fn looked<T>(
        &self,
        (place, name, what): (&Place, &AwsName, &'static str),
        answer: Result<T, AwsError>,
    ) -> Result<Looked<T>, AwsError> {
        self.refused.looked((place, name.as_str(), what), self.shown((self.clock)()), answer)
    }
}

impl AwsPort<FleetKind> for AppStream {
    async fn scope(&self, object: &Fleet) -> Result<Scope, ScopeError> {
        self.accounts.scope_of::<FleetKind>(object).await
    }

    async fn observe(&self, scope: &Scope, object: &Fleet, ask: Ask<'_, FleetLook>) -> Result<FleetState, AwsError> {
        // Boxed: the futures of a dozen SDK calls lie in it, and whoever awaits it should not carry them on its stack.
        Box::pin(self.look(scope, object, ask)).await
    }

    async fn send(&self, scope: &Scope, call: &FleetCall, urgency: Urgency) -> Result<Reply, AwsError> {
        Box::pin(self.write(scope, call, urgency)).await
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        let all = self.fleets(scope, (self.clock)()).await?;
        let arns = all.value.items.values().map(|fleet| &fleet.arn).filter(|arn| !claimed.contains(*arn));
        self.tagged(scope, arns.cloned().collect()).await
    }
}

/// One resource by its name. Pages are no snapshot: one that is deleted meanwhile may shift another out of every page. What
/// was there, or may have been made, is gone only when a question for its name alone says so.
pub(super) async fn one<T: Listed>(
    all: &Listings<Place, T>,
    place: &Place,
    name: &AwsName,
    not_before: Timestamp,
    existed: bool,
    (source, clock): (&Pages<T>, &Clock),
) -> Result<Known<T>, AwsError> {
    let known = all.one(place, name.as_str(), not_before, source.way.urgency(), source).await?;
    if known.value.is_none() && existed {
        return all.one(place, name.as_str(), clock(), Urgency::Urgent, source).await;
    }
    Ok(known)
}

fn aws_name(object: &Fleet) -> Result<AwsName, AwsError> {
    if let Some(name) = &object.spec.name {
        return Ok(name.clone());
    }
    let name = object.metadata.name.clone().unwrap_or_default();
    AwsName::try_from(name)
        .map_err(|ill_formed| ours("DescribeFleets", Class::Rejected, "InvalidName", &ill_formed.to_string()))
}

/// An image of which AWS tells nothing: without a state nothing is held against it.
pub(super) fn unread(image: &ImageRef) -> ImageFacts {
    let (name, arn) = match image {
        ImageRef::Name(name) => (name.to_string(), None),
        ImageRef::Arn(arn) => (String::new(), Some(arn.to_string())),
    };
    ImageFacts {
        name,
        arn,
        state: String::new(),
        state_reason: None,
        platform: None,
        visibility: None,
        allow_fleet: None,
    }
}

fn existed(object: &Fleet) -> bool {
    object.status.as_ref().is_some_and(|status| status.arn.is_some() || status.internal.intent.is_some())
}

fn image_ref(object: &Fleet) -> Option<ImageRef> {
    let settings = &object.spec.settings;
    let by_arn = settings.image_arn.clone().map(ImageRef::Arn);
    by_arn.or_else(|| settings.image_name.clone().map(ImageRef::Name))
}

/// One line for every write: joins CloudTrail, and the line of the pass that names the object, by the request id.
pub(super) fn audit(scope: &Scope, operation: &str, resource: &str, result: &Result<Reply, AwsError>) {
    let (outcome, request_id) = match result {
        Ok(reply) => ("ok", reply.request_id.as_deref()),
        Err(error) => (error.code.as_str(), error.request_id.as_deref()),
    };
    tracing::info!(
        target: "windlass::audit",
        operation,
        resource,
        account = scope.account,
        region = scope.region.as_str(),
        request_id = request_id.unwrap_or_default(),
        outcome,
        "aws write"
    );
}
