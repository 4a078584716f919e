//! The world: one clock, every place, the fault script, the audit log and the violations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::appstream;
use crate::appstream::image::{ImageSeed, seeds};
use crate::appstream::session::StreamingUrl;
use crate::audit::{AuditEntry, Outcome};
use crate::call::Call;
use crate::clock::{Clock, earlier};
use crate::faults::{Fault, FaultEffect, Script};
use crate::gamelift;
use crate::in_process::InProcess;
use crate::lightsail;
use crate::place::{Place, PlaceKey, Timeline, uuid};
use crate::roles::{self, Role, RoleSession};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::sts::{self, Caller, Issued};
use crate::violations::{self, Rule, Violation};
use crate::wire::{Delivery, Handled, Incoming, Refusal, Service, Value, auth};

/// One AWS. Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
}

impl World {
    /// A world at its beginning.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(settings))) }
    }

    /// What the world's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().clock.now()
    }

    /// Moves the clock; whatever is due by then has happened when the next request or look comes.
    pub fn advance(&self, by: Duration) {
        self.lock().clock.advance(by);
    }

    /// From now on the clock shows what `source` says, plus what it was advanced by.
    pub fn follow(&self, source: impl Fn() -> Timestamp + Send + Sync + 'static) {
        self.lock().clock.follow(Box::new(source));
    }

    /// Another world that is as this one is now, and goes its own way from here. Its clock stands still until it is moved
    /// or told whom to follow.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.lock().fork();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// An HTTP client for the Rust SDK that reaches this world without a socket.
    #[must_use]
    pub fn http_client(&self) -> InProcess {
        InProcess::new(self.clone())
    }

    /// Adds a line to the fault script.
    pub fn script(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// Forgets the fault script.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// What is left of the fault script.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.lock().faults.lines()
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.lock().audit.clone()
    }

    /// The audit log from its `first` entry on (0 is the oldest).
    #[must_use]
    pub fn audit_from(&self, first: usize) -> Vec<AuditEntry> {
        self.lock().audit.get(first..).unwrap_or_default().to_vec()
    }

    /// What a careful operator would not have done, oldest first.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    /// Judges the callers with this access key (and roles they assume). Until this is first called, every caller on
    /// the wire is judged; from then on only the named ones. The helpers of this type are never judged.
    pub fn judge(&self, access_key: &str) {
        self.lock().judged.insert(access_key.to_owned());
    }

    /// From now on this rule is not judged (a test that breaks it on purpose).
    pub fn pardon(&self, rule: Rule) {
        self.lock().pardoned.insert(rule);
    }

    /// From now on ending live sessions of this fleet is no violation (`disruption` allows it).
    pub fn allow_stopping_sessions(&self, fleet: &str) {
        self.lock().may_stop_sessions.insert(fleet.to_owned());
    }

    /// Takes [`World::allow_stopping_sessions`] back.
    pub fn forbid_stopping_sessions(&self, fleet: &str) {
        self.lock().may_stop_sessions.remove(fleet);
    }

    /// A new beginning with the same settings. The clock goes on.
    pub fn reset(&self) {
        let mut state = self.lock();
        let fresh = State::new(state.settings.clone());
        let clock = std::mem::replace(&mut state.clock, Clock::new(fresh.settings.start));
        *state = State { clock, ..fresh };
    }

    /// Answers one request that was read from the wire.
    pub(crate) async fn act(&self, incoming: &Incoming) -> Handled {
        let effect = self.lock().strike(incoming);
        if let Some(FaultEffect::Hang(wait)) = effect {
            tokio::time::sleep(wait).await;
        }
        let late = match effect {
            Some(FaultEffect::AppliedThenHang(wait)) => Some(wait),
            _ => None,
        };
        let handled = self.lock().act(incoming, effect);
        if let Some(wait) = late {
            tokio::time::sleep(wait).await;
        }
        handled
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already; its world is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// Everything in a world.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) rng: StdRng,
    pub(crate) timelines: BTreeMap<PlaceKey, Timeline>,
    pub(crate) images: Vec<ImageSeed>,
    pub(crate) streams: BTreeMap<String, StreamingUrl>,
    pub(crate) issued: BTreeMap<String, Issued>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) role_sessions: Vec<RoleSession>,
    pub(crate) secrets: Secrets,
    pub(crate) faults: Script,
    pub(crate) audit: Vec<AuditEntry>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) judged: BTreeSet<String>,
    pub(crate) pardoned: BTreeSet<Rule>,
    pub(crate) may_stop_sessions: BTreeSet<String>,
    /// Clusters whose tags a caller has written, by access key.
    pub(crate) clusters: BTreeMap<String, BTreeSet<String>>,
    /// Tokens left and when they were counted.
    buckets: BTreeMap<(PlaceKey, Service), (f64, Timestamp)>,
}

impl State {
    fn new(settings: Settings) -> Self {
        Self {
            clock: Clock::new(settings.start),
            rng: StdRng::seed_from_u64(settings.seed),
            timelines: BTreeMap::new(),
            images: if settings.demo_images { seeds() } else { Vec::new() },
            streams: BTreeMap::new(),
            issued: BTreeMap::new(),
            roles: BTreeMap::new(),
            role_sessions: Vec::new(),
            secrets: Secrets::default(),
            faults: Script::default(),
            audit: Vec::new(),
            violations: Vec::new(),
            judged: BTreeSet::new(),
            pardoned: BTreeSet::new(),
            may_stop_sessions: BTreeSet::new(),
            clusters: BTreeMap::new(),
            buckets: BTreeMap::new(),
            settings,
        }
    }

    fn fork(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            clock: Clock::new(self.clock.now()),
            rng: self.rng.clone(),
            timelines: self.timelines.clone(),
            images: self.images.clone(),
            streams: self.streams.clone(),
            issued: self.issued.clone(),
            roles: self.roles.clone(),
            role_sessions: self.role_sessions.clone(),
            secrets: self.secrets.clone(),
            faults: self.faults.clone(),
            audit: self.audit.clone(),
            violations: self.violations.clone(),
            judged: self.judged.clone(),
            pardoned: self.pardoned.clone(),
            may_stop_sessions: self.may_stop_sessions.clone(),
            clusters: self.clusters.clone(),
            buckets: self.buckets.clone(),
        }
    }

    pub(crate) fn home(&self) -> PlaceKey {
        (self.settings.home_account.clone(), self.settings.home_region.clone())
    }

    /// The timeline of a place, with its first images.
    pub(crate) fn timeline(&mut self, key: &PlaceKey) -> &mut Timeline {
        let (settings, images, start) = (&self.settings, &self.images, self.settings.start);
        self.timelines.entry(key.clone()).or_insert_with(|| {
            let mut place = Place::new(key, settings);
            for seed in images {
                place.put_image(seed, start);
            }
            Timeline::new(place)
        })
    }

    /// The place as it is, about to be changed.
    pub(crate) fn change(&mut self, key: &PlaceKey) -> &mut Place {
        let (now, lag) = (self.clock.now(), self.settings.visibility_lag);
        self.timeline(key).change(now, lag)
    }

    /// The place as reads see it.
    pub(crate) fn seen(&mut self, key: &PlaceKey) -> &mut Place {
        let (now, lag) = (self.clock.now(), self.settings.visibility_lag);
        self.timeline(key).seen(now, lag)
    }

    /// Keeps a streaming URL; returns its token.
    pub(crate) fn hand_out(&mut self, url: StreamingUrl) -> String {
        let token = uuid(&mut self.rng);
        self.streams.insert(token.clone(), url);
        token
    }

    /// The fault that befalls this call, which counts it.
    fn strike(&mut self, incoming: &Incoming) -> Option<FaultEffect> {
        let resources = resources(incoming);
        self.faults.strike(&incoming.operation, &resources)
    }

    fn act(&mut self, incoming: &Incoming, effect: Option<FaultEffect>) -> Handled {
        let request_id = uuid(&mut self.rng);
        let now = self.clock.now();
        let identified = self.identify(incoming, now);
        let caller = identified.clone().unwrap_or_else(|_| Caller::nobody(&self.home()));
        let place = (caller.account.clone(), caller.region.clone());
        let lag = self.settings.visibility_lag;
        let keep = match effect {
            Some(FaultEffect::Partial { keep }) => Some(keep),
            _ => None,
        };
        let call = incoming.input.as_ref().ok().map(|input| Call {
            operation: &incoming.operation,
            input,
            place: place.clone(),
            now,
            seen_at: earlier(now, lag),
            keep,
            fails_later: match &effect {
                Some(FaultEffect::FailsLater { code, details }) => Some((code.as_str(), details.as_str())),
                _ => None,
            },
            origin: &incoming.origin,
        });
        if let (Ok(_), Some(call)) = (&identified, &call) {
            violations::before(self, incoming.service, call, &caller);
        }
        let allowed = identified.and_then(|_| self.spend(&place, incoming.service, now));
        let result = match (allowed, refusal_of(effect.as_ref()), &incoming.input) {
            (Err(refusal), _, _) | (Ok(()), Some(refusal), _) => Err(refusal),
            (Ok(()), None, Err(refusal)) => Err(refusal.clone()),
            (Ok(()), None, Ok(input)) => match (incoming.service, &call) {
                (Service::AppStream, Some(call)) => appstream::act(self, call),
                (Service::Lightsail, Some(call)) => lightsail::act(self, call),
                (Service::GameLift, Some(call)) => gamelift::act(self, call),
                (Service::AppStream | Service::Lightsail | Service::GameLift, None) => Err(Refusal::internal()),
                (Service::Sts, _) => sts::act(self, &incoming.operation, input, &caller, now),
            },
        };
        if let Ok(answer) = &result {
            let resource = resources(incoming).into_iter().next().unwrap_or_default();
            self.secrets.note(&incoming.operation, &resource, answer);
        }
        let delivery = match effect {
            Some(FaultEffect::AppliedNoAnswer | FaultEffect::NotAppliedNoAnswer) => Delivery::None,
            Some(FaultEffect::AppliedHalfAnswer) => Delivery::Half,
            Some(FaultEffect::AppliedGarbled) => Delivery::Garbled,
            Some(FaultEffect::AppliedAs { status }) => Delivery::As(status),
            _ => Delivery::Whole,
        };
        let late = matches!(effect, Some(FaultEffect::AppliedServerError | FaultEffect::AppliedThenHang(_)));
        let answered = delivery == Delivery::Whole && !late;
        if let Some(call) = &call {
            violations::after(self, incoming.service, call, &caller, &result, answered);
        }
        self.record(incoming, &caller, &result, answered, &request_id, now);
        let result = match effect {
            Some(FaultEffect::AppliedServerError) => Err(Refusal::internal()),
            _ => result,
        };
        let plain = !self.settings.error_sub_codes;
        let result = result.map_err(|refusal| Refusal { sub_code: refusal.sub_code.filter(|_| !plain), ..refusal });
        Handled { result, request_id, delivery }
    }

    fn identify(&mut self, incoming: &Incoming, now: Timestamp) -> Result<Caller, Refusal> {
        let known = match incoming.service {
            Service::AppStream => appstream::knows(&incoming.operation),
            Service::Lightsail => lightsail::knows(&incoming.operation),
            Service::GameLift => gamelift::knows(&incoming.operation),
            Service::Sts => sts::knows(&incoming.operation),
        };
        let signature = match (incoming.signature.clone()?, incoming.service) {
            (Some(signature), _) => signature,
            (None, Service::Sts) if sts::unsigned(&incoming.operation) => {
                return Ok(Caller::nobody(&self.home()));
            }
            (None, _) => return Err(auth::missing()),
        };
        if signature.service != incoming.service.signing_name() {
            return Err(auth::wrong_service(incoming.service.signing_name()));
        }
        let caller = sts::caller(self, &signature, now)?;
        if !known {
            return Err(Refusal::new("UnknownOperationException", ""));
        }
        // Whoever has credentials may ask whose they are, whatever policies say.
        if incoming.operation != "GetCallerIdentity" {
            let named = incoming.input.as_ref().ok().and_then(|input| input["RoleArn"].as_str());
            roles::permits(self, &caller, incoming.service, &incoming.operation, named.unwrap_or("*"))?;
        }
        Ok(caller)
    }

    /// Takes a token out of the caller's bucket, which holds one second's worth and at least one.
    fn spend(&mut self, place: &PlaceKey, service: Service, now: Timestamp) -> Result<(), Refusal> {
        let Some(rate) = self.settings.request_rate else {
            return Ok(());
        };
        let size = rate.max(1.0);
        let (left, counted) = self.buckets.entry((place.clone(), service)).or_insert((size, now));
        let passed = now.duration_since(*counted).as_secs_f64().max(0.0);
        *left = (*left + passed * rate).min(size);
        *counted = now;
        if *left < 1.0 {
            return Err(Refusal::throttled());
        }
        *left -= 1.0;
        Ok(())
    }

    fn record(
        &mut self,
        incoming: &Incoming,
        caller: &Caller,
        result: &Result<Value, Refusal>,
        answered: bool,
        request_id: &str,
        now: Timestamp,
    ) {
        self.audit.push(AuditEntry {
            at: now,
            operation: incoming.operation.clone(),
            service: incoming.service.signing_name().to_owned(),
            protocol: incoming.protocol.as_str().to_owned(),
            account: caller.account.clone(),
            region: caller.region.clone(),
            caller: caller.arn.clone(),
            access_key: caller.access_key.clone(),
            resource: resources(incoming).into_iter().next(),
            mutating: mutates(incoming.service, &incoming.operation),
            outcome: match result {
                Ok(_) => Outcome::Ok,
                Err(refusal) => Outcome::Err { code: refusal.code.clone() },
            },
            answered,
            request_id: request_id.to_owned(),
        });
    }
}

/// Every name in the request that a resource could go by, the most telling one first.
fn resources(incoming: &Incoming) -> Vec<String> {
    match (incoming.service, &incoming.input) {
        (Service::Lightsail, Ok(input)) => lightsail::resources(input),
        (Service::GameLift, Ok(input)) => gamelift::resources(input),
        (Service::AppStream | Service::Sts, Ok(input)) => appstream::resources(input),
        (Service::AppStream | Service::Lightsail | Service::GameLift | Service::Sts, Err(_)) => Vec::new(),
    }
}

/// Whether the operation changes anything.
pub(crate) fn mutates(service: Service, operation: &str) -> bool {
    match service {
        Service::AppStream => appstream::mutates(operation),
        Service::Lightsail => lightsail::mutates(operation),
        Service::GameLift | Service::Sts => false,
    }
}

/// The error that a fault answers instead of acting.
fn refusal_of(effect: Option<&FaultEffect>) -> Option<Refusal> {
    match effect? {
        FaultEffect::Throttle => Some(Refusal::throttled()),
        FaultEffect::ServerError | FaultEffect::NotAppliedNoAnswer => Some(Refusal::internal()),
        FaultEffect::Coded { code, message, status } => Some(Refusal::with_status(code, message.clone(), *status)),
        FaultEffect::SubCoded { code, sub_code, message } => {
            Some(Refusal::new(code, message.clone()).with_sub_code(sub_code))
        }
        FaultEffect::Hang(_)
        | FaultEffect::AppliedNoAnswer
        | FaultEffect::AppliedThenHang(_)
        | FaultEffect::AppliedServerError
        | FaultEffect::AppliedHalfAnswer
        | FaultEffect::AppliedGarbled
        | FaultEffect::AppliedAs { .. }
        | FaultEffect::FailsLater { .. }
        | FaultEffect::Partial { .. } => None,
    }
}
