//! Reads a row of a query into a struct: each field is the column of its name. The derive of sqlx does the same, but
//! links sqlx and SQLite into the compiler, so that both are compiled twice.

/// Implements `sqlx::FromRow` for a struct whose fields are all listed.
macro_rules! from_row {
    ($row:ident { $($column:ident),+ $(,)? }) => {
        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $row {
            fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                Ok($row { $($column: row.try_get(stringify!($column))?),+ })
            }
        }
    };
}

pub(super) use from_row;
