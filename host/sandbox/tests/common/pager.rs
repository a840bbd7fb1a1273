//! The behaviour of the template plugins, which is the same in each language.

use std::sync::Arc;

use tidings_domain::delivery::{Confirmation, Content, Delivery};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{Admitted, Batch, ChannelHost, ChannelSettings, Plugin};

use super::http_server::TestHttpServer;
use super::{SandboxFixture, deliveries, delivery, grant};

/// A channel of this plugin that sends everything to this port of loopback, with the default limits.
pub fn channel(fixture: &SandboxFixture, admitted: &Admitted, setting: &str, port: u16) -> Plugin {
    let url = format!("http://127.0.0.1:{port}/");
    let config = admitted.manifest().configure(&[(setting.to_owned(), url)].into()).expect("valid settings");
    let grants = vec![grant(Capability::Http, port, true, true)];
    let grants = tidings_domain::grant::Grants { reach: grants, credentials: Vec::new() };
    let settings = ChannelSettings { channel: "test".to_owned(), config, grants, limits: PluginLimits::default() };
    fixture.sandbox.plugin(admitted, settings, Arc::clone(&fixture.host) as Arc<dyn ChannelHost>)
}

/// A single event, a digest and a confirmation for the same address.
pub fn one_of_each(address: &str) -> [Delivery; 3] {
    let single = delivery(address);
    let Content::Single(event) = &single.content else { panic!("a single event") };
    let digest = Content::Digest { events: vec![Arc::clone(event), Arc::clone(event)], omitted: 1 };
    let confirmation = Content::Confirmation(Confirmation {
        code: "K7QX".to_owned(),
        accept_link: "https://tidings.example/yes".to_owned(),
        reject_link: "https://tidings.example/no".to_owned(),
        expires_at: Timestamp::from_millis(1),
    });
    let with = |content| Delivery { content, ..single.clone() };
    [single.clone(), with(digest), with(confirmation)]
}

/// The deliveries with a summary, which a digest shows.
pub fn requests_with_summary(deliveries: &[Delivery]) -> Batch {
    deliveries::requests_with(deliveries, &["ralph built a"])
}

/// Checks addresses, delivers each kind of content, and meets each kind of failure.
pub async fn behaves_as_the_template(fixture: &SandboxFixture, admitted: &Admitted) {
    let server = TestHttpServer::start().await;
    let plugin = channel(fixture, admitted, "url", server.port);
    assert_eq!(plugin.check_address(" Ralph ").await, Ok(Ok("ralph".to_owned())));
    for text in ["", "no name", "a\nb", &"x".repeat(65), "\u{1f680}"] {
        let reason = plugin.check_address(text).await.expect("no crash").expect_err("an invalid address");
        assert!(reason.starts_with("a pager's name has"), "{text:?}: {reason}");
    }
    delivers_each_kind(&plugin, &server).await;
    meets_each_failure(fixture, admitted, &plugin, &server).await;
}

async fn delivers_each_kind(plugin: &Plugin, server: &TestHttpServer) {
    let deliveries = one_of_each("ralph");
    let report = plugin.deliver(&requests_with_summary(&deliveries)).await;
    assert_eq!(report.crash, None);
    let receipt = Outcome::Delivered { receipt: Some("HTTP 200".to_owned()) };
    assert_eq!(report.outcomes, [receipt.clone(), receipt.clone(), receipt]);
    let received = server.requests();
    let bodies: Vec<_> = received.iter().map(|request| request.body.as_str()).collect();
    let question = "Notifications here? Yes: https://tidings.example/yes (code K7QX) No: https://tidings.example/no";
    assert_eq!(bodies, ["something happened", "3 updates: ralph built a", question]);
    for request in &received {
        assert_eq!((request.line.as_str(), request.header("x-pager")), ("POST / HTTP/1.1", "ralph"));
        assert_eq!(request.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(request.header("idempotency-key"), deliveries[0].id.as_str());
    }
}

async fn meets_each_failure(fixture: &SandboxFixture, admitted: &Admitted, plugin: &Plugin, server: &TestHttpServer) {
    let deliveries = one_of_each("ralph");
    let batch = requests_with_summary(&deliveries);
    server.reply_with(&["500 No\r\nretry-after: 7", "404 No", "410 No"]);
    let report = plugin.deliver(&batch).await;
    let kinds = |outcomes: &[Outcome]| outcomes.iter().map(kind).collect::<Vec<_>>();
    assert_eq!(kinds(&report.outcomes), ["retry in 7000", "rejected: HTTP 404", "gone: HTTP 410"]);
    server.reply_with(&["200 OK", "403 No"]);
    let report = plugin.deliver(&batch).await;
    assert_eq!(kinds(&report.outcomes), ["delivered", "trouble: HTTP 403", "trouble: HTTP 403"]);
    // A bound socket that does not listen refuses connections, and keeps its port from others.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let refusing = socket.local_addr().expect("an address").port();
    let report = channel(fixture, admitted, "url", refusing).deliver(&requests_with_summary(&deliveries[..1])).await;
    assert_eq!(kinds(&report.outcomes), ["retry"], "{:?}", report.outcomes);
}

fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { .. } => "delivered".to_owned(),
        Outcome::Retry { after: Some(after), .. } => format!("retry in {}", after.as_millis()),
        Outcome::Retry { .. } => "retry".to_owned(),
        Outcome::Rejected { reason } => format!("rejected: {reason}"),
        Outcome::AddressGone { reason, .. } => format!("gone: {reason}"),
        Outcome::ChannelTrouble { reason, .. } => format!("trouble: {reason}"),
        Outcome::Crash { kind, detail } => format!("crash: {} {detail}", kind.as_str()),
    }
}
