//! The role `EventStreamStore`: each delivery once, in order, the newest only.

use tidings_store::limits::{STREAM_ENTRIES, STREAM_PAGE};
use tidings_store::{EventStreamStore, Maintenance, NewEntry};

use crate::backend::{Backend, Fixture};
use crate::samples::at;

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait EventStreamBackend: Backend<Store: EventStreamStore + Maintenance> {}
impl<B: Backend<Store: EventStreamStore + Maintenance>> EventStreamBackend for B {}

fn entry(address: &str, delivery: &str) -> NewEntry {
    NewEntry { address: address.into(), delivery: delivery.into(), data: format!("{{\"of\": \"{delivery}\"}}") }
}

/// The whole stream after a sequence number.
async fn all(store: &(impl EventStreamStore + ?Sized), channel: &str, address: &str, mut after: u64) -> Vec<String> {
    let mut data = Vec::new();
    loop {
        let page = store.entries(channel, address, after).await.unwrap();
        assert!(page.len() <= STREAM_PAGE as usize);
        let Some(last) = page.last() else { return data };
        assert!(page.first().is_some_and(|first| first.seq > after));
        after = last.seq;
        data.extend(page.into_iter().map(|entry| entry.data));
    }
}

pub async fn a_stream_has_each_of_its_deliveries_once_and_in_order<B: EventStreamBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    store.append("browser", vec![entry("ralph", "a"), entry("ann", "b"), entry("ralph", "c")], at(1)).await.unwrap();
    let again = NewEntry { data: "{}".into(), ..entry("ralph", "a") };
    store.append("browser", vec![again, entry("ralph", "d")], at(2)).await.unwrap();
    store.append("other", vec![entry("ralph", "e")], at(2)).await.unwrap();
    let of = |names: &[&str]| names.iter().map(|name| format!("{{\"of\": \"{name}\"}}")).collect::<Vec<_>>();
    assert_eq!(all(&**store, "browser", "ralph", 0).await, of(&["a", "c", "d"]));
    assert_eq!(all(&**store, "browser", "ann", 0).await, of(&["b"]));
    assert_eq!(all(&**store, "other", "ralph", 0).await, of(&["e"]));
    assert_eq!(all(&**store, "browser", "nobody", 0).await, of(&[]));
    let first = store.entries("browser", "ralph", 0).await.unwrap()[0].seq;
    assert_eq!(all(&**store, "browser", "ralph", first).await, of(&["c", "d"]));
    let unknown = store.entries("browser", "ralph", 1_000_000).await.unwrap();
    assert_eq!(unknown.len(), 3, "a number of another database means the beginning");
}

pub async fn a_stream_keeps_its_newest_entries_and_old_ones_are_pruned<B: EventStreamBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    let many = u64::from(STREAM_ENTRIES) + 30;
    for n in 0..many {
        store.append("browser", vec![entry("ralph", &format!("{n}"))], at(n)).await.unwrap();
    }
    store.append("browser", vec![entry("ann", "only")], at(5)).await.unwrap();
    let kept = all(&**store, "browser", "ralph", 0).await;
    assert_eq!((kept.len(), kept[0].as_str()), (STREAM_ENTRIES as usize, "{\"of\": \"30\"}"));
    store.prune(at(many - 1)).await.unwrap();
    assert_eq!(all(&**store, "browser", "ralph", 0).await, [format!("{{\"of\": \"{}\"}}", many - 1)]);
    assert_eq!(all(&**store, "browser", "ann", 0).await, [""; 0]);
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::event_streams]:
            a_stream_has_each_of_its_deliveries_once_and_in_order,
            a_stream_keeps_its_newest_entries_and_old_ones_are_pruned,
        }
    };
}
pub(crate) use suite;
