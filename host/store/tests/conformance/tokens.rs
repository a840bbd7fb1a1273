//! The role `TokenStore`.

use tidings_store::{StoreError, Token, TokenStore};

use crate::backend::{Backend, Fixture};
use crate::samples::at;

/// What the suite needs.
pub trait TokenBackend: Backend<Store: TokenStore> {}
impl<B: Backend<Store: TokenStore>> TokenBackend for B {}

pub async fn tokens_are_found_by_id_until_they_are_deleted<B: TokenBackend>() {
    let fixture = Fixture::<B>::new().await;
    let token = |id: &str, at_: u64| Token {
        id: id.into(),
        name: "ops".into(),
        hash: [7; 32],
        created_at: at(at_),
        expires_at: (at_ == 1).then(|| at(99)),
    };
    let (one, two) = (token("one", 1), token("two", 0));
    fixture.store.put_token(&one).await.unwrap();
    fixture.store.put_token(&two).await.unwrap();
    let twice = fixture.store.put_token(&one).await;
    assert!(matches!(twice, Err(StoreError::Exists { what: "token", .. })), "{twice:?}");
    assert_eq!(fixture.store.token("one").await.unwrap(), Some(one.clone()));
    assert_eq!(fixture.store.tokens().await.unwrap(), [two, one]);
    assert!(fixture.store.delete_token("one").await.unwrap());
    assert!(!fixture.store.delete_token("one").await.unwrap());
    assert_eq!(fixture.store.token("one").await.unwrap(), None);
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::tokens]:
            tokens_are_found_by_id_until_they_are_deleted,
        }
    };
}
pub(crate) use suite;
