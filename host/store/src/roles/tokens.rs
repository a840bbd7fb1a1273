//! Tokens of the API. Only their hashes are stored.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// A token of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    pub name: String,
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    /// None for a token that does not expire.
    pub expires_at: Option<Timestamp>,
}

/// The tokens that the API accepts.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// # Errors
    /// `Exists` where the id is taken.
    async fn put_token(&self, token: &Token) -> Result<()>;
    /// The token with that id.
    async fn token(&self, id: &str) -> Result<Option<Token>>;
    /// All tokens, oldest first.
    async fn tokens(&self) -> Result<Vec<Token>>;
    /// Returns whether there was one.
    async fn delete_token(&self, id: &str) -> Result<bool>;
}
