//! Helpers for scenarios with several versions of a plugin: builds of the plugin `email`, upgrades, and the state of versions.
//! It must not assert what only one scenario needs.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_api_types::{ChannelInfo, UpgradeRequest};
use tidings_tests::client::TestClient;
use tidings_tests::harness::Harness;
use tidings_tests::{paths, wait};

/// Another build of the plugin `email`: the same code with a custom section that has no meaning.
pub(crate) fn next_email(label: &str) -> Vec<u8> {
    let mut file = std::fs::read(paths::plugin("email").unwrap()).unwrap();
    let name = format!("build-{label}");
    file.extend([0, u8::try_from(name.len() + 1).unwrap(), u8::try_from(name.len()).unwrap()]);
    file.extend(name.bytes());
    file
}

/// Installs the faulty release; returns its digest.
pub(crate) async fn faulty(client: &TestClient) -> String {
    client.install(std::fs::read(paths::plugin("faulty").unwrap()).unwrap()).await.unwrap().digest
}

/// Upgrades the channel `email`, without the conformance test, which would refuse a faulty release.
pub(crate) async fn upgrade(client: &TestClient, request: UpgradeRequest) -> ChannelInfo {
    upgrade_channel(client, "email", request).await
}

/// Upgrades a channel, without the conformance test.
pub(crate) async fn upgrade_channel(client: &TestClient, channel: &str, request: UpgradeRequest) -> ChannelInfo {
    let request = UpgradeRequest { unproven: true, ..request };
    let body = serde_json::to_vec(&request).unwrap();
    let answer = client.post(&format!("/api/v1/channels/{channel}/upgrade"), body).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

/// The channel of that name.
pub(crate) async fn view(client: &TestClient, name: &str) -> ChannelInfo {
    client.channel(name).await.unwrap()
}

/// The component that runs as a canary.
pub(crate) fn candidate(channel: &ChannelInfo) -> Option<&str> {
    channel.candidate.as_ref().map(|candidate| candidate.component.as_str())
}

/// Waits until that component is the active version of the channel `email`, without a candidate.
pub(crate) async fn runs(harness: &Harness, component: &str, within: Duration) {
    channel_runs(harness, "email", component, within).await;
}

/// Waits until that component is the active version of a channel, without a candidate.
pub(crate) async fn channel_runs(harness: &Harness, channel: &str, component: &str, within: Duration) {
    wait::until("the version is the active one", within, async || {
        let view = view(&harness.client, channel).await;
        Ok((view.component == component && view.candidate.is_none()).then_some(()))
    })
    .await
    .unwrap();
}

/// The events of a channel and their components, newest first.
pub(crate) async fn events(client: &TestClient, name: &str) -> Vec<(String, String)> {
    let events = client.channel_events(name).await.unwrap().into_iter();
    events.map(|event| (event.event.as_str().to_owned(), event.component)).collect()
}

/// The states of the channel's versions, by component.
pub(crate) async fn versions(client: &TestClient) -> Vec<(String, String)> {
    let versions = client.channel_versions("email").await.unwrap().into_iter();
    versions.map(|version| (version.component, version.state.as_str().to_owned())).collect()
}

/// Asserts that this number of mails arrived, each once.
pub(crate) fn each_once(harness: &Harness, messages: u64) {
    let mails = harness.sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((ids.len() as u64, mails.len() as u64), (messages, messages), "each mail once");
}
