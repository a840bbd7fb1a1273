//! While a channel drains, only changes of that channel wait.

use std::time::{Duration, Instant};
use tidings_api_types::ChannelStateInfo;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::paths;
use tidings_tests::wait;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// The time limit of a response while another channel drains.
const RESPONSE_TIME: Duration = Duration::from_millis(200);
/// How often each response is measured, since the machine may be busy for a moment. The drain takes longer than all of them.
const ATTEMPTS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_drains_for_30_s_holds_up_neither_readers_nor_other_channels() {
    let mut harness = Harness::start_with(|settings| settings.dispatch.stop_grace = Some("30s".into())).await.unwrap();
    // A call that does not return: it reads from a connection on which no data arrives.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let config = json!({"host": address.ip().to_string(), "port": address.port().to_string()});
    let plugin = paths::plugin("hostile").unwrap();
    channel::install(&harness.client, "endless", &plugin, &config, &channel::loopback(address)).await.unwrap();
    let only = rule("package_filter", Some(("package", "slow")));
    channel::subscribe(&harness.client, &subscription("slow", "endless", &["slow@example.org"], only)).await.unwrap();
    harness.publish(["slow".to_owned()]).await.unwrap();
    let (_connection, _) = timeout(LIMIT, silent.accept()).await.expect("the call connects").unwrap();

    let client = harness.client.clone();
    let disabling = tokio::spawn(async move { channel::switch(&client, "endless", false).await });
    // The daemon stores the change first, and then drains the channel.
    wait::until("the channel is disabled", LIMIT, async || {
        let channel = harness.client.channel("endless").await?;
        Ok((channel.state == ChannelStateInfo::Disabled).then_some(()))
    })
    .await
    .unwrap();
    let answers: [(&str, Duration); 4] = [
        ("/metrics", fastest(async || harness.client.text("/metrics").await.map(drop)).await),
        ("the list of channels", fastest(async || harness.client.text("/api/v1/channels").await.map(drop)).await),
        ("the status", fastest(async || harness.client.text("/api/v1/status").await.map(drop)).await),
        ("another channel's disable", fastest(async || channel::switch(&harness.client, "email", false).await).await),
    ];
    assert!(!disabling.is_finished(), "the channel drained during all requests");
    for (what, took) in answers {
        assert!(took < RESPONSE_TIME, "{what} took {took:?}");
    }
    // The test does not wait for the rest of the drain.
    disabling.abort();
    harness.daemon.kill().await.unwrap();
}

/// The shortest time of a successful request.
async fn fastest(request: impl AsyncFn() -> anyhow::Result<()>) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..ATTEMPTS {
        let began = Instant::now();
        request().await.unwrap();
        shortest = shortest.min(began.elapsed());
    }
    shortest
}
