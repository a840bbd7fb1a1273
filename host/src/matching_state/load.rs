//! Rules from the rows of the store into the editor. What cannot be read is logged and has no effect; the rest is loaded.

use std::sync::Arc;
use std::time::Instant;

use tidings_domain::rules::RuleProblem;
use tidings_domain::ruleset::{Editor, Sizes};
use tidings_domain::subscription::borrowed::{FilterRef, SubscriptionRef};
use tidings_store::{StoreError, SubscriptionOptions, SubscriptionRow, SubscriptionStore};

use crate::static_data::StaticData;
use crate::telemetry::chain;

/// Users whose rows are read in one go while everything is loaded.
const LOAD_PAGE: u32 = 500;
/// A load logs its progress after each so many filters.
const LOAD_REPORT: usize = 100_000;

/// All rules of the store, compiled.
pub(super) async fn load_rules(store: &dyn SubscriptionStore, static_data: &StaticData) -> Result<Editor, StoreError> {
    let began = Instant::now();
    let mut editor = Editor::loading(Arc::clone(&static_data.catalogue));
    let (mut after, mut reported) = (None::<String>, 0);
    loop {
        let page = store.subscription_page_of_users(after.as_deref(), LOAD_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.user.clone());
        for rows in page.chunk_by(|a, b| a.user == b.user) {
            replace_user(&mut editor, &rows[0].user, rows);
        }
        let filters = editor.sizes().filters;
        if filters >= reported + LOAD_REPORT {
            reported = filters;
            tracing::info!(filters, "rules are being read");
        }
    }
    editor.loaded();
    let Sizes { users, filters, .. } = editor.sizes();
    tracing::info!(users, filters, seconds = began.elapsed().as_secs_f64(), "rules are read");
    Ok(editor)
}

/// Replaces a user's rows. One that cannot be read is left out and logged.
pub(super) fn replace_user(editor: &mut Editor, user: &str, rows: &[SubscriptionRow]) {
    let read = rows.iter().filter_map(|row| match row.options() {
        Ok(options) => Some((row, options)),
        Err(error) => {
            tracing::error!(error = %chain(&error), "a subscription cannot be read; it has no effect");
            None
        }
    });
    let read: Vec<(&SubscriptionRow, SubscriptionOptions)> = read.collect();
    let borrowed = read.iter().filter_map(|(row, options)| match filters(row) {
        Ok(filters) => Some(SubscriptionRef {
            channel: &row.channel,
            enabled: row.enabled,
            addresses: &options.addresses,
            digest: options.digest,
            style: options.style,
            filters,
        }),
        Err(error) => {
            tracing::error!(user, channel = row.channel, error, "the filters cannot be read; they have no effect");
            None
        }
    });
    log_problems(editor.replace(user, borrowed));
}

fn filters(row: &SubscriptionRow) -> Result<Vec<FilterRef<'_>>, String> {
    let text = row.filters().map_err(|error| chain(&error))?;
    FilterRef::read_all(text).map_err(|error| error.to_string())
}

fn log_problems(problems: &[RuleProblem]) {
    for problem in problems {
        tracing::warn!(
            user = problem.user,
            channel = problem.channel,
            filter = problem.filter,
            rule = problem.rule,
            reason = problem.reason,
            "a filter has no effect"
        );
    }
}
