//! The suites on SQLite: all roles.

use std::sync::Arc;

use tempfile::TempDir;
use tidings_store::{Mode, Store};

use crate::backend::Backend;

/// A database file in a directory of its own.
struct Sqlite(TempDir);

impl Sqlite {
    async fn open(&self, mode: Mode) -> Arc<dyn Store> {
        tidings_store::open(&self.0.path().join("tidings.db"), mode).await.unwrap()
    }
}

impl Backend for Sqlite {
    type Store = dyn Store;

    async fn create() -> (Sqlite, Arc<dyn Store>) {
        let database = Sqlite(tempfile::tempdir().unwrap());
        let store = database.open(Mode::Daemon).await;
        (database, store)
    }

    async fn open_beside(&self) -> Arc<dyn Store> {
        self.open(Mode::Tool).await
    }
}

mod access_lists {
    crate::access_lists::suite!(super::Sqlite);
}
mod change_feed {
    crate::change_feed::suite!(crate::sqlite::Sqlite);
}
mod channels {
    crate::channels::suite!(super::Sqlite);
}
mod components {
    crate::components::suite!(super::Sqlite);
}
mod confirmations {
    crate::confirmations::suite!(super::Sqlite);
}
mod deliveries {
    crate::deliveries::suite!(crate::sqlite::Sqlite);
}
mod event_streams {
    crate::event_streams::suite!(super::Sqlite);
}
mod maintenance {
    crate::maintenance::suite!(super::Sqlite);
}
mod model {
    crate::model::suite!(super::Sqlite);
}
mod outbox {
    crate::outbox::suite!(crate::sqlite::Sqlite);
}
mod plugin_state {
    crate::plugin_state::suite!(super::Sqlite);
}
mod subscriptions {
    crate::subscriptions::suite!(super::Sqlite);
}
mod tokens {
    crate::tokens::suite!(super::Sqlite);
}
