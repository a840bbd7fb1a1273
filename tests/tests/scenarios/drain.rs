//! A channel that drains: changes of one channel wait for it, and nothing else does.

use std::time::{Duration, Instant};
use tidings_api_types::ChannelStateInfo;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::paths;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::wait;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// How long an answer may take while another channel drains.
const AT_ONCE: Duration = Duration::from_millis(200);
/// How often each answer is measured: the machine may have other work for a moment. A drain lasts longer than all of them.
const ATTEMPTS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_drains_for_30_s_holds_up_neither_readers_nor_other_channels() {
    let mut scene = Scene::set_with(|settings| settings.dispatch.stop_grace = Some("30s".into())).await.unwrap();
    // A call that never returns: it reads from a connection on which nothing comes.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let config = json!({"host": address.ip().to_string(), "port": address.port().to_string()});
    let plugin = paths::plugin("hostile").unwrap();
    channel::install(&scene.client, "endless", &plugin, &config, &channel::loopback(address)).await.unwrap();
    let only = rule("package_filter", Some(("package", "slow")));
    channel::subscribe(&scene.client, &subscription("slow", "endless", &["slow@example.org"], only)).await.unwrap();
    scene.publish(["slow".to_owned()]).await.unwrap();
    let (_connection, _) = timeout(LIMIT, silent.accept()).await.expect("the call connects").unwrap();

    let client = scene.client.clone();
    let disabling = tokio::spawn(async move { channel::switch(&client, "endless", false).await });
    // Stored first: from here on the channel drains.
    wait::until("the channel is disabled", LIMIT, async || {
        let channel = scene.client.channel("endless").await?;
        Ok((channel.state == ChannelStateInfo::Disabled).then_some(()))
    })
    .await
    .unwrap();
    let answers: [(&str, Duration); 4] = [
        ("/metrics", fastest(async || scene.client.text("/metrics").await.map(drop)).await),
        ("the list of channels", fastest(async || scene.client.text("/api/v1/channels").await.map(drop)).await),
        ("the status", fastest(async || scene.client.text("/api/v1/status").await.map(drop)).await),
        ("another channel's disable", fastest(async || channel::switch(&scene.client, "email", false).await).await),
    ];
    assert!(!disabling.is_finished(), "the drain lasted all the while");
    for (what, took) in answers {
        assert!(took < AT_ONCE, "{what} took {took:?}");
    }
    // Nothing waits for the rest of the drain.
    disabling.abort();
    scene.daemon.kill().await.unwrap();
}

/// The shortest time that a request took to succeed.
async fn fastest(ask: impl AsyncFn() -> anyhow::Result<()>) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ATTEMPTS {
        let began = Instant::now();
        ask().await.unwrap();
        best = best.min(began.elapsed());
    }
    best
}
