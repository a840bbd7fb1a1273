//! Limits that count for each call, and limits that count over the life of an instance.

use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::ResidentHandle;
use tidings_sandbox::limits;

use crate::common::SandboxFixture;
use crate::support::{LineServer, deliver, plugin, receipt};

const MIB: usize = 1024 * 1024;

async fn resident(fixture: &SandboxFixture, port: u16, limits: PluginLimits) -> ResidentHandle {
    plugin(fixture, port, &[], limits).await.start_resident()
}

#[tokio::test]
async fn row_26_host_calls_are_counted_for_each_call() {
    let fixture = SandboxFixture::new();
    let resident = resident(&fixture, 9, PluginLimits { host_calls: 150, ..PluginLimits::default() }).await;
    for _ in 0..5 {
        assert_eq!(deliver(&resident, &["host-calls"]).await.crash, None);
    }
    let report = deliver(&resident, &["host-calls", "host-calls"]).await;
    assert_eq!(report.crash.map(|(kind, _)| kind), Some(CrashKind::HostCalls));
}

#[tokio::test]
async fn bytes_over_the_network_are_counted_for_each_call() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let limits = PluginLimits { network_bytes: 300, ..PluginLimits::default() };
    let resident = resident(&fixture, server.port, limits).await;
    let talk = async {
        for _ in 0..10 {
            let report = deliver(&resident, &["send"]).await;
            assert!(matches!(report.outcomes[..], [Outcome::Delivered { .. }]), "{report:?}");
            assert!(report.stats.network_bytes > 50, "{:?}", report.stats);
        }
        let report = deliver(&resident, &["send"; 10]).await;
        let over =
            |outcome: &Outcome| matches!(outcome, Outcome::ChannelTrouble { reason, .. } if reason.contains("Limit"));
        assert!(report.outcomes.iter().any(over), "{report:?}");
        drop(resident);
    };
    let serve = async {
        loop {
            server.line_connection().await.acknowledge_all().await;
        }
    };
    tokio::select! {
        () = talk => {}
        () = serve => {}
    }
}

#[tokio::test]
async fn row_25_memory_is_counted_over_its_life() {
    let fixture = SandboxFixture::new();
    let resident = resident(&fixture, 9, PluginLimits { memory_bytes: 12 * MIB, ..PluginLimits::default() }).await;
    let mut calls = 0;
    let report = loop {
        calls += 1;
        let report = deliver(&resident, &["grow"]).await;
        if report.crash.is_some() {
            break report;
        }
        assert!(report.stats.peak_memory_bytes <= 12 * MIB);
    };
    assert_eq!(report.crash.map(|(kind, _)| kind), Some(CrashKind::Memory));
    assert!((5..=12).contains(&calls), "{calls} calls of a megabyte each");
    assert_eq!(receipt(&resident, "grow").await, "1 MiB", "the next instance starts with an empty memory");
}

#[tokio::test]
async fn row_28_open_connections_are_counted_over_its_life() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = resident(&fixture, server.port, PluginLimits { connections: 2, ..PluginLimits::default() }).await;
    for open in ["1 held", "2 held"] {
        assert_eq!(receipt(&resident, "hold").await, open);
    }
    let report = deliver(&resident, &["hold"]).await;
    let full = |reason: &str| reason.contains("more than 2 connections at a time");
    assert!(matches!(&report.outcomes[..], [Outcome::Rejected { reason }] if full(reason)), "{report:?}");
}

#[tokio::test]
async fn closed_connections_do_not_count() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = resident(&fixture, server.port, PluginLimits { connections: 1, ..PluginLimits::default() }).await;
    let batch = ["reopen"; 100];
    for _ in 0..=limits::GUEST_HANDLES / batch.len() {
        let (report, ()) = tokio::join!(deliver(&resident, &batch), async {
            for _ in batch {
                drop(server.tcp().await);
            }
        });
        assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })), "{report:?}");
    }
    assert_eq!(resident.stats().starts, 1);
}
