//! The roles of the store on SQLite, one file for each: `impl Role for SqliteStore` with its statements, except those
//! of the queue.

mod access_lists;
mod change_feed;
mod channel_rows;
mod channel_versions;
mod channels;
pub(super) mod components;
mod confirmations;
mod deliveries;
mod event_streams;
mod maintenance;
mod outbox;
mod plugin_state;
mod subscription_edits;
pub(super) mod subscription_rows;
mod subscriptions;
mod tokens;
