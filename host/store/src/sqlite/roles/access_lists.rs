//! The role `AccessListStore`: one row for each package and each group. Lists are written in the order of names, which
//! is the order of their tables.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use serde::Serialize;
use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::time::Timestamp;

use crate::error::Result;
use crate::roles::{AccessListStore, Change, GroupRow, PackageRow};
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::{millis, to_json};

/// Entries in one statement: three variables each, far below SQLite's limit of 32,766.
const CHUNK: usize = 1000;

/// One of the two tables.
#[derive(Clone, Copy)]
enum ListTable {
    Packages,
    Groups,
}

impl ListTable {
    const fn one(self) -> &'static str {
        match self {
            ListTable::Packages => "SELECT name, holders FROM acl_packages WHERE name = ?",
            ListTable::Groups => "SELECT name, members FROM acl_groups WHERE name = ?",
        }
    }

    const fn page(self) -> &'static str {
        match self {
            ListTable::Packages => "SELECT name, holders FROM acl_packages WHERE name > ? ORDER BY name LIMIT ?",
            ListTable::Groups => "SELECT name, members FROM acl_groups WHERE name > ? ORDER BY name LIMIT ?",
        }
    }

    const fn delete(self) -> &'static str {
        match self {
            ListTable::Packages => "DELETE FROM acl_packages WHERE name = ?",
            ListTable::Groups => "DELETE FROM acl_groups WHERE name = ?",
        }
    }

    /// The two halves of the statement that writes entries.
    const fn put(self) -> [&'static str; 2] {
        match self {
            ListTable::Packages => [
                "INSERT INTO acl_packages (name, updated_at, holders) ",
                " ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, holders = excluded.holders",
            ],
            ListTable::Groups => [
                "INSERT INTO acl_groups (name, updated_at, members) ",
                " ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, members = excluded.members",
            ],
        }
    }

    fn change(self, name: &str) -> Change {
        match self {
            ListTable::Packages => Change::Package(name.to_owned()),
            ListTable::Groups => Change::Group(name.to_owned()),
        }
    }
}

/// Entries to be written: names with their documents, by name.
type Entries = Vec<(String, String)>;

fn entries<T: Serialize>(lists: &HashMap<String, T>) -> Result<Entries, WriteFailure> {
    let entries = lists.iter().map(|(name, list)| Ok((name.clone(), to_json("access list", list)?)));
    let mut entries = entries.collect::<Result<Entries, WriteFailure>>()?;
    entries.sort_unstable();
    Ok(entries)
}

async fn put(
    connection: &mut SqliteConnection,
    table: ListTable,
    entries: &Entries,
    now: i64,
) -> Result<(), WriteFailure> {
    let [into, on_conflict] = table.put();
    for entries in entries.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new(into);
        query.push_values(entries, |mut row, (name, text)| {
            row.push_bind(name).push_bind(now).push_bind(text);
        });
        query.push(on_conflict);
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

impl SqliteStore {
    async fn access_list(&self, table: ListTable, name: &str) -> Result<Option<(String, Vec<u8>)>> {
        let doing = "reads access lists";
        let mut connection = self.reader(doing).await?;
        let row = sqlx::query_as(table.one()).bind(name).fetch_optional(&mut *connection).await;
        row.map_err(|error| WriteFailure::Sql(error).into_error(doing))
    }

    async fn access_page(&self, table: ListTable, after: Option<&str>, limit: u32) -> Result<Vec<(String, Vec<u8>)>> {
        let doing = "reads access lists";
        let mut connection = self.reader(doing).await?;
        // No name is empty.
        let rows = sqlx::query_as(table.page()).bind(after.unwrap_or_default()).bind(limit).fetch_all(&mut *connection);
        rows.await.map_err(|error| WriteFailure::Sql(error).into_error(doing))
    }

    async fn write_access_lists(&self, lists: &AclTable, replace: bool, now: Timestamp) -> Result<()> {
        let doing = "writes access lists";
        let written = |failure: WriteFailure| failure.into_error(doing);
        let packages = entries(&lists.packages).map_err(written)?;
        let groups = entries(&lists.groups).map_err(written)?;
        let now = millis(now);
        let work = self.writer.write(doing, move |connection| {
            Box::pin(async move {
                if replace {
                    sqlx::query("DELETE FROM acl_packages").execute(&mut *connection).await?;
                    sqlx::query("DELETE FROM acl_groups").execute(&mut *connection).await?;
                }
                put(connection, ListTable::Packages, &packages, now).await?;
                put(connection, ListTable::Groups, &groups, now).await?;
                if replace {
                    return changes::publish(connection, [Change::AllAccessLists], now).await;
                }
                let packages = packages.iter().map(|(name, _)| ListTable::Packages.change(name));
                let groups = groups.iter().map(|(name, _)| ListTable::Groups.change(name));
                let changes = packages.chain(groups).collect();
                changes::publish_many(connection, changes, Change::AllAccessLists, now).await
            })
        });
        work.await
    }

    async fn delete_access_list(&self, table: ListTable, name: &str, now: Timestamp) -> Result<bool> {
        let name = name.to_owned();
        let work = self.writer.write("deletes an access list", move |connection| {
            Box::pin(async move {
                let deleted = sqlx::query(table.delete()).bind(&name).execute(&mut *connection).await?;
                let deleted = deleted.rows_affected() > 0;
                if deleted {
                    changes::publish(connection, [table.change(&name)], millis(now)).await?;
                }
                Ok(deleted)
            })
        });
        work.await
    }
}

#[async_trait]
impl AccessListStore for SqliteStore {
    async fn package(&self, name: &str) -> Result<Option<Holders>> {
        let row = self.access_list(ListTable::Packages, name).await?;
        row.map(|row| PackageRow::new(row).read()).transpose()
    }

    async fn group(&self, name: &str) -> Result<Option<BTreeSet<String>>> {
        let row = self.access_list(ListTable::Groups, name).await?;
        row.map(|row| GroupRow::new(row).read()).transpose()
    }

    async fn packages(&self, after: Option<&str>, limit: u32) -> Result<Vec<PackageRow>> {
        let rows = self.access_page(ListTable::Packages, after, limit).await?;
        Ok(rows.into_iter().map(PackageRow::new).collect())
    }

    async fn groups(&self, after: Option<&str>, limit: u32) -> Result<Vec<GroupRow>> {
        let rows = self.access_page(ListTable::Groups, after, limit).await?;
        Ok(rows.into_iter().map(GroupRow::new).collect())
    }

    async fn put_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()> {
        self.write_access_lists(lists, false, now).await
    }

    async fn replace_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()> {
        self.write_access_lists(lists, true, now).await
    }

    async fn delete_package(&self, name: &str, now: Timestamp) -> Result<bool> {
        self.delete_access_list(ListTable::Packages, name, now).await
    }

    async fn delete_group(&self, name: &str, now: Timestamp) -> Result<bool> {
        self.delete_access_list(ListTable::Groups, name, now).await
    }
}
