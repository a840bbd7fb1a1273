//! What a plugin is granted as it asks for it.

use serde_json::json;

use super::administration::install;
use super::*;

/// `plain_http` was ignored together with `as_asked`.
#[tokio::test]
async fn what_the_plugin_asks_for_is_granted_without_tls_only_if_that_is_said() {
    let Some(plugin) = component("ntfy") else { return };
    let stand = Stand::new().await;
    install(&stand, "ntfy", plugin).await;
    let grant = async |body: Value| {
        let granted = stand.put("/api/v1/channels/ntfy/grants", &body).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let reach = granted.json()["reach"].clone();
        let reach = reach.as_array().expect("a list").clone();
        assert!(!reach.is_empty() && reach.iter().all(|grant| grant["capability"] == "http"), "{reach:?}");
        reach.iter().map(|grant| grant["plain_http"] == true).collect::<Vec<_>>()
    };
    assert!(grant(json!({ "as_asked": true })).await.iter().all(|plain| !plain));
    assert!(grant(json!({ "as_asked": true, "plain_http": true })).await.iter().all(|plain| *plain));
    let alone = json!({ "reach": [], "plain_http": true });
    assert_eq!(stand.put("/api/v1/channels/ntfy/grants", &alone).await.status, 422);
}
