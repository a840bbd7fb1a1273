//! What counts per call, and what counts over the life of an instance.

use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::ResidentHandle;
use tidings_sandbox::limits;

use crate::common::Place;
use crate::rig::{Server, order, plugin, told};

const MIB: usize = 1024 * 1024;

async fn resident(place: &Place, port: u16, limits: PluginLimits) -> ResidentHandle {
    plugin(place, port, &[], limits).await.reside()
}

#[tokio::test]
async fn row_26_host_calls_are_counted_for_each_call() {
    let place = Place::new();
    let resident = resident(&place, 9, PluginLimits { host_calls: 150, ..PluginLimits::default() }).await;
    for _ in 0..5 {
        assert_eq!(order(&resident, &["chat"]).await.crash, None);
    }
    let report = order(&resident, &["chat", "chat"]).await;
    assert_eq!(report.crash.map(|(kind, _)| kind), Some(CrashKind::HostCalls));
}

#[tokio::test]
async fn bytes_over_the_network_are_counted_for_each_call() {
    let (place, server) = (Place::new(), Server::start().await);
    let limits = PluginLimits { network_bytes: 300, ..PluginLimits::default() };
    let resident = resident(&place, server.port, limits).await;
    let talk = async {
        for _ in 0..10 {
            let report = order(&resident, &["say"]).await;
            assert!(matches!(report.outcomes[..], [Outcome::Delivered { .. }]), "{report:?}");
            assert!(report.stats.network_bytes > 50, "{:?}", report.stats);
        }
        let report = order(&resident, &["say"; 10]).await;
        let over =
            |outcome: &Outcome| matches!(outcome, Outcome::ChannelTrouble { reason, .. } if reason.contains("Limit"));
        assert!(report.outcomes.iter().any(over), "{report:?}");
        drop(resident);
    };
    let serve = async {
        loop {
            server.line_peer().await.take_all().await;
        }
    };
    tokio::select! {
        () = talk => {}
        () = serve => {}
    }
}

#[tokio::test]
async fn row_25_memory_is_counted_over_its_life() {
    let place = Place::new();
    let resident = resident(&place, 9, PluginLimits { memory_bytes: 12 * MIB, ..PluginLimits::default() }).await;
    let mut calls = 0;
    let report = loop {
        calls += 1;
        let report = order(&resident, &["grow"]).await;
        if report.crash.is_some() {
            break report;
        }
        assert!(report.stats.peak_memory_bytes <= 12 * MIB);
    };
    assert_eq!(report.crash.map(|(kind, _)| kind), Some(CrashKind::Memory));
    assert!((5..=12).contains(&calls), "{calls} calls of a megabyte each");
    assert_eq!(told(&resident, "grow").await, "1 MiB", "the next one begins with nothing");
}

#[tokio::test]
async fn row_28_open_connections_are_counted_over_its_life() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = resident(&place, server.port, PluginLimits { connections: 2, ..PluginLimits::default() }).await;
    for open in ["1 hoarded", "2 hoarded"] {
        assert_eq!(told(&resident, "hoard").await, open);
    }
    let report = order(&resident, &["hoard"]).await;
    let full = |reason: &str| reason.contains("more than 2 connections at a time");
    assert!(matches!(&report.outcomes[..], [Outcome::Rejected { reason }] if full(reason)), "{report:?}");
}

#[tokio::test]
async fn what_was_closed_counts_no_more_however_often() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = resident(&place, server.port, PluginLimits { connections: 1, ..PluginLimits::default() }).await;
    let batch = ["reopen"; 100];
    for _ in 0..=limits::GUEST_HANDLES / batch.len() {
        let (report, ()) = tokio::join!(order(&resident, &batch), async {
            for _ in batch {
                drop(server.tcp().await);
            }
        });
        assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })), "{report:?}");
    }
    assert_eq!(resident.stats().starts, 1);
}
