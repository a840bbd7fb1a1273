//! The access-list service of Tidings' story: it knows what the world knows, and takes its time on tokio's clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidings_acl::{Members, Provider, ProviderError};
use tidings_domain::acl::Holders;
use tokio::time::sleep;

use crate::costs;
use crate::message::{account, package};
use crate::world::{World, group};

pub struct StoryService {
    packages: Mutex<BTreeMap<String, Holders>>,
    groups: BTreeMap<String, Members>,
    asked: Mutex<BTreeMap<String, u64>>,
}

impl StoryService {
    pub fn new(world: &World) -> StoryService {
        let packages = world.holders.iter().cloned().zip(0..).map(|(holders, number)| (package(number), holders));
        let groups = world.members.iter().cloned().zip(0..).map(|(members, number)| (group(number), members));
        StoryService { packages: Mutex::new(packages.collect()), groups: groups.collect(), asked: Mutex::default() }
    }

    /// A package changes hands.
    pub fn give(&self, number: u32, owner: u32) {
        if let Some(holders) = lock(&self.packages).get_mut(&package(number)) {
            holders.point_of_contact = [account(owner)].into();
        }
    }

    /// How often each package or group was asked for.
    pub fn asked(&self) -> BTreeMap<String, u64> {
        lock(&self.asked).clone()
    }

    /// What it knows when it is asked, once its time is over.
    async fn answer<T>(&self, name: &str, list: Option<T>) -> Result<Option<T>, ProviderError> {
        *lock(&self.asked).entry(name.to_owned()).or_default() += 1;
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
