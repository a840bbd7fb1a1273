//! The store on SQLite. All writes pass through one connection (`writer`), reads through a few others (`store`).
//! `queue` and `roles` have the SQL; `roles` implements the interface. `startup` puts it together.
//!
//! Imports go one way: `startup` -> `roles` -> `store` -> `writer` -> `queue` -> `changes`, `value`, `failure`.

mod changes;
mod database_file;
mod failure;
mod migrations;
mod queue;
mod roles;
mod row;
mod seal;
mod startup;
mod store;
#[cfg(test)]
mod tests;
mod value;
mod writer;

pub use self::database_file::Mode;
pub use self::migrations::schema_version;
pub use self::startup::{open, open_with, rotate_key};
