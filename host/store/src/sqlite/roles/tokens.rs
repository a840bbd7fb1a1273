//! The role `TokenStore`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use crate::error::{Result, StoreError};
use crate::roles::{Token, TokenStore};
use crate::sqlite::failure::{WriteFailure, damaged};
use crate::sqlite::row::from_row;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::{millis, timestamp};

#[async_trait]
impl TokenStore for SqliteStore {
    async fn put_token(&self, token: &Token) -> Result<()> {
        let token = token.clone();
        let work = self
            .writer
            .write("writes a token", move |connection| Box::pin(async move { insert(connection, &token).await }));
        work.await
    }

    async fn token(&self, id: &str) -> Result<Option<Token>> {
        let doing = "reads a token";
        let mut connection = self.reader(doing).await?;
        get(&mut connection, id).await.map_err(|failure| failure.into_error(doing))
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let doing = "reads tokens";
        let mut connection = self.reader(doing).await?;
        all(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_token(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        let work = self
            .writer
            .write("deletes a token", move |connection| Box::pin(async move { delete(connection, &id).await }));
        work.await
    }
}

struct TokenRow {
    id: String,
    name: String,
    hash: Vec<u8>,
    created_at: i64,
    expires_at: Option<i64>,
}

from_row!(TokenRow { id, name, hash, created_at, expires_at });

impl TokenRow {
    fn read(self) -> Result<Token, WriteFailure> {
        Ok(Token {
            hash: self.hash.try_into().map_err(|_| damaged("token", "its hash does not have 32 bytes"))?,
            id: self.id,
            name: self.name,
            created_at: timestamp(self.created_at),
            expires_at: self.expires_at.map(timestamp),
        })
    }
}

async fn insert(connection: &mut SqliteConnection, token: &Token) -> Result<(), WriteFailure> {
    let written = sqlx::query(
        "INSERT INTO tokens (id, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(&token.hash[..])
    .bind(millis(token.created_at))
    .bind(token.expires_at.map(millis))
    .execute(connection)
    .await?;
    match written.rows_affected() {
        0 => Err(StoreError::Exists { what: "token", name: token.id.clone() }.into()),
        _ => Ok(()),
    }
}

async fn get(connection: &mut SqliteConnection, id: &str) -> Result<Option<Token>, WriteFailure> {
    let row: Option<TokenRow> =
        sqlx::query_as("SELECT id, name, hash, created_at, expires_at FROM tokens WHERE id = ?")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    row.map(TokenRow::read).transpose()
}

/// All tokens, oldest first.
async fn all(connection: &mut SqliteConnection) -> Result<Vec<Token>, WriteFailure> {
    let rows: Vec<TokenRow> =
        sqlx::query_as("SELECT id, name, hash, created_at, expires_at FROM tokens ORDER BY created_at, id")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(TokenRow::read).collect()
}

async fn delete(connection: &mut SqliteConnection, id: &str) -> Result<bool, WriteFailure> {
    let deleted = sqlx::query("DELETE FROM tokens WHERE id = ?").bind(id).execute(connection).await?;
    Ok(deleted.rows_affected() > 0)
}
