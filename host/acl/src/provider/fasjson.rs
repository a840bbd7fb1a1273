//! FASJSON, the JSON API of Fedora's account system: `GET /v1/groups/NAME/members/`, in pages. Format: FASJSON's
//! OpenAPI description. It reads pages by number and never follows the address of the next one, which the answer also
//! carries.

use crate::limits;
use async_trait::async_trait;
use serde::Deserialize;

use super::http::{HttpService, ServiceError};
use super::{Members, Provider, ProviderError};
use crate::settings::{AclSettingsError, ServiceSettings};

/// FASJSON's HTTP API. Fedora's own requires Kerberos, which this client does not support: use a proxy that does, or a
/// deployment that accepts an `authorization` header.
#[derive(Debug)]
pub struct FasJson(HttpService);

impl FasJson {
    pub fn new(settings: &ServiceSettings) -> Result<FasJson, AclSettingsError> {
        Ok(FasJson(HttpService::new(settings)?.with_trailing_slash()))
    }
}

#[derive(Deserialize)]
struct Page {
    result: Vec<Member>,
    /// Absent if one answer holds all members.
    #[serde(default)]
    page: Option<Position>,
}

#[derive(Deserialize)]
struct Member {
    username: String,
}

#[derive(Deserialize)]
struct Position {
    page_number: u32,
    total_pages: u32,
}

#[async_trait]
impl Provider<Members> for FasJson {
    fn name(&self) -> &'static str {
        "fasjson"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Members>, ProviderError> {
        let mut members = Members::new();
        for number in 1..=limits::ACL_PAGES {
            let query = [("page_size", limits::ACL_PAGE), ("page_number", number)];
            let page: Option<Page> = self.0.get(&["v1", "groups", name, "members"], &query).await?;
            let Some(page) = page else {
                // The group was deleted between two pages. A partial list is never returned.
                return Ok(None);
            };
            members.extend(page.result.into_iter().map(|member| member.username));
            if members.len() > limits::ACL_NAMES {
                return Err(ServiceError::Invalid(format!("more than {} members", limits::ACL_NAMES)).into());
            }
            match page.page {
                None => return Ok(Some(members)),
                // A service that returns another page than requested would make the loop endless.
                Some(at) if at.page_number != number => {
                    let detail = format!("the service returned page {} instead of page {number}", at.page_number);
                    return Err(ServiceError::Invalid(detail).into());
                }
                Some(at) if at.total_pages <= number => return Ok(Some(members)),
                Some(_) => {}
            }
        }
        Err(ServiceError::Invalid(format!("more than {} pages", limits::ACL_PAGES)).into())
    }
}
