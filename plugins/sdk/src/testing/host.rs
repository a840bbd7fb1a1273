//! A host whose far side answers from a list.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::Outcome;
use crate::host::Host;
use crate::http::{Error, Request, Response};

/// What its clock says: 2026-11-24 12:00:00 UTC.
pub const NOW_MS: u64 = 1_795_521_600_000;
/// What is left of a call when it begins, in milliseconds: what the daemon gives unless told.
pub(super) const CALL_MS: u64 = 120_000;

/// Answers from its list in order, and remembers what it was asked and told. Its clock stands until it is moved.
pub struct FakeHost {
    answers: RefCell<VecDeque<Result<Response, Error>>>,
    requests: RefCell<Vec<Request>>,
    outcomes: RefCell<Vec<(usize, Outcome)>>,
    elapsed_ms: Cell<u64>,
    call_ms: u64,
}

impl FakeHost {
    /// A host whose far side answers like this, in order. When there are no more, connections fail.
    pub fn answering(answers: impl IntoIterator<Item = Result<Response, Error>>) -> FakeHost {
        FakeHost {
            answers: RefCell::new(answers.into_iter().collect()),
            requests: RefCell::default(),
            outcomes: RefCell::default(),
            elapsed_ms: Cell::new(0),
            call_ms: CALL_MS,
        }
    }

    /// The same with so much time for the call, in milliseconds.
    pub fn with_remaining_ms(self, call_ms: u64) -> FakeHost {
        FakeHost { call_ms, ..self }
    }

    /// Moves the clock.
    pub fn elapse_ms(&self, millis: u64) {
        self.elapsed_ms.set(self.elapsed_ms.get().saturating_add(millis));
    }

    /// What was sent, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// Answers that nobody has asked for yet.
    pub fn answers_left(&self) -> usize {
        self.answers.borrow().len()
    }

    /// What was settled, by its place in the batch, in the order in which it was told.
    pub fn settled_outcomes(&self) -> Vec<(usize, Outcome)> {
        self.outcomes.borrow().clone()
    }
}

impl Host for FakeHost {
    fn send(&self, request: &Request) -> Result<Response, Error> {
        self.requests.borrow_mut().push(request.clone());
        let none = || Err(Error::Failed("the far side's script is at its end".into()));
        self.answers.borrow_mut().pop_front().unwrap_or_else(none)
    }

    fn now_ms(&self) -> u64 {
        NOW_MS.saturating_add(self.elapsed_ms.get())
    }

    fn remaining_ms(&self) -> u64 {
        self.call_ms.saturating_sub(self.elapsed_ms.get())
    }

    fn settled(&self, place: usize, outcome: &Outcome) {
        self.outcomes.borrow_mut().push((place, outcome.clone()));
    }
}

/// An answer of the far side.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Error> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Response { status, headers, body: body.into() })
}

/// The simplest request there is.
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
