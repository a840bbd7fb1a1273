//! The role `Outbox`.

pub mod accept;
pub mod address_change;
pub mod digest;
pub mod lease;
pub mod settle;

use tidings_store::{DeliveryStore, Outbox, SubscriptionStore};

use crate::backend::Backend;

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait OutboxBackend: Backend<Store: Outbox + DeliveryStore + SubscriptionStore> {}
impl<B: Backend<Store: Outbox + DeliveryStore + SubscriptionStore>> OutboxBackend for B {}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        mod accept {
            crate::outbox::accept::suite!($backend);
        }
        mod address_change {
            crate::outbox::address_change::suite!($backend);
        }
        mod digest {
            crate::outbox::digest::suite!($backend);
        }
        mod lease {
            crate::outbox::lease::suite!($backend);
        }
        mod settle {
            crate::outbox::settle::suite!($backend);
        }
    };
}
pub(crate) use suite;
