//! Who rests on whom, across kinds: an object whose neighbour's face changes is looked at at once.
//!
//! No face is kept here: each engine shows what it holds when it is asked. What is kept is who rests on what, so that
//! objects that rest on nothing cost nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, Weak};

use super::port::Id;
use super::{Arc, lock};
use crate::plan::{Face, Neighbour};

/// What the engines of one process know of each other. No lock of an engine is taken while its own is held.
#[derive(Default)]
pub struct Neighbourhood {
    streets: Mutex<HashMap<&'static str, Street>>,
}

/// One kind.
#[derive(Default)]
struct Street {
    engine: Option<Weak<dyn Residents>>,
    /// Whether its lists have been complete: before that, what is not there may only not have been seen.
    complete: bool,
    /// Who rests on an object of this kind.
    rested_on: HashMap<Id, BTreeSet<Resident>>,
}

/// An object: its kind and its id.
type Resident = (&'static str, Id);

/// An engine, as the engines of other kinds see it.
pub(super) trait Residents: Send + Sync {
    /// What an object shows, if it is there.
    fn face(&self, id: &Id) -> Option<Face>;
    /// Something that an object rests on has changed.
    fn look_again(&self, id: &Id);
}

impl Neighbourhood {
    /// An engine moves in.
    pub(super) fn join(&self, kind: &'static str, engine: Weak<dyn Residents>) {
        lock(&self.streets).entry(kind).or_default().engine = Some(engine);
    }

    /// Every object of this kind has been seen: who rests on one may be looked at.
    pub(super) fn complete(&self, kind: &'static str) {
        let waiting: BTreeSet<Resident> = {
            let mut streets = lock(&self.streets);
            let street = streets.entry(kind).or_default();
            street.complete = true;
            street.rested_on.values().flatten().cloned().collect()
        };
        self.look_again(waiting);
    }

    /// What an object rests on has changed. Called under the lock of its engine's objects, so that the last call is right.
    pub(super) fn rests(&self, kind: &'static str, id: &Id, before: &[Neighbour], after: &[Neighbour]) {
        if before == after {
            return;
        }
        let mut streets = lock(&self.streets);
        for neighbour in before {
            let Some(street) = streets.get_mut(neighbour.kind) else { continue };
            let there = beside(&id.namespace, neighbour);
            if let Some(residents) = street.rested_on.get_mut(&there) {
                residents.remove(&(kind, id.clone()));
                if residents.is_empty() {
                    street.rested_on.remove(&there);
                }
            }
        }
        for neighbour in after {
            let street = streets.entry(neighbour.kind).or_default();
            street.rested_on.entry(beside(&id.namespace, neighbour)).or_default().insert((kind, id.clone()));
        }
    }

    /// Whether anybody rests on an object.
    pub(super) fn is_rested_on(&self, kind: &'static str, id: &Id) -> bool {
        lock(&self.streets).get(kind).is_some_and(|street| street.rested_on.contains_key(id))
    }

    /// An object's face has changed, which its engine holds already: whoever rests on it is looked at.
    pub(super) fn changed(&self, kind: &'static str, id: &Id) {
        let resting = lock(&self.streets).get(kind).and_then(|street| street.rested_on.get(id).cloned());
        self.look_again(resting.unwrap_or_default());
    }

    /// The faces of an object's neighbours; `None` while not all of them can be known.
    pub(super) fn faces(
        &self,
        namespace: &Arc<str>,
        neighbours: impl IntoIterator<Item = Neighbour>,
    ) -> Option<BTreeMap<Neighbour, Option<Face>>> {
        let mut faces = BTreeMap::new();
        for neighbour in neighbours {
            let engine = {
                let streets = lock(&self.streets);
                let street = streets.get(neighbour.kind).filter(|street| street.complete)?;
                street.engine.as_ref()?.upgrade()?
            };
            let face = engine.face(&beside(namespace, &neighbour));
            faces.insert(neighbour, face);
        }
        Some(faces)
    }

    fn look_again(&self, residents: BTreeSet<Resident>) {
        for (kind, id) in residents {
            let engine = lock(&self.streets).get(kind).and_then(|street| street.engine.as_ref()?.upgrade());
            if let Some(engine) = engine {
                engine.look_again(&id);
            }
        }
    }
}

fn beside(namespace: &Arc<str>, neighbour: &Neighbour) -> Id {
    Id { namespace: Arc::clone(namespace), name: neighbour.name.as_str().into() }
}
