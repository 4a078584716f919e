//! Sessions of Accounts' roles: one for each Account and namespace, and one for the reads that its objects share.
//!
//! Every request asks, before it is signed, whether its mandate still holds. So nothing that was resolved before an Account
//! changed reaches AWS after it, whatever is cached where.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;

use super::book::AccountBook;
use super::{CREDENTIALS_TIMEOUT, Session, sdk_region};
use crate::api::{Arn, Region};
use crate::aws::AwsError;
use crate::aws::batch::{age, lock};
use crate::aws::live::Way;
use crate::aws::live::sts::{AssumedRole, Hop};
use crate::plan::account::Book;
use crate::plan::{Class, Identity, Mandate};

/// How long before they expire a session's credentials are replaced: the SDK renews between half of this and all of it
/// early, so that a request never waits for STS while STS has a short outage.
const RENEWED_EARLY: Duration = Duration::from_secs(300);
/// What nobody used for this long is forgotten: longer than credentials live (an hour), so that only what is idle goes.
const UNUSED_AFTER: Duration = Duration::from_secs(2 * 3600);
/// AWS's bound of a session's name (`roleSessionNameType` in the STS API model).
const NAME_MAX: usize = 64;
/// The session of reads that many objects share.
const READS: &str = "windlass-reads";

/// Every session of this process.
#[derive(Default)]
pub(super) struct Sessions {
    all: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<Key, (SdkConfig, Timestamp)>,
    /// By which book what is stale was last thrown away.
    book: Option<Arc<Book>>,
    swept: Option<Timestamp>,
}

/// An Account at one version, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: String,
    generation: i64,
    /// A namespace; `None` is the shared reads.
    namespace: Option<String>,
}

/// What a session is made of beside its mandate.
pub(super) struct Means<'a> {
    /// The operator's own identity.
    pub base: &'a SdkConfig,
    /// What Accounts there are.
    pub book: &'a AccountBook,
    /// The id of this cluster.
    pub cluster: &'a str,
    /// Where STS is asked, if the Account does not say.
    pub region: &'a Region,
    /// The way to STS.
    pub way: Way,
}

impl Sessions {
    /// The SDK's settings for a mandate; its credentials are asked for when the first request needs them.
    pub(super) fn config(&self, mandate: &Mandate, session: Session, means: Means<'_>, now: Timestamp) -> SdkConfig {
        let namespace = match session {
            Session::Reads => None,
            Session::Writes => Some(mandate.namespace.clone()),
        };
        let key = Key { uid: mandate.uid.clone(), generation: mandate.generation, namespace };
        let mut open = lock(&self.all);
        open.sweep(means.book.now(), now);
        if let Some((config, used)) = open.sessions.get_mut(&key) {
            *used = now;
            return config.clone();
        }
        let config = means.open(mandate, session);
        open.sessions.insert(key, (config.clone(), now));
        config
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.all).sessions.len()
    }
}

impl Open {
    /// Throws away the sessions of Accounts that are gone or changed at once, and what nobody used for long.
    fn sweep(&mut self, book: Option<Arc<Book>>, now: Timestamp) {
        let same = match (&self.book, &book) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let idle = self.swept.is_none_or(|swept| age(swept, now) > UNUSED_AFTER / 4);
        if same && !idle {
            return;
        }
        let current: HashMap<String, i64> = book
            .iter()
            .flat_map(|book| book.accounts.values())
            .map(|entry| (entry.uid.clone(), entry.generation))
            .collect();
        self.sessions
            .retain(|key, (_, used)| current.get(&key.uid) == Some(&key.generation) && age(*used, now) < UNUSED_AFTER);
        self.book = book;
        self.swept = Some(now);
    }
}

impl Means<'_> {
    fn open(self, mandate: &Mandate, session: Session) -> SdkConfig {
        let bound = |inner| Bound {
            inner,
            identity: Identity::Account(Arc::new(mandate.clone())),
            session,
            book: self.book.clone(),
        };
        let (Some(last), Some(own)) = (mandate.roles.len().checked_sub(1), self.base.identity_cache()) else {
            // No role: the operator's own credentials, from the cache that everybody shares.
            let shared = self.base.identity_cache().unwrap_or_else(lazy);
            return self.base.to_builder().identity_cache(bound(shared)).build();
        };
        let name = session_name(session, &mandate.namespace);
        let sts = mandate.region.as_ref().unwrap_or(self.region);
        let endpoint = mandate.endpoints.sts.clone().or_else(|| mandate.endpoints.all.clone());
        let mut asker = self.base.to_builder().region(sdk_region(sts)).identity_cache(own).build();
        for (nth, role) in mandate.roles.iter().enumerate() {
            let tags =
                if nth == last && mandate.session_tags { self.tags(session, &mandate.namespace) } else { Vec::new() };
            let hop = Hop {
                role: Arn::clone(&role.arn),
                external_id: role.external_id.clone(),
                name: name.clone(),
                tags,
                endpoint: endpoint.clone(),
            };
            let provider = AssumedRole::new(&asker, hop, self.way.clone());
            // A cache for each: the SDK's own holds 64 identities and throws away whichever comes first.
            asker = asker
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(provider))
                .identity_cache(lazy())
                .build();
        }
        let inner = asker.identity_cache().unwrap_or_else(lazy);
        asker.into_builder().identity_cache(bound(inner)).build()
    }

    /// The tags of a session: AWS's keys may hold a slash (`tagKeyType` in the STS API model).
    fn tags(&self, session: Session, namespace: &str) -> Vec<(String, String)> {
        let cluster = ("windlass.dev/cluster".to_owned(), self.cluster.to_owned());
        match session {
            Session::Reads => vec![cluster],
            Session::Writes => vec![cluster, ("windlass.dev/namespace".to_owned(), namespace.to_owned())],
        }
    }
}

fn lazy() -> SharedIdentityCache {
    IdentityCache::lazy().buffer_time(RENEWED_EARLY).load_timeout(CREDENTIALS_TIMEOUT).build()
}

/// `windlass-<namespace>`; what is too long, and what would be the name of the shared reads, ends in a hash instead.
fn session_name(session: Session, namespace: &str) -> String {
    let name = match session {
        Session::Reads => return READS.to_owned(),
        Session::Writes => format!("windlass-{namespace}"),
    };
    if name.len() <= NAME_MAX && name != READS {
        return name;
    }
    let hash = format!("-{:016x}", fnv(name.as_bytes()));
    // Names of namespaces are ASCII, so that every byte is a character.
    let kept = name.len().min(NAME_MAX - hash.len());
    format!("{}{hash}", &name[..kept])
}

/// FNV-1a: the same in every version and process, which a session's name in CloudTrail has to be.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// An identity that is given out only while what it was resolved by still holds.
pub(super) struct Bound {
    pub(super) inner: SharedIdentityCache,
    pub(super) identity: Identity,
    pub(super) session: Session,
    pub(super) book: AccountBook,
}

impl Bound {
    fn holds(&self) -> bool {
        let Some(book) = self.book.now() else { return false };
        match (&self.identity, self.session) {
            (Identity::Own, _) => book.accounts.is_empty(),
            (Identity::Account(mandate), Session::Reads) => book.has(mandate),
            (Identity::Account(mandate), Session::Writes) => book.holds(mandate),
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bound")
    }
}

impl ResolveCachedIdentity for Bound {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        runtime_components: &'a RuntimeComponents,
        config_bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        if self.holds() {
            self.inner.resolve_cached_identity(resolver, runtime_components, config_bag)
        } else {
            IdentityFuture::ready(Err(changed().into()))
        }
    }
}

/// The Account changed between the look and the request: look again.
fn changed() -> AwsError {
    AwsError {
        operation: "AssumeRole",
        class: Class::NotSent,
        code: "AccountChanged".to_owned(),
        message: "the Account objects have changed since it was decided".to_owned(),
        request_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_after_its_namespace_as_far_as_that_fits() {
        let named = |namespace: &str| session_name(Session::Writes, namespace);
        assert_eq!(named("team-a"), "windlass-team-a");
        assert_eq!(named(&"n".repeat(55)), format!("windlass-{}", "n".repeat(55)));
        let long = [named(&"n".repeat(56)), named(&"n".repeat(63))];
        assert!(long.iter().all(|name| name.len() == 64 && name.starts_with("windlass-nnnnnn")), "{long:?}");
        assert_ne!(long[0], long[1]);
        assert_eq!(session_name(Session::Reads, "team-a"), "windlass-reads");
        assert_eq!(named("reads"), "windlass-reads-23b26bbf87abae6e");
    }
}
