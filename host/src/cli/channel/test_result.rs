//! The result of one message that was sent outside the queue.

use anyhow::bail;
use tidings_api_types::{TestOutcome, TestSendResult};

use crate::cli::output::Output;

/// Prints the result; an error unless the message was delivered.
pub(in crate::cli) fn report(result: &TestSendResult, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        out.json(result)?;
    } else {
        let detail = result.detail.as_deref().unwrap_or_default();
        out.line(format!("{} {detail}", result.outcome.as_str()).trim_end())?;
    }
    if result.outcome == TestOutcome::Delivered { Ok(()) } else { bail!("the test message was not delivered") }
}
