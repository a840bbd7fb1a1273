//! The resident IRC channel against a real ngircd that is ended and started again while messages are on their way (row 42).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tidings_tests::ircd::{Ngircd, Reader};
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::{channel, paths, wait};

const CHANNEL: &str = "#tidings";
const MESSAGES: usize = 1000;
/// After so many arrivals the server is ended.
const RESTARTS: [usize; 3] = [150, 400, 700];

fn name(number: usize) -> String {
    format!("lantern{number:04}")
}

/// The numbers of what arrived, the first time that each did.
fn first_arrivals(texts: &[String]) -> Vec<usize> {
    let number = |text: &String| -> usize { text.split_once("lantern").unwrap().1[..4].parse().unwrap() };
    let mut seen = BTreeSet::new();
    texts.iter().map(number).filter(|number| seen.insert(*number)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_arrive_on_irc_in_order_over_three_restarts_of_the_server() {
    let mut scene = Scene::set_with(|settings| settings.dispatch.batch = MESSAGES).await.unwrap();
    let mut server = Ngircd::start(scene.dir.path()).await.unwrap();
    let reader = Reader::default();
    reader.join(&server, CHANNEL).await.unwrap();
    let config = json!({
        "host": "127.0.0.1", "port": server.port.to_string(), "tls": "false", "services": "none",
        "interval_ms": "5", "burst": "20", "reconnect_ms": "3000",
    });
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    let grants = channel::loopback(address);
    channel::install(&scene.client, "irc", &paths::plugin("irc").unwrap(), &config, &grants).await.unwrap();
    scene.wants_everything("amara", "irc", &[CHANNEL]).await.unwrap();
    // All of it becomes one batch, so that their order is the queue's.
    channel::switch(&scene.client, "irc", false).await.unwrap();
    scene.publish((0..MESSAGES).map(name)).await.unwrap();
    scene.dealt_with(MESSAGES as u64).await.unwrap();
    channel::switch(&scene.client, "irc", true).await.unwrap();

    for arrivals in RESTARTS {
        wait::until("so many arrivals", LIMIT, async || Ok((reader.texts().len() >= arrivals).then_some(())))
            .await
            .unwrap();
        server.stop().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.again().await.unwrap();
        reader.join(&server, CHANNEL).await.unwrap();
    }
    wait::until("all arrivals", LIMIT, async || Ok((first_arrivals(&reader.texts()).len() >= MESSAGES).then_some(())))
        .await
        .unwrap();
    let texts = reader.texts();
    assert_eq!(first_arrivals(&texts), (0..MESSAGES).collect::<Vec<_>>());
    let copies = texts.len() - MESSAGES;
    assert!(copies <= RESTARTS.len() * 32, "{copies} came twice: no more than what was on its way");
    let books = scene.queue_empty("irc").await.unwrap();
    assert_eq!((books.delivered as usize, books.dead), (MESSAGES, 0));
    println!("{copies} of {MESSAGES} came twice");
}
