//! Query plans: no frequent statement of the queue scans a table.

use sqlx::{AssertSqlSafe, Row as _};

use super::Fixture;
use crate::DeliveryQuery;
use crate::sqlite::changes;
use crate::sqlite::queue::{fair_queue, lease, listing, settle};
use crate::sqlite::roles::subscription_rows;

async fn plan(fixture: &Fixture, sql: String) -> String {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let run = fixture.store.writer.write("is tested", move |connection| {
        Box::pin(async move {
            let rows = sqlx::query(explain).fetch_all(connection).await?;
            rows.iter().map(|row| Ok(row.try_get::<String, _>("detail")?)).collect::<Result<Vec<_>, _>>()
        })
    });
    run.await.unwrap().join("\n")
}

#[tokio::test]
async fn the_statements_of_the_queue_use_its_indexes() {
    let fixture = Fixture::new().await;
    let [single, digest] = settle::statements();
    let query = DeliveryQuery { user: Some("ann".into()), limit: 10, ..DeliveryQuery::default() };
    let listing = listing::listing(&query).unwrap().into_string();
    let cases = [
        (
            "a user's deliveries",
            listing,
            vec!["deliveries_past", "deliveries_due", "SEARCH d USING INTEGER PRIMARY KEY"],
        ),
        ("ready", lease::READY.to_owned(), vec!["turns_ready"]),
        ("claim", lease::CLAIM.to_owned(), vec!["turns_ready", "deliveries_due"]),
        ("served", lease::SERVED.to_owned(), vec!["turns_ready", "deliveries_due"]),
        ("next due", fair_queue::NEXT_DUE.to_owned(), vec!["turns_ready"]),
        ("refresh", fair_queue::statement(), vec!["deliveries_due"]),
        ("changes", changes::AFTER.to_owned(), vec!["INTEGER PRIMARY KEY"]),
        ("latest change", changes::LATEST.to_owned(), vec!["SEARCH changes"]),
        ("page", subscription_rows::PAGE.to_owned(), vec!["(user,channel)>(?,?)"]),
        ("page of users", subscription_rows::PAGE_OF_USERS.to_owned(), vec!["(user>?)"]),
        ("settle", single, vec!["INTEGER PRIMARY KEY"]),
        ("settle a digest", digest, vec!["deliveries_digest"]),
    ];
    for (name, sql, indexes) in cases {
        let plan = plan(&fixture, sql).await;
        for index in indexes {
            assert!(plan.contains(index), "{name} does not use {index}:\n{plan}");
        }
        for table in ["SCAN deliveries", "SCAN d\n", "SCAN x", "SCAN turns"] {
            assert!(!plan.contains(table), "{name} reads a whole table:\n{plan}");
        }
        assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY"), "{name} sorts:\n{plan}");
    }
}
