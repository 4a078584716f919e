//! Account objects: watched into the book by which objects are resolved, and told what became of them.
//!
//! An Account is no kind of the engine's: nothing is made in AWS for it, so it needs no finalizer, no intent and no passes.
//! What is left is two tasks: one keeps the book, and the leader's other one writes status, only where it differs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::api::{Account, AccountStatus, FIELD_MANAGER};
use crate::aws::Leave;
use crate::aws::accounts::{AccountBook, Accounts};
use crate::engine::Herald;
use crate::engine::live::watched;
use crate::engine::port::KUBE_DEADLINE;
use crate::lease::LeaseState;
use crate::plan::News;
use crate::plan::account::{Book, Entry, Labels, status};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{ObjectLabels, ObjectShows};

/// How long the start waits for the namespaces where a selector needs them: a list takes less than a second. After it, only
/// the objects that rest on labels wait.
const NAMESPACES: Duration = Duration::from_secs(5);
/// How many Accounts are asked for at once.
const AT_ONCE: usize = 8;

/// As metrics call it.
const KIND: &str = "Account.aws.windlass.dev";

/// The Account objects that can be read, as the watch last showed them.
pub(super) type Objects = BTreeMap<String, Arc<Account>>;

/// Keeps the book for as long as the process lives, and passes on the objects.
pub(super) async fn keep_book(client: Client, book: AccountBook, objects: watch::Sender<Objects>, metrics: Metrics) {
    let mut accounts = watched::<DeserializeGuard<Account>>(Api::all(client.clone())).boxed();
    let mut namespaces: Option<BoxStream<'static, Event<PartialObjectMeta<Namespace>>>> = None;
    let mut seen = Seen::default();
    loop {
        let next_namespace = async {
            match &mut namespaces {
                Some(namespaces) => namespaces.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = accounts.next() => {
                let Some(event) = event else { return };
                seen.account(event);
                objects.send_if_modified(|now| {
                    let changed = seen.complete && *now != seen.objects;
                    if changed {
                        count(&metrics, now, &seen.objects);
                        now.clone_from(&seen.objects);
                    }
                    changed
                });
            }
            event = next_namespace => {
                let Some(event) = event else { return };
                seen.namespace(event);
            }
        }
        let Some(now) = seen.book() else { continue };
        match (now.needs_namespaces(), namespaces.is_some()) {
            (true, false) => {
                namespaces = Some(watched::<PartialObjectMeta<Namespace>>(Api::all(client.clone())).boxed());
            }
            (false, true) => {
                namespaces = None;
                seen.forget_namespaces();
            }
            (true, true) | (false, false) => {}
        }
        book.write(now);
    }
}

/// Tells the metrics what the Accounts show.
fn count(metrics: &Metrics, before: &Objects, now: &Objects) {
    let labels = |name| ObjectLabels { kind: KIND, namespace: "", name };
    for gone in before.keys().filter(|name| !now.contains_key(*name)) {
        metrics.object(labels(gone), None);
    }
    for (name, account) in now {
        let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        metrics.object(labels(name), Some(ObjectShows { conditions, ..ObjectShows::default() }));
    }
}

/// Waits until objects can be resolved.
pub(super) async fn listed(book: &AccountBook) {
    let mut changes = book.changes();
    if changes.wait_for(Option::is_some).await.is_err() {
        return;
    }
    let complete = |book: &Option<Arc<Book>>| {
        book.as_ref().is_some_and(|book| !book.needs_namespaces() || book.namespaces.is_some())
    };
    if tokio::time::timeout(NAMESPACES, changes.wait_for(complete)).await.is_err() {
        warn!("the namespaces are not listed yet; objects of Accounts that select namespaces by label wait for them");
    }
}

/// What two watches have shown.
#[derive(Default)]
struct Seen {
    entries: BTreeMap<String, Arc<Entry>>,
    objects: Objects,
    complete: bool,
    /// A list that is under way: what is not in it is gone when it is complete.
    listing: (BTreeMap<String, Arc<Entry>>, Objects),
    labels: Option<Arc<BTreeMap<String, Labels>>>,
    listing_labels: BTreeMap<String, Labels>,
}

impl Seen {
    fn account(&mut self, event: Event<DeserializeGuard<Account>>) {
        match event {
            Event::Init => self.listing = Default::default(),
            Event::InitApply(guard) => {
                let (entries, objects) = &mut self.listing;
                keep(guard, entries, objects);
            }
            Event::InitDone => {
                (self.entries, self.objects) = std::mem::take(&mut self.listing);
                self.complete = true;
            }
            Event::Apply(guard) => keep(guard, &mut self.entries, &mut self.objects),
            Event::Delete(guard) => {
                let name = guard.name_any();
                self.entries.remove(&name);
                self.objects.remove(&name);
            }
        }
    }

    fn namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>) {
        let labels = |namespace: &PartialObjectMeta<Namespace>| namespace.labels().clone();
        match event {
            Event::Init => self.listing_labels.clear(),
            Event::InitApply(namespace) => {
                self.listing_labels.insert(namespace.name_any(), labels(&namespace));
            }
            Event::InitDone => self.labels = Some(Arc::new(std::mem::take(&mut self.listing_labels))),
            Event::Apply(namespace) => {
                let (name, now) = (namespace.name_any(), labels(&namespace));
                if let Some(all) = self.labels.as_mut().filter(|all| all.get(&name) != Some(&now)) {
                    Arc::make_mut(all).insert(name, now);
                }
            }
            Event::Delete(namespace) => {
                if let Some(all) = &mut self.labels {
                    Arc::make_mut(all).remove(&namespace.name_any());
                }
            }
        }
    }

    fn forget_namespaces(&mut self) {
        self.labels = None;
        self.listing_labels.clear();
    }

    /// What is known, once the Accounts have been listed.
    fn book(&self) -> Option<Book> {
        self.complete.then(|| Book { accounts: self.entries.clone(), namespaces: self.labels.clone() })
    }
}

fn keep(guard: DeserializeGuard<Account>, entries: &mut BTreeMap<String, Arc<Entry>>, objects: &mut Objects) {
    let name = guard.name_any();
    match guard.0 {
        Ok(mut account) => {
            account.meta_mut().managed_fields = None;
            entries.insert(name.clone(), Arc::new(Entry::of(&account)));
            objects.insert(name, Arc::new(account));
        }
        Err(invalid) => {
            warn!(account = name, "an Account cannot be read, and serves nobody: {}", invalid.error);
            let (uid, generation) = (invalid.metadata.uid, invalid.metadata.generation);
            objects.remove(&name);
            let entry = Entry {
                name: name.clone(),
                uid: uid.unwrap_or_default(),
                generation: generation.unwrap_or_default(),
                spec: Err(invalid.error),
            };
            entries.insert(name, Arc::new(entry));
        }
    }
}

/// Writes the status of Accounts while this process leads.
pub(super) struct Reporter {
    pub client: Client,
    pub accounts: Arc<Accounts>,
    pub leave: Arc<dyn Leave>,
    pub herald: Arc<dyn Herald>,
    /// How often AWS is asked without an event, if what it said is old.
    pub every: Duration,
}

impl Reporter {
    /// Reports for as long as the process lives.
    pub(super) async fn run(self, mut objects: watch::Receiver<Objects>, mut leads: watch::Receiver<LeaseState>) {
        loop {
            if leads.wait_for(|state| *state != LeaseState::Standby).await.is_err() {
                return;
            }
            let now = objects.borrow_and_update().clone();
            stream::iter(now.into_values()).for_each_concurrent(AT_ONCE, |account| self.report(account)).await;
            tokio::select! {
                changed = objects.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn report(&self, account: Arc<Account>) {
        let Some(book) = self.accounts.book().now() else { return };
        let name = account.name_any();
        // The watch that feeds the book shows the objects as well: what is not the same yet comes again in a moment.
        let Some(entry) = book.accounts.get(&name).filter(|entry| ***entry == Entry::of(&account)) else { return };
        let defaults = book.defaults();
        let others: Vec<&str> = match account.spec.default {
            Some(true) => defaults.iter().map(|entry| entry.name.as_str()).filter(|other| *other != name).collect(),
            Some(false) | None => Vec::new(),
        };
        let found = self.accounts.found(entry).await;
        let wanted = status(&account, &others, &found, Timestamp::now());
        if account.status.as_ref() == Some(&wanted) || !self.leave.granted() {
            return;
        }
        self.tell(&account, &wanted);
        let mut reported = account.as_ref().clone();
        reported.status = Some(wanted);
        let api: Api<Account> = Api::all(self.client.clone());
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let write = api.replace_status(&name, &params, &reported);
        match tokio::time::timeout(KUBE_DEADLINE, write).await {
            Ok(Ok(_)) => info!(account = name, "told what became of it"),
            // Changed or gone meanwhile: the watch shows it.
            Ok(Err(kube::Error::Api(refusal))) if refusal.code == 409 || refusal.code == 404 => {}
            Ok(Err(error)) => warn!(account = name, "writing the status of an Account: {error}"),
            Err(_) => warn!(account = name, "writing the status of an Account: no answer came in time"),
        }
    }

    /// An event where an Account begins to be of no use.
    fn tell(&self, account: &Account, wanted: &AccountStatus) {
        let stalled = |status: &AccountStatus| status.conditions.iter().find(|c| c.type_ == "Stalled").cloned();
        let before = account.status.as_ref().and_then(stalled);
        let Some(now) = stalled(wanted) else { return };
        if before.is_none_or(|before| (before.reason, before.message) != (now.reason.clone(), now.message.clone())) {
            let news = News { reason: now.reason, action: "Reconcile", warning: true, note: now.message };
            self.herald.tell(&account.object_ref(&()), news);
        }
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
