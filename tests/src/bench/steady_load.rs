//! Mails at a steady rate, each with its own time. A late mail does not delay the next ones: each is sent when it is due and
//! measured from then, so that a stall shows in every mail that it affects.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep_until;

use super::{quantile, report};
use crate::harness::{Harness, LIMIT};
use crate::sink::Mail;

/// The time between two mails.
const PERIOD: Duration = Duration::from_millis(10);
/// The mails of one window, the fewest for a 99th percentile.
pub(super) const WINDOW: usize = 200;
/// The windows of which the median is reported.
pub(super) const WINDOWS: usize = 5;

/// A series of mails. Their packages have the names `NAME-N`.
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

    /// Publishes the next message when it is due.
    pub(super) async fn step(&mut self, harness: &mut Harness) -> Result<()> {
        let due = self.due.last().map_or_else(Instant::now, |last| *last + PERIOD);
        sleep_until(due.into()).await;
        harness.publish([format!("{}-{}", self.name, self.due.len())]).await?;
        self.due.push(due);
        Ok(())
    }

    /// Waits for all mails; returns the time from when each was due until it arrived, in milliseconds, in order.
    pub(super) async fn times(self, harness: &Harness) -> Result<Vec<f64>> {
        harness.sink.mails.wait(&self.name, LIMIT, |mails| self.arrived(mails)).await
    }

    /// The times, if all mails have arrived.
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

    /// The number of a mail in this series.
    fn number(&self, mail: &Mail) -> Option<usize> {
        let (_, rest) = mail.subject.split_once(&format!("{}-", self.name))?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

/// The times of `count` mails without other load.
pub(super) async fn alone(harness: &mut Harness, name: &str, count: usize) -> Result<Vec<f64>> {
    let mut load = SteadyLoad::new(name);
    while load.sent() < count {
        load.step(harness).await?;
    }
    load.times(harness).await
}

/// Reports the median of the 99th percentiles of the windows and the maximum of all times; returns the median. A shared
/// machine stalls at times, which affects the maximum and single windows, but not the median.
pub(super) fn report_times<'a>(name: &str, windows: impl IntoIterator<Item = &'a [f64]>) -> f64 {
    let (mut p99s, mut most) = (Vec::new(), f64::NAN);
    for window in windows {
        p99s.push(quantile(&mut window.to_vec(), 0.99));
        most = window.iter().copied().fold(most, f64::max);
    }
    let p99 = quantile(&mut p99s, 0.5);
    report(&format!("{name}_p99_ms"), p99, "ms");
    report(&format!("{name}_max_ms"), most, "ms");
    p99
}
