//! The access-list service of the simulation of Tidings: it returns the simulated lists after a delay on tokio's clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidings_acl::{Members, Provider, ProviderError};
use tidings_domain::acl::Holders;
use tokio::time::sleep;

use crate::costs;
use crate::message::{account, package};
use crate::world::{Simulation, group};

pub struct StoryService {
    packages: Mutex<BTreeMap<String, Holders>>,
    groups: BTreeMap<String, Members>,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl StoryService {
    pub fn new(simulation: &Simulation) -> StoryService {
        let packages = simulation.holders.iter().cloned().zip(0..).map(|(holders, number)| (package(number), holders));
        let groups = simulation.members.iter().cloned().zip(0..).map(|(members, number)| (group(number), members));
        StoryService { packages: Mutex::new(packages.collect()), groups: groups.collect(), requests: Mutex::default() }
    }

    /// Gives a package a new owner.
    pub fn set_owner(&self, number: u32, owner: u32) {
        if let Some(holders) = lock(&self.packages).get_mut(&package(number)) {
            holders.point_of_contact = [account(owner)].into();
        }
    }

    /// The number of requests for each package or group.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.requests).clone()
    }

    /// Returns `list`, which was read at the time of the request, after the delay.
    async fn answer<T>(&self, name: &str, list: Option<T>) -> Result<Option<T>, ProviderError> {
        *lock(&self.requests).entry(name.to_owned()).or_default() += 1;
        sleep(Duration::from_secs_f64(costs::ACL_OF_TIDINGS)).await;
        Ok(list)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Provider<Holders> for StoryService {
    fn name(&self) -> &'static str {
        "story"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        let list = lock(&self.packages).get(name).cloned();
        self.answer(name, list).await
    }
}

#[async_trait]
impl Provider<Members> for StoryService {
    fn name(&self) -> &'static str {
        "story"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Members>, ProviderError> {
        self.answer(name, self.groups.get(name).cloned()).await
    }
}
