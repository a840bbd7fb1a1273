//! What intake costs the store: a backlog of messages with the recipients that FMN's own load has, on a database on
//! disk with `synchronous=FULL`. The baseline, in the same run, is writing the same rows bare, into tables without
//! indexes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "benchmarks may panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::json;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, SqliteConnection};
use tidings_domain::delivery::{Acceptance, DeliveryId, NewMessage, Recipient, StoredEvent};
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};
use tidings_domain::testing::{self, stored_event};
use tidings_domain::time::Timestamp;
use tidings_store::limits::INTAKE_BATCH;
use tidings_store::{Mode, Store};

const MESSAGES: usize = 300_000;
const USERS: usize = 10_000;
/// Messages of ten that have recipients: two or three users, each on both channels.
const MATCHED_OF_TEN: u64 = 4;
const CHANNELS: [&str; 2] = ["email", "irc"];
/// Bytes of an event's payload; the event is 1.5 kB with it.
const BODY: usize = 1100;
/// Rules of one subscription, as FMN's defaults have them.
const RULES: usize = 57;
/// Messages in one transaction of the baseline.
const BARE_BATCH: usize = 500;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let messages = messages();
    let rows = messages.iter().map(|message| message.recipients.len()).sum::<usize>() as f64;
    let bare = bare(&directory.path().join("bare.db"), &messages).await;

    let store = tidings_store::open(&directory.path().join("tidings.db"), Mode::Daemon).await.expect("a store");
    store.put_subscriptions(&subscriptions(), Timestamp::from_millis(1)).await.expect("subscriptions");
    let began = Instant::now();
    let deliveries = accept(store.as_ref(), messages).await;
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(deliveries as f64, rows);
    store.close().await;
    metric("store_accept_messages_per_s", MESSAGES as f64 / seconds, "1/s");
    metric("store_accept_rows_per_s", rows / seconds, "1/s");
    metric("store_bare_messages_per_s", MESSAGES as f64 / bare, "1/s");
    metric("store_accept_vs_bare_ratio", seconds / bare, "ratio");
}

fn metric(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

/// As intake calls: as many at a time as it has under way.
async fn accept(store: &dyn Store, messages: Vec<NewMessage>) -> usize {
    let (mut calls, mut deliveries) = (FuturesUnordered::new(), 0);
    let mut add = |acceptance| match acceptance {
        Acceptance::New { deliveries: new } => deliveries += new,
        other => panic!("{other:?}"),
    };
    for (n, message) in messages.into_iter().enumerate() {
        while calls.len() >= 2 * INTAKE_BATCH {
            add(calls.next().await.expect("a call"));
        }
        calls.push(async move { store.accept(message, Timestamp::from_millis(n as u64)).await.expect("accepted") });
    }
    while let Some(acceptance) = calls.next().await {
        add(acceptance);
    }
    deliveries
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn address(user: &str, channel: &str) -> String {
    if channel == "irc" { user.to_owned() } else { format!("{user}@fedoraproject.example") }
}

fn messages() -> Vec<NewMessage> {
    let mut numbers = Numbers(2014);
    (0..MESSAGES).map(|n| message(n, &mut numbers)).collect()
}

fn message(n: usize, numbers: &mut Numbers) -> NewMessage {
    let text = format!("2014-{:016x}-{:016x}", numbers.next(), numbers.next());
    let mut recipients = Vec::new();
    if numbers.next() % 10 < MATCHED_OF_TEN {
        let users = 2 + (numbers.next() % 10) / 6;
        let first = numbers.next() % USERS as u64;
        for n in 0..users {
            // Apart by a number that has no divisor in common with their count: no user twice.
            let user = format!("contributor{:05}", (first + n * 7_919) % USERS as u64);
            recipients.extend(CHANNELS.map(|channel| recipient(&user, channel)));
        }
    }
    let topic = "org.fedoraproject.prod.buildsys.build.state.change".to_owned();
    let event = StoredEvent {
        topic: topic.clone(),
        timestamp: Timestamp::from_millis(n as u64),
        application: Some("koji".into()),
        title: "buildsys.build.state.change".into(),
        subtitle: "contributor's package-1.0-1.fc21 started building".into(),
        link: Some("https://koji.fedoraproject.example/koji/buildinfo?buildID=510013".into()),
        icon: Some("https://apps.fedoraproject.example/img/icons/koji.png".into()),
        agent: Some("contributor".into()),
        usernames: vec!["contributor".into()],
        packages: vec!["package".into()],
        objects: vec!["builds/package-1.0-1.fc21/started/primary".into()],
        body: "{\"a\":1}".repeat(BODY / 7),
        ..stored_event(&text)
    };
    let (id, matched) = (event.id.clone(), !recipients.is_empty());
    NewMessage {
        id,
        topic,
        digest: [n as u8; 32],
        event: matched.then(|| Arc::new(event)),
        recipients: recipients.into(),
    }
}

fn recipient(user: &str, channel: &str) -> Recipient {
    Recipient {
        address: address(user, channel),
        filter: "Events on packages that I own".into(),
        ..testing::recipient(user, channel)
    }
}

fn subscriptions() -> Vec<Subscription> {
    let rule = |n: usize| Rule {
        rule: format!("koji_build_state_{n}"),
        arguments: [("fasnick".to_owned(), "contributor".to_owned())].into(),
        negated: true,
    };
    let filter = Filter {
        name: "Events on packages that I own".into(),
        oneshot: false,
        active: true,
        rules: (0..RULES).map(rule).collect(),
    };
    let users = (0..USERS).map(|n| format!("contributor{n:05}"));
    let both = users.flat_map(|user| CHANNELS.map(|channel| (user.clone(), channel)));
    let subscription = |(user, channel): (String, &str)| Subscription {
        addresses: vec![address(&user, channel)],
        user,
        channel: channel.to_owned(),
        enabled: true,
        digest: None,
        style: Style::default(),
        filters: vec![filter.clone()],
    };
    both.map(subscription).collect()
}

/// Seconds for writing the same rows with as little as possible.
async fn bare(path: &Path, messages: &[NewMessage]) -> f64 {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.pragma("cache_size", "-65536").connect().await.expect("a database");
    for sql in [
        "CREATE TABLE messages (seq INTEGER PRIMARY KEY, id, topic, digest, seen_at, subtitle, event)",
        "CREATE TABLE deliveries (seq INTEGER PRIMARY KEY, id, message, channel, user, address, filter, style, state, \
         attempts, accepted_at, not_before, due_at, lease, updated_at, note, gathered, digest, lead)",
    ] {
        sqlx::query(sql).execute(&mut connection).await.expect("a table");
    }
    let began = Instant::now();
    for (batch, messages) in messages.chunks(BARE_BATCH).enumerate() {
        let mut transaction = connection.begin().await.expect("a transaction");
        bare_batch(&mut transaction, batch * BARE_BATCH, messages).await;
        transaction.commit().await.expect("a commit");
    }
    let seconds = began.elapsed().as_secs_f64();
    connection.close().await.expect("closed");
    seconds
}

async fn bare_batch(connection: &mut SqliteConnection, first: usize, messages: &[NewMessage]) {
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO messages (id, topic, digest, seen_at, subtitle, event) ");
    query.push_values(messages, |mut row, message| {
        row.push_bind(message.id.as_str()).push_bind(&message.topic).push_bind(&message.digest[..]).push_bind(1_i64);
        row.push_bind(message.event.as_ref().map(|event| event.subtitle.as_str()));
        row.push_bind(message.event.as_ref().map(|event| serde_json::to_string(&**event).expect("JSON")));
    });
    query.build().execute(&mut *connection).await.expect("messages");
    let rows: Vec<(i64, &NewMessage, &Recipient)> = messages
        .iter()
        .zip(first as i64 + 1..)
        .flat_map(|(message, seq)| message.recipients.iter().map(move |recipient| (seq, message, recipient)))
        .collect();
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO deliveries (id, message, channel, user, address, filter, style, state, attempts, accepted_at, \
         not_before, due_at, updated_at, lead) ",
    );
    query.push_values(rows, |mut row, (seq, message, recipient)| {
        let id = DeliveryId::derive(&message.id, &recipient.channel, &recipient.address);
        row.push_bind(hex::decode(id.as_str()).expect("hex")).push_bind(seq).push_bind(&recipient.channel);
        row.push_bind(&recipient.user).push_bind(&recipient.address).push_bind(&recipient.filter).push_bind(6_i64);
        row.push_bind("pending").push_bind(0_i64).push_bind(1_i64).push_bind(1_i64).push_bind(1_i64).push_bind(1_i64);
        row.push_bind(1_i64);
    });
    query.build().execute(&mut *connection).await.expect("deliveries");
}
