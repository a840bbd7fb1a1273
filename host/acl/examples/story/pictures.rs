//! The pictures: the backlog under every strategy, and the two pictures of the blog, continued.

use crate::chart::{Line, Panel, Scale, svg, thousands};
use crate::old::Old;
use crate::strategy::{Chapter, Strategy};

const CLASSES: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];
/// The drawing order: where two lines coincide, the lower one is wider or the upper one has gaps.
const ORDER: [usize; 5] = [1, 3, 0, 2, 4];
/// Points of a line: about one for two pixels.
const POINTS: usize = 192;
/// The time span of the blog's pictures, in hours: from `begin` to `end` in their addresses.
const FIRST: f64 = (1_402_408_516.0 - 1_402_283_458.0) / 3600.0;
const SECOND: f64 = (1_402_691_209.0 - 1_402_666_182.0) / 3600.0;

fn line<'a>(chapter: &Chapter, strategy: Strategy, (from, to): (f64, f64)) -> Line<'a> {
    let number = Strategy::ALL.iter().position(|one| *one == strategy).unwrap_or_default();
    let values = chapter.run(strategy).curve(&chapter.world, from * 3600.0, to * 3600.0, POINTS);
    Line { class: CLASSES[number], values }
}

/// A panel for each number of users, a line for each strategy.
pub fn backlog(chapters: &[Chapter]) -> String {
    let legend: Vec<_> = CLASSES.into_iter().zip(Strategy::ALL.map(Strategy::name)).collect();
    let panels: Vec<_> = chapters
        .iter()
        .map(|chapter| {
            let hours = (0.0, chapter.world.end / 3600.0);
            Panel {
                title: format!("{} users", thousands(chapter.world.users as f64)),
                hours,
                step: 6.0,
                scale: Scale::Log { top: 1e6 },
                lines: ORDER.map(|number| line(chapter, Strategy::ALL[number], hours)).into(),
            }
        })
        .collect();
    let label = "Backlog over two days under five strategies, for 20, 100, 1,000 and 10,000 users";
    svg(label, &legend, &panels, 2, 200.0)
}

/// The backlog of 2014, its fix, and Tidings.
pub fn blog(chapters: &[Chapter]) -> String {
    let (Some(few), Some(many)) = (chapters.first(), chapters.last()) else { return String::new() };
    let built = few.world.rebuilt / 3600.0;
    let (first, second) = ((0.0, FIRST), (built - SECOND / 2.0, built + SECOND / 2.0));
    let (before, fix) = (Strategy::Old(Old::ListsOfUsers), Strategy::Old(Old::Forever));
    let panel = |chapter, title: &str, strategies: &[Strategy], hours: (f64, f64), step| {
        let lines: Vec<_> = strategies.iter().map(|strategy| line(chapter, *strategy, hours)).collect();
        let most = lines.iter().flat_map(|line| &line.values).copied().max().unwrap_or_default();
        Panel { title: title.to_owned(), hours, step, scale: Scale::Linear { top: round_up(most as f64) }, lines }
    };
    let panels = [
        panel(few, "Before: 20 users, lists per user for 5 minutes", &[before], first, 6.0),
        panel(few, "The cure: 20 users, cached and invalidated", &[fix], second, 1.0),
        panel(many, "The cure with 10,000 users", &[fix], first, 6.0),
        panel(many, "Tidings with 10,000 users", &[Strategy::Tidings], second, 1.0),
    ];
    let legend = [("s2", before.name()), ("s4", fix.name()), ("s5", Strategy::Tidings.name())];
    svg("The two pictures of the blog, and how they go on", &legend, &panels, 2, 160.0)
}

/// The next round number that an axis of four parts can show.
fn round_up(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(4.0).log10().floor());
    let mut tops = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0].into_iter().map(|step| step * power);
    tops.find(|top| *top >= most && top % 4.0 == 0.0).unwrap_or(most)
}
