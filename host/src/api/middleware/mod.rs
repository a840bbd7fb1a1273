//! What holds for requests of many routes: ids, tokens, quotas, repeated requests, time limits, headers.

pub(super) mod auth;
pub(super) mod guard;
pub(super) mod idempotency;
pub(super) mod quota;
pub(super) mod request_id;
