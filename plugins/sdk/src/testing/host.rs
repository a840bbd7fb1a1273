//! A host whose HTTP requests are answered from a list.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::Outcome;
use crate::host::Host;
use crate::http::{Error, Request, Response};

/// The time of the fakes: 2026-11-24 12:00:00 UTC.
pub const NOW_MS: u64 = 1_795_521_600_000;
/// The time for a call, in milliseconds: the daemon's default.
pub(super) const CALL_MS: u64 = 120_000;

/// Answers requests from its list, in order, and records them. Its clock stands still until a test moves it.
pub struct FakeHost {
    answers: RefCell<VecDeque<Result<Response, Error>>>,
    requests: RefCell<Vec<Request>>,
    outcomes: RefCell<Vec<(usize, Outcome)>>,
    elapsed_ms: Cell<u64>,
    call_ms: u64,
}

impl FakeHost {
    /// A host that gives these answers, in order. Later requests fail.
    pub fn answering(answers: impl IntoIterator<Item = Result<Response, Error>>) -> FakeHost {
        FakeHost {
            answers: RefCell::new(answers.into_iter().collect()),
            requests: RefCell::default(),
            outcomes: RefCell::default(),
            elapsed_ms: Cell::new(0),
            call_ms: CALL_MS,
        }
    }

    /// Sets the time for the call, in milliseconds.
    pub fn with_remaining_ms(self, call_ms: u64) -> FakeHost {
        FakeHost { call_ms, ..self }
    }

    /// Moves the clock forward, in milliseconds.
    pub fn elapse_ms(&self, millis: u64) {
        self.elapsed_ms.set(self.elapsed_ms.get().saturating_add(millis));
    }

    /// The requests, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// The number of answers that were not used yet.
    pub fn answers_left(&self) -> usize {
        self.answers.borrow().len()
    }

    /// The outcomes that were settled, with their index in the batch, in order.
    pub fn settled_outcomes(&self) -> Vec<(usize, Outcome)> {
        self.outcomes.borrow().clone()
    }
}

impl Host for FakeHost {
    fn send(&self, request: &Request) -> Result<Response, Error> {
        self.requests.borrow_mut().push(request.clone());
        let none = || Err(Error::Failed("the list of answers is at its end".into()));
        self.answers.borrow_mut().pop_front().unwrap_or_else(none)
    }

    fn now_ms(&self) -> u64 {
        NOW_MS.saturating_add(self.elapsed_ms.get())
    }

    fn remaining_ms(&self) -> u64 {
        self.call_ms.saturating_sub(self.elapsed_ms.get())
    }

    fn settled(&self, index: usize, outcome: &Outcome) {
        self.outcomes.borrow_mut().push((index, outcome.clone()));
    }
}

/// An HTTP response.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Error> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Response { status, headers, body: body.into() })
}

/// A GET request without headers.
pub fn request(url: &str) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        redirects: 0,
        timeout_ms: None,
    }
}
