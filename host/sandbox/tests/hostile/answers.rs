//! What a plugin returns, settles, logs and keeps: it is checked, bounded and escaped.

use std::time::Duration;

use tidings_domain::limits::{ADDRESS_CHARS, PluginLimits, REASON_CHARS};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::limits;

use crate::common::{SandboxFixture, crash_of, delivery, high_limits, rejected, requests};
use crate::{deliver_as, deliver_one};

#[tokio::test]
async fn a_well_behaved_batch_is_delivered() {
    let report = deliver_as("ok", 3, PluginLimits::default()).await;
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, vec![Outcome::Delivered { receipt: None }; 3]);
    assert!(report.stats.peak_memory_bytes > 0);
    assert!(report.stats.duration > Duration::ZERO);
}

#[tokio::test]
async fn row_23_a_trap_is_a_crash_and_the_next_call_works() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    for round in 0..20 {
        let trapping = [delivery("trap@x"), delivery("ok@x")];
        let report = plugin.deliver(&requests(&trapping)).await;
        assert_eq!(crash_of(&report).0, CrashKind::Trap, "{round}");
        assert_eq!(report.outcomes.len(), 2);
        assert!(report.outcomes.iter().all(|o| matches!(o, Outcome::Crash { kind: CrashKind::Trap, .. })));
        let valid = [delivery("ok@x")];
        assert_eq!(plugin.deliver(&requests(&valid)).await.crash, None, "{round}");
    }
}

#[tokio::test]
async fn row_32_every_text_and_wait_of_an_answer_is_bounded_and_escaped() {
    let report = deliver_as("garbage", 4, high_limits()).await;
    assert_eq!(report.crash, None);
    for outcome in &report.outcomes {
        let (text, after) = match outcome {
            Outcome::Retry { after, reason } | Outcome::ChannelTrouble { after, reason } => (reason.as_str(), *after),
            Outcome::Delivered { receipt } => (receipt.as_deref().unwrap_or_default(), None),
            Outcome::AddressGone { replacement, reason } => {
                assert_eq!(*replacement, None, "an address with a line break is invalid");
                (reason.as_str(), None)
            }
            other => panic!("unexpected {other:?}"),
        };
        assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() <= REASON_CHARS);
        assert!(after.is_none_or(|after| after <= limits::WAIT_MAX));
    }
}

#[tokio::test]
async fn row_32_an_answer_of_the_wrong_length_is_a_crash() {
    for (behaviour, detail) in
        [("short", "answered 2 outcomes for a batch of 3"), ("long", "answered 4 outcomes for a batch of 3")]
    {
        let report = deliver_as(behaviour, 3, high_limits()).await;
        assert_eq!(crash_of(&report), (CrashKind::Nonsense, detail));
        assert_eq!(report.outcomes.len(), 3);
    }
}

#[tokio::test]
async fn row_32_a_forged_line_stays_one_line_of_the_log() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    assert_eq!(deliver_one(&plugin, "log-forged@x").await.crash, None);
    let lines = fixture.log_lines();
    assert!(lines.len() == 1 && !lines[0].chars().any(char::is_control), "{lines:?}");
}

#[tokio::test]
async fn row_34_nothing_is_kept_in_memory_between_calls() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    for _ in 0..10 {
        let report = plugin.deliver(&requests(&[delivery("counter@x")])).await;
        assert_eq!(report.outcomes, [Outcome::Delivered { receipt: Some("count 1".to_owned()) }]);
    }
}

#[tokio::test]
async fn what_was_settled_survives_a_trap_and_a_timeout() {
    let trap = deliver_as("progress-then-trap", 2, high_limits()).await;
    assert_eq!(crash_of(&trap).0, CrashKind::Trap);
    assert_eq!(trap.outcomes[0], Outcome::Delivered { receipt: Some("settled".to_owned()) });
    assert!(matches!(trap.outcomes[1], Outcome::Crash { kind: CrashKind::Trap, .. }));
    let timeout = deliver_as("progress-then-loop", 2, PluginLimits { deadline_ms: 200, ..high_limits() }).await;
    assert_eq!(crash_of(&timeout).0, CrashKind::Timeout);
    assert_eq!(timeout.outcomes, vec![Outcome::Delivered { receipt: None }; 2]);
}

#[tokio::test]
async fn what_was_settled_survives_being_cut_off() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    let deliveries = [delivery("progress-then-loop@x"), delivery("ok@x")];
    let soon = tokio::time::sleep(Duration::from_millis(300));
    let settled = plugin.deliver_until(&requests(&deliveries), soon).await.expect_err("cut off");
    assert_eq!(settled, vec![Some(Outcome::Delivered { receipt: None }); 2]);
    let nothing = [delivery("loop@x")];
    let soon = tokio::time::sleep(Duration::from_millis(100));
    assert_eq!(plugin.deliver_until(&requests(&nothing), soon).await, Err(vec![None]));
    let valid = [delivery("ok@x")];
    let report = plugin.deliver_until(&requests(&valid), std::future::pending()).await.expect("not cut off");
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: None }]);
}

#[tokio::test]
async fn settling_a_delivery_that_is_not_in_the_batch_is_a_crash() {
    let report = deliver_as("progress-beyond", 2, high_limits()).await;
    assert_eq!(crash_of(&report), (CrashKind::Nonsense, "settled index 2 of a batch of 2"));
}

#[tokio::test]
async fn writing_to_the_stream_of_a_delivery_that_is_not_in_the_batch_is_a_crash() {
    let report = deliver_as("stream-beyond", 2, high_limits()).await;
    assert_eq!(crash_of(&report), (CrashKind::Nonsense, "appended to the stream of index 2 of a batch of 2"));
}

#[tokio::test]
async fn invalid_entries_of_a_stream_are_an_error_for_the_plugin() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("stream-huge@x")])).await;
    let reason = rejected(&report);
    for expected in
        ["an entry has at most 65536 bytes", "an entry must be JSON", "the batch has 1 deliveries to append for"]
    {
        assert!(reason.contains(expected), "{reason}");
    }
    assert_eq!(fixture.host.entries.lock().expect("a lock").len(), 0);
}

#[tokio::test]
async fn unusual_keys_are_valid_and_keys_beyond_the_limits_are_refused() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    let report = deliver_one(&plugin, "state-odd@x").await;
    let reason = rejected(&report);
    assert_eq!(reason.matches("a key has 1 to 256 bytes").count(), 2, "{reason}");
    assert_eq!(reason.matches("kept").count(), 5, "{reason}");
}

#[tokio::test]
async fn an_address_is_checked_and_a_crash_there_is_a_crash() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    assert_eq!(plugin.check_address("anything").await, Ok(Ok("anything".to_owned())));
    assert_eq!(plugin.check_address("").await, Ok(Err("an address is not empty".to_owned())));
    assert_eq!(plugin.check_address("check-trap").await.map_err(|(kind, _)| kind), Err(CrashKind::Trap));
    let forged = plugin.check_address("evil\r\n@x").await.map_err(|(kind, _)| kind);
    assert_eq!(forged, Err(CrashKind::Nonsense));
    let long = "x".repeat(ADDRESS_CHARS + 1);
    assert_eq!(plugin.check_address(&long).await, Ok(Err("longer than 500 characters".to_owned())));
}
