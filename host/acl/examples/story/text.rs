//! The table, and the page around it: `text.md` with the figures of this run.

use crate::chart::thousands;
use crate::costs;
use crate::run::CatchUp;
use crate::strategy::{Chapter, Strategy};

const PAGE: &str = include_str!("text.md");
const HOUR: f64 = 3600.0;

/// A row for each number of users and strategy.
pub fn table(chapters: &[Chapter]) -> String {
    let mut out = String::from(
        "| users | strategy | keeps up with | backlog after 1 h | after 24 h | caught up after the rebuild | \
         requests for lists | an edit counts after (median / worst) |\n|--:|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for chapter in chapters {
        for strategy in Strategy::ALL {
            out.push_str(&row(chapter, strategy));
        }
    }
    out
}

fn row(chapter: &Chapter, strategy: Strategy) -> String {
    let (run, world) = (chapter.run(strategy), &chapter.world);
    let backlog = |hours: f64| thousands(run.backlog(world, hours * HOUR) as f64);
    let ages = run.edit_ages().map_or_else(String::new, |(middle, worst)| format!("{} / {}", age(middle), age(worst)));
    let bold = if strategy == Strategy::Tidings { "**" } else { "" };
    format!(
        "| {} | {bold}{}{bold} | {} | {} | {} | {} | {} | {ages} |\n",
        thousands(world.users as f64),
        strategy.name(),
        rate(run.rate()),
        backlog(1.0),
        backlog(24.0),
        catch_up(run.catch_up(world)),
        thousands(run.requests as f64),
    )
}

/// Two digits: the figure is no better than that.
fn rate(rate: f64) -> String {
    let digits = rate.max(1e-9).log10().floor() as i32;
    let step = 10_f64.powi(digits - 1);
    let rounded = (rate / step).round() * step;
    if rounded >= 10.0 { format!("{}/s", thousands(rounded)) } else { format!("{rounded:.*}/s", (1 - digits) as usize) }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => "< 1 ms".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 2.0 * HOUR => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * HOUR => format!("{:.1} h", s / HOUR),
        s => format!("{:.1} days", s / 24.0 / HOUR),
    }
}

fn age(age: Option<f64>) -> String {
    age.map_or_else(|| "not by the end".to_owned(), duration)
}

fn catch_up(catch_up: CatchUp) -> String {
    match catch_up {
        CatchUp::After(0.0) => "at once".to_owned(),
        CatchUp::After(seconds) => duration(seconds),
        CatchUp::Reckoned(seconds) => format!("{} (reckoned)", duration(seconds)),
        CatchUp::Never => "never".to_owned(),
    }
}

/// docs/story.md.
pub fn page(chapters: &[Chapter]) -> String {
    let rebuilding = |chapter: &Chapter| {
        let until = costs::REBUILD_HOURS * HOUR;
        chapter.world.arrivals.partition_point(|at| *at < until) as f64 / until
    };
    let messages = chapters.first().map_or(0, |chapter| chapter.world.messages.len());
    let longest = chapters.iter().map(|chapter| chapter.told.counts.longest).fold(0.0, f64::max);
    let sum = |of: fn(&Chapter) -> u64| thousands(chapters.iter().map(of).sum::<u64>() as f64);
    let values = [
        ("table", table(chapters)),
        ("messages", thousands(messages as f64)),
        ("rebuild_rate", format!("{:.1}", chapters.first().map_or(0.0, rebuilding))),
        ("longest", duration(longest)),
        ("waited", sum(|chapter| chapter.told.counts.waited)),
        ("without", sum(|chapter| chapter.told.counts.without)),
        ("given", sum(|chapter| chapter.told.counts.given)),
        ("given_late", sum(|chapter| chapter.told.counts.given_late)),
        ("recipients", thousands(chapters.last().map_or(0, |chapter| chapter.told.counts.recipients) as f64)),
        ("asked", sum(|chapter| chapter.run(Strategy::Tidings).requests)),
        ("lists", sum(|chapter| chapter.told.asked.len() as u64)),
        ("invalidated", sum(|chapter| chapter.told.figures.invalidations.iter().map(|(_, lists)| lists).sum())),
        ("acl_user", duration(costs::ACL_OF_USER)),
        ("acl_package", duration(costs::ACL_OF_PACKAGE)),
        ("acl_tidings", duration(costs::ACL_OF_TIDINGS)),
        ("expiry", duration(costs::ACL_EXPIRY)),
        ("load", duration(costs::LOAD_OF_USER)),
        ("scan", scans()),
        ("rows", duration(costs::ROWS_OF_USER)),
        ("packages", thousands(f64::from(costs::PACKAGES))),
        ("accounts", thousands(f64::from(costs::ACCOUNTS))),
        ("rebuild_hours", format!("{:.0}", costs::REBUILD_HOURS)),
        ("hours", format!("{:.0}", costs::HOURS)),
        ("tagged", format!("{:.0}", costs::TAGGED_PER_SECOND)),
        ("others", format!("{:.0}", costs::OTHERS_PER_SECOND)),
        ("owners", format!("{:.0}", costs::OWNERS_PER_HOUR)),
        ("edits", format!("{:.0}", costs::EDITS_PER_HOUR)),
        ("seed", crate::SEED.to_string()),
    ];
    values
        .into_iter()
        .fold(PAGE.to_owned(), |page, (name, value)| page.replace(&format!("{{{{{name}}}}}"), value.trim_end()))
}

/// The measured costs of a scan.
fn scans() -> String {
    let scans = costs::SCAN.map(|(users, seconds)| format!("{:.1} ms at {}", seconds * 1000.0, thousands(users)));
    scans.join(", ")
}
