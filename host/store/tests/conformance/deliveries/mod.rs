//! The role `DeliveryStore`.

pub mod failure_policy;
pub mod listing;

use tidings_store::{ChannelStore, DeliveryStore, Outbox, SubscriptionStore};

use crate::backend::Backend;

/// What the suite needs: the role, and the roles through which tests prepare it.
pub trait DeliveryBackend: Backend<Store: DeliveryStore + Outbox + SubscriptionStore + ChannelStore> {}
impl<B: Backend<Store: DeliveryStore + Outbox + SubscriptionStore + ChannelStore>> DeliveryBackend for B {}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        mod failure_policy {
            crate::deliveries::failure_policy::suite!($backend);
        }
        mod listing {
            crate::deliveries::listing::suite!($backend);
        }
    };
}
pub(crate) use suite;
