//! Mails at a steady pace, each timed by its name. A late one holds up nobody: those behind it are sent when they are due,
//! and each counts from then, so that a stall is told by everyone whom it meets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep_until;

use super::{quantile, tell};
use crate::scene::{LIMIT, Scene};
use crate::sink::Mail;

/// Between two mails.
const PERIOD: Duration = Duration::from_millis(10);
/// The mails of one window, the least that a 99th percentile is told of.
pub(super) const WINDOW: usize = 200;
/// Windows of which the median is told.
pub(super) const WINDOWS: usize = 5;

/// A row of mails that is under way; what it sends is called `NAME-N`.
pub(super) struct SteadyLoad {
    name: String,
    due: Vec<Instant>,
}

impl SteadyLoad {
    pub(super) fn new(name: &str) -> SteadyLoad {
        SteadyLoad { name: name.to_owned(), due: Vec::new() }
    }

    pub(super) fn sent(&self) -> usize {
        self.due.len()
    }

    /// Publishes the next one when it is due.
    pub(super) async fn step(&mut self, scene: &mut Scene) -> Result<()> {
        let due = self.due.last().map_or_else(Instant::now, |last| *last + PERIOD);
        sleep_until(due.into()).await;
        scene.publish([format!("{}-{}", self.name, self.due.len())]).await?;
        self.due.push(due);
        Ok(())
    }

    /// Waits for the last of them; from when each was due until it arrived, in milliseconds, in the order they were sent.
    pub(super) async fn times(self, scene: &Scene) -> Result<Vec<f64>> {
        scene.sink.mails.wait(&self.name, LIMIT, |mails| self.arrived(mails)).await
    }

    fn arrived(&self, mails: &[Arc<Mail>]) -> Option<Vec<f64>> {
        let mut times = vec![None; self.due.len()];
        for mail in mails {
            let Some(number) = self.number(mail) else { continue };
            if let (Some(time), Some(due)) = (times.get_mut(number), self.due.get(number)) {
                *time = Some(mail.arrived.saturating_duration_since(*due).as_secs_f64() * 1000.0);
            }
        }
        times.into_iter().collect()
    }

    /// Which one of them a mail is.
    fn number(&self, mail: &Mail) -> Option<usize> {
        let (_, behind) = mail.subject.split_once(&format!("{}-", self.name))?;
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

/// So many mails, with nothing beside them.
pub(super) async fn alone(scene: &mut Scene, name: &str, count: usize) -> Result<Vec<f64>> {
    let mut pace = SteadyLoad::new(name);
    while pace.sent() < count {
        pace.step(scene).await?;
    }
    pace.times(scene).await
}

/// Tells the 99th percentile in the middle one of these windows and the maximum of all, and returns the former. A machine
/// that is shared stands still for a moment now and then, which is in the maximum and in the window that it meets.
pub(super) fn tell_times<'a>(name: &str, windows: impl IntoIterator<Item = &'a [f64]>) -> f64 {
    let (mut p99s, mut most) = (Vec::new(), f64::NAN);
    for window in windows {
        p99s.push(quantile(&mut window.to_vec(), 0.99));
        most = window.iter().copied().fold(most, f64::max);
    }
    let p99 = quantile(&mut p99s, 0.5);
    tell(&format!("{name}_p99_ms"), p99, "ms");
    tell(&format!("{name}_max_ms"), most, "ms");
    p99
}
