//! What the plugins of the templates do, the same in each language.

use std::sync::Arc;

use tidings_domain::delivery::{Confirmation, Content, Delivery};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{Admitted, Batch, ChannelHost, ChannelSettings, DeliveryLinks, DeliveryRequest, Plugin};

use super::far::Far;
use super::{Place, delivery, grant};

/// A channel of this plugin that sends everything to this port of the loopback, with the limits that everybody gets.
pub fn channel(place: &Place, admitted: &Admitted, setting: &str, port: u16) -> Plugin {
    let url = format!("http://127.0.0.1:{port}/");
    let config = admitted.manifest().configure(&[(setting.to_owned(), url)].into()).expect("good settings");
    let grants = vec![grant(Capability::Http, port, true, true)];
    let grants = tidings_domain::grant::Grants { reach: grants, credentials: Vec::new() };
    let settings = ChannelSettings { channel: "test".to_owned(), config, grants, limits: PluginLimits::default() };
    place.sandbox.plugin(admitted, settings, Arc::clone(&place.host) as Arc<dyn ChannelHost>)
}

/// A single one, a digest and a question, to the same address.
pub fn one_of_each(address: &str) -> [Delivery; 3] {
    let single = delivery(address);
    let Content::Single(event) = &single.content else { panic!("a single one") };
    let digest = Content::Digest { events: vec![Arc::clone(event), Arc::clone(event)], omitted: 1 };
    let confirmation = Content::Confirmation(Confirmation {
        code: "K7QX".to_owned(),
        accept_link: "https://tidings.example/yes".to_owned(),
        reject_link: "https://tidings.example/no".to_owned(),
        expires_at: Timestamp::from_millis(1),
    });
    let (digest, question) = (Delivery { content: digest, ..single.clone() }, single.clone());
    [single, digest, Delivery { content: confirmation, ..question }]
}

/// With a summary for the digest among them.
pub fn parcels(deliveries: &[Delivery]) -> Batch {
    let summary = || vec!["ralph built a".to_owned()];
    let parcel = |delivery| DeliveryRequest {
        delivery: Arc::new(delivery),
        links: DeliveryLinks::default(),
        summary: summary(),
    };
    deliveries.iter().cloned().map(parcel).collect()
}

/// Checks addresses, delivers, and meets each way in which that fails.
pub async fn does_what_a_pager_does(place: &Place, admitted: &Admitted) {
    let far = Far::start().await;
    let plugin = channel(place, admitted, "url", far.port);
    assert_eq!(plugin.check_address(" Ralph ").await, Ok(Ok("ralph".to_owned())));
    for text in ["", "no name", "a\nb", &"x".repeat(65), "\u{1f680}"] {
        let said = plugin.check_address(text).await.expect("no crash").expect_err("no address");
        assert!(said.starts_with("a pager's name has"), "{text:?}: {said}");
    }
    delivers_each_kind(&plugin, &far).await;
    meets_each_failure(place, admitted, &plugin, &far).await;
}

async fn delivers_each_kind(plugin: &Plugin, far: &Far) {
    let deliveries = one_of_each("ralph");
    let report = plugin.deliver(&parcels(&deliveries)).await;
    assert_eq!(report.crash, None);
    let receipt = Outcome::Delivered { receipt: Some("HTTP 200".to_owned()) };
    assert_eq!(report.outcomes, [receipt.clone(), receipt.clone(), receipt]);
    let seen = far.seen();
    let bodies: Vec<_> = seen.iter().map(|request| request.body.as_str()).collect();
    let question = "Notifications here? Yes: https://tidings.example/yes (code K7QX) No: https://tidings.example/no";
    assert_eq!(bodies, ["something happened", "3 updates: ralph built a", question]);
    for request in &seen {
        assert_eq!((request.line.as_str(), request.header("x-pager")), ("POST / HTTP/1.1", "ralph"));
        assert_eq!(request.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(request.header("idempotency-key"), deliveries[0].id.as_str());
    }
}

async fn meets_each_failure(place: &Place, admitted: &Admitted, plugin: &Plugin, far: &Far) {
    let deliveries = one_of_each("ralph");
    let batch = parcels(&deliveries);
    far.answers(&["500 No\r\nretry-after: 7", "404 No", "410 No"]);
    let report = plugin.deliver(&batch).await;
    let kinds = |outcomes: &[Outcome]| outcomes.iter().map(kind).collect::<Vec<_>>();
    assert_eq!(kinds(&report.outcomes), ["retry in 7000", "rejected: HTTP 404", "gone: HTTP 410"]);
    far.answers(&["200 OK", "403 No"]);
    let report = plugin.deliver(&batch).await;
    assert_eq!(kinds(&report.outcomes), ["delivered", "trouble: HTTP 403", "trouble: HTTP 403"]);
    far.seen();
    // A port that was free a moment ago.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let report = channel(place, admitted, "url", nobody).deliver(&parcels(&deliveries[..1])).await;
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
