//! Pagure as a dist-git: `GET /api/0/NAMESPACE/NAME` returns the access to a project, `…/watchers` its watchers.
//! Format: Pagure's API documentation, "Project information" and "Project watchers".

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use serde::Deserialize;
use tidings_domain::acl::{GROUP_PREFIX, Holders};

use super::http::HttpService;
use super::{Provider, ProviderError};
use crate::settings::{AclSettingsError, DistGitSettings, ServiceSettings};

/// A Pagure that holds packages in one namespace.
#[derive(Debug)]
pub struct DistGit {
    service: HttpService,
    namespace: String,
}

impl DistGit {
    pub fn new(settings: &DistGitSettings) -> Result<DistGit, AclSettingsError> {
        let service = ServiceSettings { url: settings.url.clone(), authorization: settings.authorization.clone() };
        Ok(DistGit { service: HttpService::new(&service)?, namespace: settings.namespace.clone() })
    }
}

#[derive(Deserialize)]
struct Project {
    access_users: Access,
    access_groups: Access,
}

/// Names by access level. `ticket` is left out on purpose: access to issues does not make a holder.
#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    owner: BTreeSet<String>,
    #[serde(default)]
    admin: BTreeSet<String>,
    #[serde(default)]
    commit: BTreeSet<String>,
    #[serde(default)]
    collaborator: BTreeSet<String>,
}

impl Access {
    fn co_maintainers(self) -> impl Iterator<Item = String> {
        self.admin.into_iter().chain(self.commit).chain(self.collaborator)
    }
}

/// What each watcher watches: `issues`, `commits`.
#[derive(Deserialize)]
struct Watchers {
    watchers: HashMap<String, Vec<String>>,
}

#[async_trait]
impl Provider<Holders> for DistGit {
    fn name(&self) -> &'static str {
        "distgit"
    }

    /// Point of contact: the owner. Co-maintained: users and groups with `admin`, `commit` or `collaborator`. Watch:
    /// those who watch commits; Pagure counts all with access among them unless they chose otherwise.
    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        let path = ["api", "0", &self.namespace, name, "watchers"];
        let project = self.service.get::<Project>(&path[..4], &[]);
        let watchers = self.service.get::<Watchers>(&path, &[]);
        let (Some(project), Some(watchers)) = futures::try_join!(project, watchers)? else { return Ok(None) };
        let mut users = project.access_users;
        let point_of_contact = std::mem::take(&mut users.owner);
        let groups = project.access_groups.co_maintainers().map(|group| format!("{GROUP_PREFIX}{group}"));
        let co_maintained = users.co_maintainers().chain(groups).collect();
        let commits = |watched: &Vec<String>| watched.iter().any(|what| what == "commits");
        let watch =
            watchers.watchers.into_iter().filter(|(_, watched)| commits(watched)).map(|(user, _)| user).collect();
        Ok(Some(Holders { point_of_contact, co_maintained, watch }))
    }
}
