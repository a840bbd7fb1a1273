//! Rows that only a newer program, or damage, could write.

use super::{Fixture, at};
use crate::{AccessListStore as _, ChangeFeed as _, Changes, StoreError, SubscriptionStore as _};

#[tokio::test]
async fn a_change_of_an_unknown_kind_means_everything() {
    let fixture = Fixture::new().await;
    let start = fixture.store.revision().await.unwrap();
    fixture.execute("INSERT INTO changes (kind, key, at) VALUES ('user', 'ann', 1), ('quota', 'ann', 1)").await;
    fixture.execute("INSERT INTO changes (kind, key, at) VALUES ('user', 'bob', 1)").await;
    let upto = fixture.store.revision().await.unwrap();
    assert_eq!(fixture.store.changes(start).await.unwrap(), Changes::Everything { upto });
    assert_eq!(fixture.store.changes(upto).await.unwrap(), Changes::These { changes: vec![], upto });
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error_of_that_row_only() {
    let fixture = Fixture::new().await;
    for sql in [
        "INSERT INTO subscriptions (user, channel, enabled, updated_at, addresses, settings, filters) VALUES \
         ('ann', 'email', 1, 1, '[]', '{\"style\": {}}', '[]'), \
         ('bob', 'email', 1, 1, '[]', '{\"style\": {}}', '[{\"name\":'), \
         ('cy', 'email', 1, 1, '[]', '{\"style\": {}}', CAST(x'ff' AS TEXT)), \
         ('dee', 'email', 1, 1, '[]', '{\"style\": {}}', '[]')",
        "INSERT INTO acl_packages (name, updated_at, holders) VALUES ('a', 1, '{}'), ('b', 1, CAST(x'ff' AS TEXT))",
    ] {
        fixture.execute(sql).await;
    }
    let rows = fixture.store.subscription_page(None, 10).await.unwrap();
    let read: Vec<_> = rows.iter().map(|row| row.read().map_err(|error| error.to_string())).collect();
    assert!(matches!(read.as_slice(), [Ok(_), Err(_), Err(_), Ok(_)]), "{read:?}");
    assert!(read[1].as_ref().unwrap_err().contains("bob on email"), "{read:?}");
    assert_eq!(rows[1].filters().unwrap(), "[{\"name\":");
    assert!(matches!(rows[2].filters(), Err(StoreError::Damaged { .. })));
    assert!(rows[1].options().is_ok(), "the other documents of the row can be read");
    let packages = fixture.store.packages(None, 10).await.unwrap();
    let read: Vec<bool> = packages.iter().map(|row| row.read().is_ok()).collect();
    assert_eq!(read, [true, false]);
    // Writing it again repairs it.
    let mut good = fixture.store.subscriptions_of("ann").await.unwrap().remove(0);
    good.user = "bob".into();
    fixture.store.put_subscription(&good, at(2)).await.unwrap();
    assert_eq!(fixture.store.subscriptions_of("bob").await.unwrap(), [good]);
}
