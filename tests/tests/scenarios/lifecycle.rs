//! Start and stop of the daemon: SIGTERM drains (row 56), an invalid configuration ends the start before anything is opened
//! (row 55), and two daemons cannot use one database (row 18).

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use tidings_tests::client::RawResponse;
use tidings_tests::daemon::{Daemon, Home};
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::port;
use tidings_tests::settings::DaemonSettings;
use tidings_tests::sink::{Phase, ScriptRule, SmtpFault};

const MESSAGES: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_the_daemon_with_success_and_each_mail_is_sent_once() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    harness.sink.script.add(ScriptRule::at(Phase::Body, SmtpFault::Wait(Duration::from_millis(5))));
    harness.publish((0..MESSAGES).map(|number| format!("drain-{number:04}"))).await.unwrap();
    harness.sink.mails.wait("the first mails", LIMIT, |mails| (mails.len() >= 20).then_some(())).await.unwrap();
    harness.wait_processed(MESSAGES).await.unwrap();

    let Harness { daemon, client, token, publisher, sink, home, dir } = harness;
    let status = daemon.terminate().await.unwrap();
    assert!(status.success(), "the daemon ended with {status}");
    let sent = sink.mails.count();
    assert!(sent < MESSAGES, "the daemon ended under load");

    let daemon = Daemon::start(&home, Some(&token)).await.unwrap();
    let harness = Harness { daemon, client, token, publisher, sink, home, dir };
    let books = harness.queue_empty("email").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (MESSAGES, MESSAGES));
    let mails = harness.sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((mails.len() as u64, ids.len() as u64), (MESSAGES, MESSAGES), "each mail once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_configuration_is_refused_before_a_port_is_bound_or_a_file_created() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = DaemonSettings::new(dir.path(), &["tcp://127.0.0.1:1"]).unwrap();
    // The port is in use: an attempt to bind it would fail with another error.
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    settings.api.listen = taken.local_addr().unwrap().to_string();
    settings.dispatch.batch = 0;
    let data = settings.data_dir.clone();
    let home = Home::new(dir.path(), settings).unwrap();
    let output = home.command(&["serve"]).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("dispatch.batch") && !errors.contains("in use"), "{errors}");
    assert!(!data.exists(), "{} was created", data.display());
    let checked = home.command(&["check-config"]).await.unwrap();
    assert!(!checked.status.success());
    assert!(String::from_utf8_lossy(&checked.stderr).contains("dispatch.batch"));

    fs::write(home.config(), "data_dir = 3\n").unwrap();
    let output = home.command(&["serve"]).await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("data_dir"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_with_the_same_database_is_refused_and_the_first_continues() {
    let harness = Harness::start().await.unwrap();
    let mut settings = harness.home.settings.clone();
    settings.api.listen = format!("127.0.0.1:{}", port::free().unwrap());
    let other_dir = harness.dir.path().join("second");
    fs::create_dir(&other_dir).unwrap();
    let second = Home::new(&other_dir, settings).unwrap();
    let output = second.command(&["serve"]).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("another daemon"), "{errors}");

    let healthy: RawResponse =
        harness.client.send(hyper::Method::GET, "/-/healthy", bytes::Bytes::new()).await.unwrap();
    assert_eq!(healthy.status, 200);
    harness.books("email").await.unwrap();
}
