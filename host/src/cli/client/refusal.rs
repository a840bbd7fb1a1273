//! Answers that are no success: the problem document as text.

use reqwest::StatusCode;
use tidings_api_types::{FieldError, ProblemDocument};
use tidings_domain::text::one_line;

/// The longest line of a problem that is shown, in characters.
const LINE_CHARS: usize = 1000;

/// The daemon refused the request.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(in crate::cli) struct RequestRefused {
    status: StatusCode,
    text: String,
}

impl RequestRefused {
    pub(super) fn new(status: StatusCode, problem: ProblemDocument) -> RequestRefused {
        let ProblemDocument { detail, errors, .. } = problem;
        let mut lines = vec![if detail.is_empty() { format!("the daemon answered {status}") } else { detail }];
        for FieldError { path, detail } in errors {
            lines.push(format!("  {path}{}{detail}", if path.is_empty() { "" } else { ": " }));
        }
        if status == StatusCode::UNAUTHORIZED {
            lines.push(
                "  `tidings token create NAME` makes a token; give it as TIDINGS_TOKEN or by --token-file".into(),
            );
        }
        let lines: Vec<String> = lines.iter().map(|line| one_line(line, LINE_CHARS)).collect();
        RequestRefused { status, text: lines.join("\n") }
    }

    /// Whether only this request is invalid, so that the next one may succeed.
    pub(in crate::cli) fn is_of_the_request(&self) -> bool {
        matches!(
            self.status,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        )
    }
}
