//! The role `PluginStateStore`.

use tidings_store::PluginStateStore;

use crate::backend::{Backend, Fixture};

/// What the suite needs.
pub trait PluginStateBackend: Backend<Store: PluginStateStore> {}
impl<B: Backend<Store: PluginStateStore>> PluginStateBackend for B {}

pub async fn plugin_state_stays_within_its_quotas<B: PluginStateBackend>() {
    let fixture = Fixture::<B>::new().await;
    let set = async |channel: &str, key: &str, value: &[u8]| {
        fixture.store.plugin_state_set(channel, key, value, 2, 20).await.unwrap()
    };
    assert!(set("irc", "ab", &[1; 8]).await);
    assert!(set("irc", "cd", &[2; 8]).await, "20 bytes fit");
    assert!(!set("irc", "ab", &[3; 9]).await, "21 do not");
    assert!(!set("irc", "x", &[]).await, "nor a third key");
    assert!(set("irc", "ab", &[4; 1]).await);
    assert!(set("email", "ab", &[5; 18]).await, "each channel has its own quota");
    assert_eq!(fixture.store.plugin_state_get("irc", "ab").await.unwrap(), Some(vec![4]));
    assert_eq!(fixture.store.plugin_state_get("irc", "x").await.unwrap(), None);
    assert_eq!(fixture.store.plugin_state_keys("irc", "").await.unwrap(), ["ab", "cd"]);
    assert_eq!(fixture.store.plugin_state_keys("irc", "c").await.unwrap(), ["cd"]);
    fixture.store.plugin_state_delete("irc", "ab").await.unwrap();
    assert_eq!(fixture.store.plugin_state_keys("irc", "").await.unwrap(), ["cd"]);
    assert!(set("irc", "é%_", &[1]).await);
    assert!(!set("irc", "é%_", &[1; 7]).await, "10 bytes are left: four for the key, and six");
    assert!(set("irc", "é%_", &[1; 6]).await);
    assert!(!set("irc", "x", &[]).await, "two keys again");
    assert_eq!(fixture.store.plugin_state_keys("irc", "é%").await.unwrap(), ["é%_"]);
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::plugin_state]:
            plugin_state_stays_within_its_quotas,
        }
    };
}
pub(crate) use suite;
