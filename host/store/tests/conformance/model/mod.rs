//! Random work against a plain model of the queue: after each step the books balance and equal the model's, and a lease
//! request returns exactly what the model says is due. A suite over several roles.

mod queue;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tidings_domain::delivery::DeliveryState;
use tidings_store::{DeliveryStore, Maintenance, Outbox, SubscriptionStore};

use self::queue::{Model, ModelDelivery};
use crate::backend::{Backend, Fixture, LIFETIME};

/// What the suite needs.
pub trait ModelBackend: Backend<Store: Outbox + DeliveryStore + SubscriptionStore + Maintenance> {}
impl<B: Backend<Store: Outbox + DeliveryStore + SubscriptionStore + Maintenance>> ModelBackend for B {}

const USERS: [&str; 3] = ["ann", "bob", "cy"];

/// This user has digests.
const DIGEST_USER: &str = "cy";

/// The interval of the digests, in seconds, and their count.
const INTERVAL: u64 = 60;
const COUNT: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Accept { message: u8, users: u8 },
    Lease { max: usize },
    Settle { which: prop::sample::Index, outcome: ModelOutcome },
    Release { which: prop::sample::Index },
    Wait { millis: u64 },
    Subscribe { user: prop::sample::Index, first: bool, second: bool, enabled: bool },
    Unsubscribe { user: prop::sample::Index },
    Retry,
    Prune,
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum ModelOutcome {
    Delivered,
    Dead,
    Again { after: u64 },
    Gone,
}

fn outcome() -> impl Strategy<Value = ModelOutcome> {
    let again = (0u64..100_000).prop_map(|after| ModelOutcome::Again { after });
    prop_oneof![3 => Just(ModelOutcome::Delivered), 1 => Just(ModelOutcome::Dead), 2 => again, 1 => Just(ModelOutcome::Gone)]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0u8..30, 1u8..8).prop_map(|(message, users)| Step::Accept { message, users }),
        5 => prop_oneof![1usize..4, Just(1000)].prop_map(|max| Step::Lease { max }),
        8 => (index(), outcome()).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
        1 => index().prop_map(|which| Step::Release { which }),
        3 => (1u64..(LIFETIME + 1000)).prop_map(|millis| Step::Wait { millis }),
        1 => (index(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(user, first, second, on)| Step::Subscribe { user, first, second, enabled: on || first }),
        1 => index().prop_map(|user| Step::Unsubscribe { user }),
        1 => Just(Step::Retry),
        1 => Just(Step::Prune),
        1 => Just(Step::Restart),
    ]
}

async fn run<B: ModelBackend>(steps: Vec<Step>) {
    let fixture = Fixture::<B>::new().await;
    let mut model = Model::new();
    for step in steps {
        let shown = format!("{step:?}");
        steps::take(&fixture, &mut model, step).await;
        let books = fixture.store.books().await.unwrap().remove("email").unwrap_or_default();
        assert!(books.balance(), "after {shown}: {books:?}");
        assert_eq!(books, model.books(), "after {shown}");
        let next = model
            .deliveries
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Pending)
            .map(ModelDelivery::due_at)
            .min();
        let stored = fixture.store.next_due("email").await.unwrap().map(|next| next.as_millis());
        // Any moment in the past means now.
        assert_eq!(stored.map(|next| next.max(model.now)), next.map(|next| next.max(model.now)), "after {shown}");
    }
}

pub fn the_queue_does_what_the_model_does<B: ModelBackend>() {
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(step(), 1..60), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run::<B>(steps));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        #[test]
        fn the_queue_does_what_the_model_does() {
            crate::model::the_queue_does_what_the_model_does::<$backend>();
        }
    };
}
pub(crate) use suite;
