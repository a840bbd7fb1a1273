//! End to end with independent software: fedmsg for Python publishes, Postfix receives the mail, and a library reads it from
//! the mailbox.

use std::net::SocketAddr;
use tidings_api_types::BusEndpointState;

use tidings_tests::channel;
use tidings_tests::daemon::{Daemon, Home};
use tidings_tests::fedmsg::Fedmsg;
use tidings_tests::harness::{LIMIT, about, rule, subscription};
use tidings_tests::mta::Postfix;
use tidings_tests::port;
use tidings_tests::samples::{self, Expected};
use tidings_tests::settings::DaemonSettings;
use tidings_tests::wait;

const ADDRESSES: [&str; 7] = [
    "amara@example.org",
    "bjorn@example.org",
    "bjorn+phone@example.org",
    "chioma@example.org",
    "dmitri@example.org",
    "eleni@example.org",
    "gustav@example.org",
];

async fn daemon_for(dir: &std::path::Path, bus: u16, smtp: SocketAddr) -> (Home, Daemon) {
    let endpoint = format!("tcp://127.0.0.1:{bus}");
    let home = Home::new(dir, DaemonSettings::new(dir, &[&endpoint]).unwrap()).unwrap();
    let token = home.token("scenario").await.unwrap();
    let daemon = Daemon::start(&home, Some(&token)).await.unwrap();
    channel::install_email(daemon.client(), "email", smtp).await.unwrap();
    (home, daemon)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_fedmsg_publishes_arrive_in_the_mailboxes_of_postfix() {
    let (dir, mta_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let postfix = Postfix::start(mta_dir.path(), &ADDRESSES).await.unwrap();
    let bus = port::free().unwrap();
    let mut fedmsg = Fedmsg::start(bus).await.unwrap();
    let (_home, daemon) = daemon_for(dir.path(), bus, postfix.smtp).await;
    for subscription in samples::subscriptions().unwrap() {
        channel::subscribe(daemon.client(), &subscription).await.unwrap();
    }
    daemon.subscribed(LIMIT).await.unwrap();
    for message in samples::messages().unwrap() {
        fedmsg.send(&message).await.unwrap();
    }
    let expected = samples::expected().unwrap();
    let arrived = |one: &Expected| {
        let mails = postfix.mails(&one.recipient)?;
        anyhow::Ok(mails.iter().any(|mail| {
            let subject = mail.subject().unwrap_or_default();
            subject.contains(&one.text)
                || (one.digest && mail.body_text(0).is_some_and(|text| text.contains(&one.text)))
        }))
    };
    wait::until("every expected mail is in its mailbox", LIMIT, async || {
        for one in &expected {
            if !arrived(one)? {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
    .unwrap();
    for address in ADDRESSES {
        for mail in postfix.mails(address).unwrap() {
            for header in ["Date", "Message-ID", "From", "To", "Subject", "List-Id", "Auto-Submitted", "X-Fedmsg-Topic"]
            {
                assert!(mail.header_raw(header).is_some(), "{address}: {header} is missing");
            }
            assert!(mail.date().is_some_and(|date| date.is_valid()), "{address}: Date");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_lost_that_a_restarted_publisher_sends_after_the_resubscription() {
    let (dir, mta_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let postfix = Postfix::start(mta_dir.path(), &["amara@example.org"]).await.unwrap();
    let bus = port::free().unwrap();
    let mut fedmsg = Fedmsg::start(bus).await.unwrap();
    let (_home, daemon) = daemon_for(dir.path(), bus, postfix.smtp).await;
    let rule = rule("regex_filter", Some(("pattern", ".")));
    let everything = subscription("amara", "email", &["amara@example.org"], rule);
    channel::subscribe(daemon.client(), &everything).await.unwrap();
    for round in 0..3 {
        // Messages are published only after publisher and subscriber have reported that they are ready.
        daemon.subscribed(LIMIT).await.unwrap();
        for number in 0..20 {
            fedmsg.send(&about(&format!("round-{round}-{number}-end"))).await.unwrap();
        }
        let wanted = 20 * (round + 1);
        wait::until("the mails of this round", LIMIT, async || {
            Ok((postfix.mails("amara@example.org")?.len() >= wanted).then_some(()))
        })
        .await
        .unwrap();
        fedmsg.kill().await.unwrap();
        wait::until("the daemon notices that the publisher is gone", LIMIT, async || {
            let status = daemon.client().status().await?;
            Ok(status.bus.iter().all(|one| one.state != BusEndpointState::Subscribed).then_some(()))
        })
        .await
        .unwrap();
        fedmsg = Fedmsg::start(bus).await.unwrap();
    }
    let mails = postfix.mails("amara@example.org").unwrap();
    for round in 0..3 {
        for number in 0..20 {
            let name = format!("round-{round}-{number}-end");
            let found = mails.iter().filter(|mail| mail.subject().is_some_and(|subject| subject.contains(&name)));
            assert_eq!(found.count(), 1, "{name}");
        }
    }
}
