//! Tidings in the story: its own catalogue, ruleset, matcher and cache of access lists, driven as intake drives them, on
//! tokio's paused clock. The service behind the cache takes 15 seconds of that clock for every answer; what reading and
//! matching a message costs is measured as it happens and charged to it. There is no store: nothing is committed.

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
use crate::message::{What, account, package};
use crate::run::Run;
use crate::service::StoryService;
use crate::world::World;

/// What only Tidings can tell.
#[derive(Debug)]
pub struct Told {
    pub counts: Counts,
    /// How often the service was asked for each package and group.
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
    /// Packages that changed hands, and how many of these messages were matched with the former holders.
    pub given: u64,
    pub given_late: u64,
}

/// A message in hand.
struct Held {
    envelope: Envelope,
    what: What,
    came: f64,
}

struct Intake<'w> {
    world: &'w World,
    catalogue: Arc<Catalogue>,
    service: Arc<StoryService>,
    cache: AclCache,
    editor: Editor,
    rules: Ruleset,
    matcher: Matcher,
    start: Instant,
    /// Time that is spent and not yet charged to the clock, which counts in milliseconds.
    debt: Duration,
    run: Run,
    counts: Counts,
}

/// Why it ended early: the runtime, or a message of our own that is none.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error("the runtime does not start")]
    Runtime(#[from] std::io::Error),
    #[error("a message of the story is refused")]
    Refused(#[from] Refusal),
}

/// Lets Tidings work through the world's messages.
pub fn run(world: &World, catalogue: &Arc<Catalogue>) -> Result<(Run, Told), StoryError> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let mut intake = Intake::new(world, Arc::clone(catalogue));
        intake.work().await?;
        Ok(intake.finish())
    })
}

impl<'w> Intake<'w> {
    /// An empty cache, and every user's default filters on two channels.
    fn new(world: &'w World, catalogue: Arc<Catalogue>) -> Intake<'w> {
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
                Some((held, view)) = waiting.next() => self.arrived(&held, &view).await,
                () = sleep_until(self.start + Duration::from_secs_f64(due)), if next < messages.len() => {
                    if let Some((held, packages)) = self.take(next).await? {
                        let cache = self.cache.clone();
                        waiting.push(async move {
                            let view = cache.view(&Need { packages: &packages, groups: None }).await;
                            (held, view)
                        });
                    }
                    next += 1;
                }
            }
        }
        Ok(())
    }

    /// What a message waited for is here.
    async fn arrived(&mut self, held: &Held, view: &View) {
        self.counts.waited += 1;
        self.counts.without += u64::from(!view.missing().is_empty());
        let began = std::time::Instant::now();
        let (catalogue, aliases) = (Arc::clone(&self.catalogue), Aliases::default());
        self.matched(&Event::new(&catalogue, &aliases, &held.envelope), held.what, view);
        self.settle(held, began.elapsed()).await;
    }

    /// One message from the bus: done at once where its lists are here. Else it, and the packages whose lists it waits for.
    /// No rule of the story asks for a group by name.
    async fn take(&mut self, number: usize) -> Result<Option<(Held, Vec<String>)>, Refusal> {
        let message = self.world.messages[number];
        if let What::NewOwner { package, owner } = message.what {
            self.service.give(package, owner);
        }
        let frame = Frame { topic: None, body: message.body(number) };
        let began = std::time::Instant::now();
        let held = Held { envelope: Envelope::read(&frame)?, what: message.what, came: message.at };
        if let Some(invalidation) = invalidated(&held.envelope) {
            self.cache.invalidate(&invalidation.keys, invalidation.cause);
        }
        let (catalogue, aliases) = (Arc::clone(&self.catalogue), Aliases::default());
        let event = Event::new(&catalogue, &aliases, &held.envelope);
        let packages = &event.facts().packages;
        let view = self.cache.ready(&Need { packages, groups: None });
        let waits = if view.is_none() { Some(packages.clone()) } else { None };
        if let Some(view) = &view {
            self.matched(&event, held.what, view);
        }
        let took = began.elapsed();
        drop(event);
        match waits {
            Some(packages) => {
                self.charge(took).await;
                Ok(Some((held, packages)))
            }
            None => {
                self.settle(&held, took).await;
                Ok(None)
            }
        }
    }

    fn matched(&mut self, event: &Event<'_>, what: What, view: &View) {
        let found = self.matcher.run(&self.rules, event, view);
        let recipients: Vec<Recipient> = found.flat_map(|found| found.recipients()).collect();
        self.counts.recipients += recipients.len() as u64;
        if let What::NewOwner { package: number, owner } = what {
            self.counts.given += 1;
            let told = view.holds(&account(owner), &package(number), Kinds::Commit);
            self.counts.given_late += u64::from(!told);
        }
    }

    /// A message that is matched: what it changes holds from here on.
    async fn settle(&mut self, held: &Held, took: Duration) {
        self.charge(took).await;
        if let What::Edit { user } = held.what {
            let user = account(user);
            let mut filters = self.catalogue.defaults(&user);
            // Not told of critical tasks any more.
            filters.truncate(filters.len().saturating_sub(1));
            let began = std::time::Instant::now();
            put(&mut self.editor, &user, &filters);
            self.rules = self.editor.ruleset();
            self.charge(began.elapsed() + Duration::from_secs_f64(costs::ROWS_OF_USER)).await;
            self.run.edits.push(Some(self.now() - held.came));
        }
        let now = self.now();
        self.counts.longest = self.counts.longest.max(now - held.came);
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

    fn finish(self) -> (Run, Told) {
        let Intake { service, cache, mut run, counts, .. } = self;
        run.done.sort_by(f64::total_cmp);
        let (asked, figures) = (service.asked(), cache.figures());
        run.requests = asked.values().sum();
        (run, Told { counts, asked, figures })
    }
}

/// Puts these filters in force for the user, on both channels.
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
