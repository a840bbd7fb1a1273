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
/// The least that a 99th percentile is told of.
pub(super) const ENOUGH: usize = 500;

/// A row of mails that is under way; what it sends is called `NAME-N`.
pub(super) struct Pace {
    name: String,
    due: Vec<Instant>,
}

impl Pace {
    pub(super) fn new(name: &str) -> Pace {
        Pace { name: name.to_owned(), due: Vec::new() }
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

    /// Waits for the last of them; from when each was due until it arrived, in milliseconds.
    pub(super) async fn times(self, scene: &Scene) -> Result<Vec<f64>> {
        scene.sink.mails.wait(&self.name, LIMIT, |mails| self.arrived(mails)).await
    }

    fn arrived(&self, mails: &[Arc<Mail>]) -> Option<Vec<f64>> {
        let mut times: Vec<f64> = Vec::with_capacity(self.due.len());
        for mail in mails {
            if let Some(due) = self.number(mail).and_then(|number| self.due.get(number)) {
                times.push(mail.arrived.saturating_duration_since(*due).as_secs_f64() * 1000.0);
            }
        }
        (times.len() >= self.due.len()).then_some(times)
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
    let mut pace = Pace::new(name);
    while pace.sent() < count {
        pace.step(scene).await?;
    }
    pace.times(scene).await
}

/// Tells the 99th percentile and the maximum, and returns the former.
pub(super) fn tell_times(name: &str, times: &mut [f64]) -> f64 {
    let p99 = quantile(times, 0.99);
    tell(&format!("{name}_p99_ms"), p99, "ms");
    tell(&format!("{name}_max_ms"), quantile(times, 1.0), "ms");
    p99
}
