#[path = "/tmp/fixture_probe.rs"]
#[allow(dead_code)]
mod fixture;
use fixture::*;
use std::time::Instant;
use tidings_domain::delivery::*;
use tidings_store::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe() {
    let f = store().await;
    let t = Instant::now();
    let mut set = tokio::task::JoinSet::new();
    let n: u64 = std::env::var("PROBE").map_or(20_000, |v| v.parse().unwrap());
    for m in 0..n {
        let mut told: Vec<Recipient> = (0..45).map(|k| to(&format!("user{}", (m * 45 + k * 7) % 100_000))).collect();
        for k in 0..5 {
            told.push(Recipient { address: format!("h{k}@x"), ..to("heavy") });
        }
        let mut msg = message(&format!("2014-{m}-aaaaaaaa-bbbb-cccc"), told);
        let ev = msg.event.take().unwrap();
        msg.event = Some(std::sync::Arc::new(StoredEvent { body: "x".repeat(1500), ..(*ev).clone() }));
        let s = f.store.clone();
        if set.len() >= 600 {
            set.join_next().await;
        }
        set.spawn(async move { s.accept(msg, at(1000 + m)).await.unwrap() });
    }
    while set.join_next().await.is_some() {}
    let el = t.elapsed();
    println!("accept 1e6 deliveries, {n} messages: {el:?} = {:.0} rows/s", n as f64 * 50.0 / el.as_secs_f64());
    println!("{:?}", f.store.books().await.unwrap());
    if std::env::var_os("ONLY").is_some() {
        return;
    }
    let t = Instant::now();
    let mut held = Vec::new();
    for i in 0..100u64 {
        held.push(f.lease(10_000_000 + i, 50).await);
    }
    println!(
        "100 leases of 50: {:?}, got {}, distinct users in first {}",
        t.elapsed(),
        held.iter().map(Vec::len).sum::<usize>(),
        users(&held[0]).into_iter().collect::<std::collections::BTreeSet<_>>().len()
    );
    let t = Instant::now();
    for _ in 0..1000 {
        f.store.next_due("email").await.unwrap();
    }
    println!("1000 next_due: {:?}", t.elapsed());
    let t = Instant::now();
    for l in held {
        f.store
            .settle(
                l.into_iter().enumerate().map(|(n, l)| (l, if n % 25 == 0 { dead() } else { delivered() })).collect(),
                at(20_000_000),
            )
            .await
            .unwrap();
    }
    println!("100 settles of 50: {:?}", t.elapsed());
    let t = Instant::now();
    let mut set = tokio::task::JoinSet::new();
    let mut total = 0;
    for i in 0..400u64 {
        let l = f.lease(10_001_000 + i, 200).await;
        total += l.len();
        let s = f.store.clone();
        set.spawn(
            async move { s.settle(l.into_iter().map(|l| (l, delivered())).collect(), at(20_000_000)).await.unwrap() },
        );
    }
    while set.join_next().await.is_some() {}
    println!("lease+settle {total}: {:?} = {:.0}/s", t.elapsed(), total as f64 / t.elapsed().as_secs_f64());
    for (name, q) in [
        ("dead", DeliveryQuery { state: Some(State::Dead), limit: 50, ..Default::default() }),
        ("pending", DeliveryQuery { state: Some(State::Pending), limit: 50, ..Default::default() }),
        ("delivered", DeliveryQuery { state: Some(State::Delivered), limit: 50, ..Default::default() }),
        ("user", DeliveryQuery { user: Some("user77".into()), limit: 50, ..Default::default() }),
        ("irc", DeliveryQuery { channel: Some("irc".into()), limit: 50, ..Default::default() }),
    ] {
        let t = Instant::now();
        let n = f.store.deliveries(q).await.unwrap().len();
        println!("list {name}: {n} {:?}", t.elapsed());
    }
    let t = Instant::now();
    println!(
        "heavy put_subscription (cancels all): {:?} {:?}",
        f.store.put_subscription(&subscription("heavy", &[]), at(1)).await,
        t.elapsed()
    );
    let t = Instant::now();
    println!("release_all {:?} {:?}", f.store.release_all().await, t.elapsed());
    let t = Instant::now();
    let mut set = tokio::task::JoinSet::new();
    for u in 0..20_000 {
        let mut s = subscription(&format!("user{u}"), &["a@x"]);
        s.filters = (0..5)
            .map(|k| {
                let mut x = filter(&format!("f{k}"), false);
                let r = x.rules[0].clone();
                x.rules = vec![r; 10];
                x
            })
            .collect();
        let st = f.store.clone();
        if set.len() >= 600 {
            set.join_next().await;
        }
        set.spawn(async move { st.put_subscription(&s, at(1)).await.unwrap() });
    }
    while set.join_next().await.is_some() {}
    println!("20k put_subscription {:?}", t.elapsed());
    let t = Instant::now();
    let n = f.store.subscriptions().await.unwrap().len();
    println!("load {n} subs (100k filters, 1M rules) {:?}", t.elapsed());
    let t = Instant::now();
    println!("prune {:?} {:?}", f.store.prune(at(1_000_000_000)).await, t.elapsed());
    println!("{:?}", f.store.books().await.unwrap());
    let p = f._directory.path().join("tidings.db");
    f.store.close().await;
    println!("size {} MB", p.metadata().unwrap().len() / 1_000_000);
    let t = Instant::now();
    let s = open(&p, Mode::Daemon).await.unwrap();
    println!("reopen {:?}", t.elapsed());
    s.close().await;
}
