//! The Account objects as this process knows them: written by whoever watches them, read before anything is resolved.

use std::sync::Arc;

use tokio::sync::watch;

use crate::plan::account::Book;

/// The Account objects and namespaces, as they were last seen. Clones are the same one.
#[derive(Debug, Clone)]
pub struct AccountBook(Arc<watch::Sender<Option<Arc<Book>>>>);

impl AccountBook {
    /// One that nobody has written in: nothing is resolved by it.
    pub fn unread() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// One that says that there is no Account object.
    pub fn empty() -> Self {
        Self(Arc::new(watch::Sender::new(Some(Arc::default()))))
    }

    /// What it says now; `None` before the first lists were complete.
    pub fn now(&self) -> Option<Arc<Book>> {
        self.0.borrow().clone()
    }

    /// Writes what is so from now on, unless it is so already.
    pub fn write(&self, book: Book) {
        self.0.send_if_modified(|now| {
            let changed = now.as_deref() != Some(&book);
            if changed {
                *now = Some(Arc::new(book));
            }
            changed
        });
    }

    /// Tells of every change from now on.
    pub fn changes(&self) -> watch::Receiver<Option<Arc<Book>>> {
        self.0.subscribe()
    }
}
