//! Conditions of changes: a change may name the state that its author has seen, so that no other change is lost. HTTP carries them as `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1).

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Names one state of a resource: equal tags mean equal states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateTag(String);

impl StateTag {
    /// The tag of a state, by its JSON.
    pub fn of(state: &impl Serialize) -> StateTag {
        let json = serde_json::to_vec(state).unwrap_or_default();
        StateTag(hex::encode(&Sha256::digest(json)[..16]))
    }

    /// A tag that a client sent.
    pub fn new(text: impl Into<String>) -> StateTag {
        StateTag(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The condition of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// The change applies to any state, also if the resource does not exist.
    #[default]
    None,
    /// The resource must exist.
    Exists,
    /// The state must have one of these tags.
    Tags(Vec<StateTag>),
}

impl Precondition {
    /// Whether the change may apply to a resource in this state; `state` is none if it does not exist.
    pub fn admits(&self, state: Option<&StateTag>) -> bool {
        match (self, state) {
            (Precondition::None, _) | (Precondition::Exists, Some(_)) => true,
            (Precondition::Tags(tags), Some(state)) => tags.contains(state),
            (_, None) => false,
        }
    }
}
