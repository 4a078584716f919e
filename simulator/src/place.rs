//! One account in one region: everything AWS keeps there, and how reads lag behind writes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::appstream::builder::Builder;
use crate::appstream::fleet::Fleet;
use crate::appstream::image::Image;
use crate::appstream::stack::Stack;
use crate::clock::earlier;
use crate::gamelift::GameLift;
use crate::lightsail::Lightsail;
use crate::settings::{AccessWhenDown, Quotas, RunningRule, Settings, Timings, WrongState};

/// Account and region.
pub(crate) type PlaceKey = (String, String);

/// What is the same for every place of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Laws {
    /// Timings with the speed applied.
    pub(crate) pace: Timings,
    pub(crate) rules: RunningRule,
    pub(crate) quotas: Quotas,
    pub(crate) page_size: usize,
    pub(crate) empty_next_token: bool,
    pub(crate) wrong_state: WrongState,
    pub(crate) refuse_overlap: bool,
    pub(crate) cert_ttl: Duration,
    pub(crate) access_keys: u64,
    pub(crate) access_when_down: AccessWhenDown,
}

impl Laws {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            pace: settings.timings.faster(settings.speed),
            rules: settings.rules,
            quotas: settings.quotas,
            page_size: settings.page_size.max(1),
            empty_next_token: settings.empty_next_token,
            wrong_state: settings.wrong_state,
            refuse_overlap: settings.refuse_overlap,
            cert_ttl: settings.cert_ttl,
            access_keys: settings.access_keys.max(1),
            access_when_down: settings.access_when_down,
        }
    }
}

/// Everything AWS keeps in one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) laws: Laws,
    pub(crate) rng: StdRng,
    pub(crate) fleets: BTreeMap<String, Fleet>,
    pub(crate) stacks: BTreeMap<String, Stack>,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) builders: BTreeMap<String, Builder>,
    /// Fleet and stack.
    pub(crate) associations: BTreeSet<(String, String)>,
    /// Application ARN to its display name.
    pub(crate) applications: BTreeMap<String, String>,
    /// Fleet and application ARN.
    pub(crate) application_associations: BTreeSet<(String, String)>,
    pub(crate) lightsail: Lightsail,
    pub(crate) gamelift: GameLift,
    /// What was created without an answer to the caller, who may repeat it once: kind and name.
    pub(crate) unanswered: BTreeSet<(String, String)>,
}

impl Place {
    pub(crate) fn new((account, region): &PlaceKey, settings: &Settings) -> Self {
        // One stream of chance per place, so that what happens in one does not change the ids of another.
        let salt = account.bytes().chain(region.bytes()).fold(settings.seed, |sum, byte| mix(sum ^ u64::from(byte)));
        Self {
            account: account.clone(),
            region: region.clone(),
            laws: Laws::of(settings),
            rng: StdRng::seed_from_u64(salt),
            fleets: BTreeMap::new(),
            stacks: BTreeMap::new(),
            images: BTreeMap::new(),
            builders: BTreeMap::new(),
            associations: BTreeSet::new(),
            applications: BTreeMap::new(),
            application_associations: BTreeSet::new(),
            lightsail: Lightsail::default(),
            gamelift: GameLift::default(),
            unanswered: BTreeSet::new(),
        }
    }

    /// Brings everything whose time has come up to `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        for fleet in self.fleets.values_mut() {
            fleet.settle(now);
        }
        self.builders.retain(|_, builder| builder.settle(now));
        self.lightsail.settle(now);
    }

    /// The ARN of a resource here (`fleet/name`). The partition follows the region's name.
    pub(crate) fn arn(&self, resource: &str) -> String {
        self.arn_of("appstream", resource)
    }

    /// The ARN of a new Lightsail resource of this type: it ends in a UUID, not in the name.
    pub(crate) fn lightsail_arn(&mut self, kind: &str) -> String {
        let id = self.uuid();
        self.arn_of("lightsail", &format!("{kind}/{id}"))
    }

    /// The ARN of a resource of a service here.
    pub(crate) fn arn_of(&self, service: &str, resource: &str) -> String {
        arn(service, &self.region, &self.account, resource)
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.rng)
    }

    /// Stacks that a fleet is associated with.
    pub(crate) fn stacks_of(&self, fleet: &str) -> Vec<String> {
        self.associations.iter().filter(|(name, _)| name == fleet).map(|(_, stack)| stack.clone()).collect()
    }
}

/// An ARN. The partition follows from the region's name.
pub(crate) fn arn(service: &str, region: &str, account: &str, resource: &str) -> String {
    let partition = match region {
        cn if cn.starts_with("cn-") => "aws-cn",
        gov if gov.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:{service}:{region}:{account}:{resource}")
}

/// A random (version 4) UUID.
pub(crate) fn uuid(rng: &mut StdRng) -> String {
    let (high, low): (u64, u64) = (rng.random(), rng.random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// One step of splitmix64: a number that looks like chance and repeats for the same input.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A place and what it was before each write of the last lag.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    current: Place,
    /// The place as it was until that instant, oldest first. Empty without a lag.
    past: VecDeque<(Timestamp, Place)>,
}

impl Timeline {
    pub(crate) fn new(place: Place) -> Self {
        Self { current: place, past: VecDeque::new() }
    }

    /// The place as it is, settled; nothing is about to be changed by a caller.
    pub(crate) fn now(&mut self, now: Timestamp) -> &mut Place {
        self.current.settle(now);
        &mut self.current
    }

    /// The place as it is, unsettled, for reads of what time does not change.
    pub(crate) fn peek(&self) -> &Place {
        &self.current
    }

    /// The place as it is, about to be changed.
    pub(crate) fn change(&mut self, now: Timestamp, lag: Duration) -> &mut Place {
        if !lag.is_zero() {
            let horizon = earlier(now, lag);
            while self.past.front().is_some_and(|(until, _)| *until <= horizon) {
                self.past.pop_front();
            }
            self.past.push_back((now, self.current.clone()));
        }
        self.current.settle(now);
        &mut self.current
    }

    /// The place as a read sees it: as it was `lag` ago.
    pub(crate) fn seen(&mut self, now: Timestamp, lag: Duration) -> &mut Place {
        let horizon = earlier(now, lag);
        let place = match self.past.iter_mut().find(|(until, _)| *until > horizon) {
            Some((_, place)) => place,
            None => &mut self.current,
        };
        place.settle(horizon);
        place
    }
}
