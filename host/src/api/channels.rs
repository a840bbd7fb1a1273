//! Channels over HTTP: see, create, configure, grant, limit, switch, test. A secret goes in and never comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use tidings_domain::credential::KindError;
use tidings_domain::grant::{Credential, CredentialKind, Grant};
use tidings_domain::limits;
use tidings_domain::limits::PluginLimits;
use tidings_domain::network::HostName;
use tidings_domain::outcome::Outcome;
use tidings_domain::secret::Secret;
use tidings_domain::text::is_one_line;
use tidings_sandbox::check_credential;

use super::read::{Json, Path};
use super::{ApiState, FieldError, Problem};
use crate::channels::ChannelView;

/// A channel, or why not.
type Viewed = Result<Answer<ChannelView>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutBody {
    /// Digest of an installed component.
    component: String,
}

/// Either what the plugin asks for, or exactly this. A list that is absent stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantBody {
    #[serde(default)]
    as_asked: bool,
    /// With `as_asked`: also where a name leads to a private, loopback or link-local address.
    #[serde(default)]
    private: bool,
    reach: Option<Vec<Grant>>,
    credentials: Option<Vec<CredentialBody>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialBody {
    name: String,
    /// The contract's word; absent is `header`.
    kind: Option<String>,
    /// For that kind only.
    header: Option<String>,
    value: String,
    host: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestSendBody {
    address: String,
}

/// What became of a test delivery.
#[derive(Serialize)]
pub(super) struct TestSent {
    /// `delivered`, `retry`, `rejected`, `address_gone`, `channel_trouble` or `crash`.
    outcome: &'static str,
    /// The reason, or what the far side said.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
}

pub(super) async fn list(State(api): State<ApiState>) -> Result<Answer<Vec<ChannelView>>, Problem> {
    Ok(Answer(api.channels.list().await?))
}

pub(super) async fn view(State(api): State<ApiState>, Path(name): Path<String>) -> Viewed {
    Ok(Answer(api.channels.view(&name).await?))
}

pub(super) async fn put(State(api): State<ApiState>, Path(name): Path<String>, Json(body): Json<PutBody>) -> Viewed {
    Ok(Answer(api.channels.put(&name, &body.component).await?))
}

pub(super) async fn remove(State(api): State<ApiState>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    api.channels.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn configure(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(values): Json<BTreeMap<String, Option<String>>>,
) -> Viewed {
    Ok(Answer(api.channels.configure(&name, values).await?))
}

pub(super) async fn grant(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(body): Json<GrantBody>,
) -> Viewed {
    let given = body.reach.is_some() || body.credentials.is_some();
    if body.as_asked == given || (body.private && !body.as_asked) {
        let detail = "give either `as_asked` (and `private` with it), or `reach` and `credentials`";
        return Err(Problem::invalid(detail, Vec::new()));
    }
    if body.as_asked {
        return Ok(Answer(api.channels.grant_as_asked(&name, body.private).await?));
    }
    let (reach, credentials) = body.read().map_err(|mistakes| Problem::invalid("the grants are not good", mistakes))?;
    Ok(Answer(api.channels.grant(&name, reach, credentials).await?))
}

pub(super) async fn limit(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(limits): Json<PluginLimits>,
) -> Viewed {
    Ok(Answer(api.channels.limit(&name, limits).await?))
}

pub(super) async fn enable(State(api): State<ApiState>, Path(name): Path<String>) -> Viewed {
    Ok(Answer(api.channels.enable(&name).await?))
}

pub(super) async fn disable(State(api): State<ApiState>, Path(name): Path<String>) -> Viewed {
    Ok(Answer(api.channels.disable(&name).await?))
}

pub(super) async fn test_send(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(body): Json<TestSendBody>,
) -> Result<Answer<TestSent>, Problem> {
    Ok(Answer(api.channels.test_send(&name, &body.address).await?.into()))
}

/// What may be reached, and credentials; none where they stay as they are.
type Given = (Option<Vec<Grant>>, Option<Vec<Credential>>);

impl GrantBody {
    /// What is granted, or all that is wrong with it; never with a value.
    fn read(self) -> Result<Given, Vec<FieldError>> {
        let mut mistakes: Vec<FieldError> = self.mistakes_in_reach().collect();
        let mut credentials: Vec<Credential> = Vec::new();
        let given = self.credentials.is_some();
        for (n, body) in self.credentials.into_iter().flatten().enumerate() {
            let mut mistake = |field: &str, what: String| {
                mistakes.push(FieldError::new(format!("credentials[{n}].{field}"), what));
            };
            if credentials.iter().any(|other| other.name == body.name) {
                mistake("name", "there is another credential of this name".to_owned());
            }
            match body.read() {
                Ok(credential) => credentials.push(credential),
                Err(found) => found.into_iter().for_each(|(field, what)| mistake(field, what)),
            }
        }
        if mistakes.is_empty() { Ok((self.reach, given.then_some(credentials))) } else { Err(mistakes) }
    }

    fn mistakes_in_reach(&self) -> impl Iterator<Item = FieldError> {
        self.reach.iter().flatten().enumerate().flat_map(|(n, grant)| {
            let host = HostName::parse(&grant.host).is_none().then_some(("host", "not a host name or an IP address"));
            let port = (grant.port == 0).then_some(("port", "not a port (1 to 65535)"));
            host.into_iter().chain(port).map(move |(field, what)| FieldError::new(format!("reach[{n}].{field}"), what))
        })
    }
}

impl CredentialBody {
    /// The credential, or the fields that are wrong; never with the value.
    fn read(self) -> Result<Credential, Vec<(&'static str, String)>> {
        let mut mistakes = Vec::new();
        if !(1..=limits::NAME_BYTES).contains(&self.name.len()) || !is_one_line(&self.name) {
            mistakes.push(("name", format!("not 1 to {} bytes of one line", limits::NAME_BYTES)));
        }
        let word = self.kind.as_deref().unwrap_or("header");
        let kind = CredentialKind::read(word, self.header);
        match &kind {
            Ok(kind) => {
                if kind.header().is_some_and(|header| HeaderName::try_from(header).is_err()) {
                    mistakes.push(("header", "not the name of an HTTP header".to_owned()));
                }
                if let Err(problem) = check_credential(kind, &self.value) {
                    mistakes.push(("value", problem.to_string()));
                }
            }
            Err(problem @ KindError::Unknown) => mistakes.push(("kind", problem.to_string())),
            Err(problem) => mistakes.push(("header", problem.to_string())),
        }
        if HostName::parse(&self.host).is_none() {
            mistakes.push(("host", "not a host name or an IP address".to_owned()));
        }
        match kind {
            Ok(kind) if mistakes.is_empty() => {
                Ok(Credential { name: self.name, kind, value: Secret::new(self.value), host: self.host })
            }
            _ => Err(mistakes),
        }
    }
}

impl From<Outcome> for TestSent {
    fn from(outcome: Outcome) -> TestSent {
        let plain = |outcome, detail| TestSent { outcome, detail, retry_after_seconds: None, replacement: None };
        let seconds = |after: Option<Duration>| after.map(|after| after.as_secs());
        match outcome {
            Outcome::Delivered { receipt } => plain("delivered", receipt),
            Outcome::Retry { after, reason } => {
                TestSent { retry_after_seconds: seconds(after), ..plain("retry", Some(reason)) }
            }
            Outcome::Rejected { reason } => plain("rejected", Some(reason)),
            Outcome::AddressGone { replacement, reason } => {
                TestSent { replacement, ..plain("address_gone", Some(reason)) }
            }
            Outcome::ChannelTrouble { after, reason } => {
                TestSent { retry_after_seconds: seconds(after), ..plain("channel_trouble", Some(reason)) }
            }
            Outcome::Crash { kind, detail } => plain("crash", Some(format!("{}: {detail}", kind.as_str()))),
        }
    }
}
