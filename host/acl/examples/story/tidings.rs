//! Tidings in the simulation: its real catalogue, ruleset, matcher and cache of access lists, called as intake calls
//! them, on tokio's paused clock. The service behind the cache takes 15 seconds of that clock for every answer; the
//! time that reading and matching a message take is measured and added to the clock. There is no store: nothing is
//! committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tidings_acl::{AclCache, AclSettings, Figures, Need, View};
use tidings_domain::acl::{Acl as _, Kinds, invalidated};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::delivery::Recipient;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame, Refusal};
use tidings_domain::ruleset::{Editor, Matcher, Ruleset};
use tidings_domain::subscription::borrowed::{FilterRef, SubscriptionRef};
use tidings_domain::subscription::{Filter, Style};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, sleep, sleep_until};

use crate::costs;
use crate::message::{SimulatedChange, account, package};
use crate::run::Run;
use crate::service::StoryService;
use crate::world::Simulation;

/// Figures that only exist for Tidings.
#[derive(Debug)]
pub struct TidingsReport {
    pub counts: Counts,
    /// The number of requests for each package and group.
    pub asked: BTreeMap<String, u64>,
    pub figures: Figures,
}

#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that waited for a list.
    pub waited: u64,
    /// The longest that a message took, in seconds.
    pub longest: f64,
    /// Messages that were matched without a list that they need.
    pub without: u64,
    /// Deliveries that would have been made.
    pub recipients: u64,
    /// Changes of owner, and how many of these messages were matched with the former holders.
    pub given: u64,
    pub given_late: u64,
}

/// A message that is not done.
struct PendingMessage {
    envelope: Envelope,
    change: SimulatedChange,
    arrived: f64,
}

struct Intake<'w> {
    world: &'w Simulation,
    catalogue: Arc<Catalogue>,
    service: Arc<StoryService>,
    cache: AclCache,
    editor: Editor,
    rules: Ruleset,
    matcher: Matcher,
    start: Instant,
    /// Time spent and not yet added to the clock, which counts in milliseconds.
    debt: Duration,
    run: Run,
    counts: Counts,
}

/// Why the simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error("the tokio runtime does not start")]
    Runtime(#[from] std::io::Error),
    #[error("a message of the simulation is invalid: {0}")]
    Refused(#[from] Refusal),
}

/// Runs Tidings over all messages.
pub fn run(world: &Simulation, catalogue: &Arc<Catalogue>) -> Result<(Run, TidingsReport), StoryError> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let mut intake = Intake::new(world, Arc::clone(catalogue));
        intake.work().await?;
        Ok(intake.finish())
    })
}

impl<'w> Intake<'w> {
    /// An empty cache, and every user's default filters on two channels.
    fn new(world: &'w Simulation, catalogue: Arc<Catalogue>) -> Intake<'w> {
        let service = Arc::new(StoryService::new(world));
        let cache = AclCache::new(service.clone(), service.clone(), &AclSettings::default(), Handle::current());
        let mut editor = Editor::loading(Arc::clone(&catalogue));
        for user in (0..world.users as u32).map(account) {
            put(&mut editor, &user, &catalogue.defaults(&user));
        }
        editor.loaded();
        Intake {
            world,
            catalogue,
            service,
            cache,
            rules: editor.ruleset(),
            editor,
            matcher: Matcher::new(),
            start: Instant::now(),
            debt: Duration::ZERO,
            run: Run::default(),
            counts: Counts::default(),
        }
    }

    async fn work(&mut self) -> Result<(), Refusal> {
        let (mut waiting, mut next) = (FuturesUnordered::new(), 0);
        let messages = &self.world.messages;
        while next < messages.len() || !waiting.is_empty() {
            let due = messages.get(next).map_or(self.world.end, |message| message.at);
            tokio::select! {
                biased;
                Some((pending, view)) = waiting.next() => self.handle_view(&pending, &view).await,
                () = sleep_until(self.start + Duration::from_secs_f64(due)), if next < messages.len() => {
                    if let Some((pending, packages)) = self.take(next).await? {
                        let cache = self.cache.clone();
                        waiting.push(async move {
                            let view = cache.view(&Need { packages: &packages, groups: None }).await;
                            (pending, view)
                        });
                    }
                    next += 1;
                }
            }
        }
        Ok(())
    }

    /// Handles a message whose lists have arrived.
    async fn handle_view(&mut self, pending: &PendingMessage, view: &View) {
        self.counts.waited += 1;
        self.counts.without += u64::from(!view.missing().is_empty());
        let began = std::time::Instant::now();
        let (catalogue, aliases) = (Arc::clone(&self.catalogue), Aliases::default());
        self.matched(&Event::new(&catalogue, &aliases, &pending.envelope), pending.change, view);
        self.settle(pending, began.elapsed()).await;
    }

    /// Handles one message from the bus. Returns none if its lists are in memory, else the message and the packages
    /// whose lists it needs. No rule of the simulation refers to a group by name.
    async fn take(&mut self, number: usize) -> Result<Option<(PendingMessage, Vec<String>)>, Refusal> {
        let message = self.world.messages[number];
        if let SimulatedChange::NewOwner { package, owner } = message.change {
            self.service.set_owner(package, owner);
        }
        let frame = Frame { topic: None, body: message.body(number) };
        let began = std::time::Instant::now();
        let pending = PendingMessage { envelope: Envelope::read(&frame)?, change: message.change, arrived: message.at };
        if let Some(invalidation) = invalidated(&pending.envelope) {
            self.cache.invalidate(&invalidation.keys, invalidation.cause);
        }
        let (catalogue, aliases) = (Arc::clone(&self.catalogue), Aliases::default());
        let event = Event::new(&catalogue, &aliases, &pending.envelope);
        let packages = &event.facts().packages;
        let view = self.cache.ready(&Need { packages, groups: None });
        let waits = if view.is_none() { Some(packages.clone()) } else { None };
        if let Some(view) = &view {
            self.matched(&event, pending.change, view);
        }
        let took = began.elapsed();
        drop(event);
        match waits {
            Some(packages) => {
                self.charge(took).await;
                Ok(Some((pending, packages)))
            }
            None => {
                self.settle(&pending, took).await;
                Ok(None)
            }
        }
    }

    fn matched(&mut self, event: &Event<'_>, change: SimulatedChange, view: &View) {
        let found = self.matcher.run(&self.rules, event, view);
        let recipients: Vec<Recipient> = found.flat_map(|found| found.recipients()).collect();
        self.counts.recipients += recipients.len() as u64;
        if let SimulatedChange::NewOwner { package: number, owner } = change {
            self.counts.given += 1;
            let current = view.holds(&account(owner), &package(number), Kinds::Commit);
            self.counts.given_late += u64::from(!current);
        }
    }

    /// Completes a matched message: from here on its change is in effect.
    async fn settle(&mut self, pending: &PendingMessage, took: Duration) {
        self.charge(took).await;
        if let SimulatedChange::Edit { user } = pending.change {
            let user = account(user);
            let mut filters = self.catalogue.defaults(&user);
            // Without the filter for critical tasks.
            filters.truncate(filters.len().saturating_sub(1));
            let began = std::time::Instant::now();
            put(&mut self.editor, &user, &filters);
            self.rules = self.editor.ruleset();
            self.charge(began.elapsed() + Duration::from_secs_f64(costs::ROWS_OF_USER)).await;
            self.run.edits.push(Some(self.now() - pending.arrived));
        }
        let now = self.now();
        self.counts.longest = self.counts.longest.max(now - pending.arrived);
        self.run.done.push(now);
    }

    async fn charge(&mut self, took: Duration) {
        self.run.busy += took.as_secs_f64();
        self.debt += took;
        let whole = Duration::from_millis(self.debt.as_millis() as u64);
        if !whole.is_zero() {
            self.debt -= whole;
            sleep(whole).await;
        }
    }

    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn finish(self) -> (Run, TidingsReport) {
        let Intake { service, cache, mut run, counts, .. } = self;
        run.done.sort_by(f64::total_cmp);
        let (asked, figures) = (service.requests(), cache.figures());
        run.requests = asked.values().sum();
        (run, TidingsReport { counts, asked, figures })
    }
}

/// Replaces the filters of the user on both channels.
fn put(editor: &mut Editor, user: &str, filters: &[Filter]) {
    let addresses = [format!("{user}@example.org")];
    editor.replace(
        user,
        ["email", "irc"].map(|channel| SubscriptionRef {
            channel,
            enabled: true,
            addresses: &addresses,
            digest: None,
            style: Style::default(),
            filters: filters.iter().map(FilterRef::from).collect(),
        }),
    );
}
