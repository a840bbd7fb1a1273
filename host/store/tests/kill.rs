//! A daemon process that is killed while it works, several times on the same file.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may panic")]

#[allow(dead_code, reason = "shared with the conformance tests, which use all of it")]
#[path = "conformance/samples.rs"]
mod samples;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::Acceptance;
use tidings_store::{LeaseRequest, Mode, Store};

use samples::{at, delivered, message, to};

const DATABASE: &str = "TIDINGS_TEST_DATABASE";
const ROUND: &str = "TIDINGS_TEST_ROUND";

#[tokio::test]
#[ignore = "the process that the other test starts and kills"]
async fn works_until_it_is_killed() {
    let store = tidings_store::open(Path::new(&std::env::var(DATABASE).unwrap()), Mode::Daemon).await.unwrap();
    let round = std::env::var(ROUND).unwrap();
    let workers = (0..8).map(|worker| tokio::spawn(work(Arc::clone(&store), format!("{round}-{worker}"))));
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

/// Accepts and delivers until the process is killed, and prints each answered call.
async fn work(store: Arc<dyn Store>, name: String) {
    for n in 0.. {
        let id = format!("{name}-{n}");
        store.accept(message(&id, vec![to(&name), to("all")]), at(n)).await.unwrap();
        println!("accepted {id}");
        let lifetime = Duration::from_secs(60);
        let request = LeaseRequest { channel: "email".into(), now: at(1_000_000), lifetime, max: 2, digest_events: 1 };
        let leases = store.lease(request).await.unwrap();
        let ids: Vec<String> = leases.iter().map(|lease| lease.delivery().id.to_string()).collect();
        let settled = leases.into_iter().map(|lease| (lease, delivered())).collect();
        store.settle(settled, at(1_000_000)).await.unwrap();
        for id in ids {
            println!("delivered {id}");
        }
    }
}

/// Row 16 of the list of failures, and the lock of row 18: it ends with its process.
#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let (mut accepted, mut delivered) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "works_until_it_is_killed", "--nocapture"])
            .env(DATABASE, &path)
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut answered = 0;
        let mut record = |line: String| match line.split_once(' ') {
            Some(("accepted", id)) => _ = accepted.insert(id.to_owned()),
            Some(("delivered", id)) => _ = delivered.insert(id.to_owned()),
            _ => {}
        };
        while answered < 200 + 37 * round {
            record(lines.next().expect("it works until it is killed"));
            answered += 1;
        }
        child.kill().unwrap();
        lines.for_each(record);
        child.wait().unwrap();

        let store = tidings_store::open(&path, Mode::Daemon).await.unwrap();
        store.release_all().await.unwrap();
        let books = store.books().await.unwrap().remove("email").unwrap();
        assert!(books.balance(), "{books:?}");
        assert!(books.accepted >= 2 * accepted.len() as u64, "{books:?}, {} answered", accepted.len());
        assert!(books.delivered >= delivered.len() as u64, "{books:?}, {} answered", delivered.len());
        for id in &accepted {
            let again = store.accept(message(id, vec![to("all")]), at(1)).await.unwrap();
            assert_eq!(again, Acceptance::Duplicate, "{id}");
        }
        store.close().await;
    }
    assert!(accepted.len() > 100 && delivered.len() > 100);
}
