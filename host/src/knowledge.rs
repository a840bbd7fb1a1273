//! What matching works with: catalogue, aliases, access lists and everybody's rules, as one snapshot. Readers take the
//! snapshot without a lock; an edit makes a new one that shares the rest. Nothing here is ever written back to the store.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::{Catalogue, EMBEDDED};
use tidings_domain::delivery::Recipient;
use tidings_domain::facts::Event;
use tidings_domain::rules::Problem;
use tidings_domain::ruleset::Ruleset;
use tidings_store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::telemetry::Metrics;

/// One consistent state of it all.
#[derive(Debug)]
pub struct Snapshot {
    pub references: Arc<References>,
    pub rules: Ruleset,
}

/// What comes from files: read at start and on reload.
#[derive(Debug)]
pub struct References {
    pub catalogue: Arc<Catalogue>,
    pub aliases: Aliases,
    pub acl: AclTable,
}

impl Snapshot {
    /// Everybody who is to be told of an event.
    pub fn matches(&self, event: &Event<'_>) -> Vec<Recipient> {
        self.rules.matches(event, &self.references.acl)
    }
}

/// The current snapshot, and the ways to change it.
pub struct Knowledge {
    current: ArcSwap<Snapshot>,
    /// Held while the store is read and the snapshot replaced, so that a slow reader never overwrites a later edit.
    edit: Mutex<Problems>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

/// Rules that cannot be tested; each leaves its filter without effect.
type Problems = Vec<Problem>;

impl Knowledge {
    /// Reads the files of the configuration and all rules of the store.
    pub async fn load(config: &Config, store: Arc<dyn Store>, metrics: Arc<Metrics>) -> anyhow::Result<Knowledge> {
        let references = Arc::new(References::read(config).map_err(anyhow::Error::msg)?);
        let subscriptions = store.subscriptions().await?;
        let (rules, problems) = Ruleset::build(Arc::clone(&references.catalogue), subscriptions);
        log(&problems);
        let current = ArcSwap::from_pointee(Snapshot { references, rules });
        Ok(Knowledge { current, edit: Mutex::new(problems), store, metrics })
    }

    /// What to match with now. Costs no lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads one user's rules again; everybody else's stay as they are.
    pub async fn reload_user(&self, user: &str) -> Result<(), StoreError> {
        let mut problems = self.edit.lock().await;
        let subscriptions = self.store.subscriptions_of(user).await?;
        let old = self.snapshot();
        let (rules, found) = old.rules.with_user(user, subscriptions);
        log(&found);
        problems.retain(|problem| problem.user != user);
        problems.extend(found);
        self.current.store(Arc::new(Snapshot { references: Arc::clone(&old.references), rules }));
        self.metrics.rule_reloads.inc();
        Ok(())
    }

    /// Reads the files again, and compiles all rules against them. Where one is bad the old ones stay in force.
    pub async fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let references = Arc::new(References::read(config).map_err(anyhow::Error::msg)?);
        let mut problems = self.edit.lock().await;
        let subscriptions = self.store.subscriptions().await?;
        let (rules, found) = Ruleset::build(Arc::clone(&references.catalogue), subscriptions);
        log(&found);
        *problems = found;
        self.current.store(Arc::new(Snapshot { references, rules }));
        Ok(())
    }

    /// Rules that cannot be tested, for whoever asks.
    pub async fn problems(&self) -> Vec<Problem> {
        self.edit.lock().await.clone()
    }
}

impl References {
    /// Reads what the configuration names, else the catalogue in the program and empty lists.
    pub fn read(config: &Config) -> Result<References, String> {
        let catalogue = match &config.catalogue.dir {
            None => Catalogue::embedded(),
            Some(dir) => Catalogue::load(&beside_shipped(read_catalogue(dir)?)),
        };
        let catalogue = catalogue.map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            format!("the catalogue is not good:\n{}", lines.join("\n"))
        })?;
        let aliases = match &config.catalogue.aliases {
            None => Aliases::default(),
            Some(file) => parse(file, Aliases::from_json)?,
        };
        let acl = match &config.acl.file {
            None => AclTable::default(),
            Some(file) => parse(file, AclTable::from_json)?,
        };
        Ok(References { catalogue: Arc::new(catalogue), aliases, acl })
    }
}

/// A deployer's files, and those in the program that none of them replaces by its name.
fn beside_shipped(own: Vec<(String, String)>) -> Vec<(String, String)> {
    let replaced: HashSet<&OsStr> = own.iter().filter_map(|(path, _)| Path::new(path).file_name()).collect();
    let shipped = EMBEDDED.iter().filter(|(name, _)| !replaced.contains(OsStr::new(name)));
    let shipped: Vec<_> = shipped.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    shipped.into_iter().chain(own).collect()
}

/// The application files of a directory, by name, sorted.
pub fn read_catalogue(dir: &Path) -> Result<Vec<(String, String)>, String> {
    let unreadable = |path: &Path, error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
        let path = entry.map_err(|error| unreadable(dir, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{} holds no .toml file", dir.display())) } else { Ok(files) }
}

fn parse<T, E: std::fmt::Display>(file: &Path, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn log(problems: &[Problem]) {
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
