//! Channels over HTTP: list, create, configure, grant, limit, enable, disable, test. A secret goes in and never comes out.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use tidings_api_types::{
    ChannelInfo, CredentialGrant, FieldError, GrantsRequest, ListPage, PutChannelRequest, TestSendRequest,
    TestSendResult,
};
use tidings_domain::credential::KindError;
use tidings_domain::grant::{Credential, CredentialKind, Grant};
use tidings_domain::limits;
use tidings_domain::limits::PluginLimits;
use tidings_domain::network::HostName;
use tidings_domain::secret::Secret;
use tidings_domain::text::is_one_line;
use tidings_sandbox::check_credential;

use super::etag::{IfMatch, TagHeader, etag};
use super::extract::{Json, Path};
use super::{ApiState, Problem, convert};
use crate::channels::ChannelView;

/// A channel and its tag.
type Tagged = (TagHeader, Answer<ChannelInfo>);

/// A channel, or why the request failed.
pub(super) type ChannelResult = Result<Tagged, Problem>;

/// The answer with a channel: its tag covers what is stored, not what it is doing.
pub(super) fn tagged(view: ChannelView) -> Tagged {
    (etag(&view.tag), Answer(convert::channel(view)))
}

pub(super) async fn list(State(api): State<ApiState>) -> Result<Answer<ListPage<ChannelInfo>>, Problem> {
    Ok(Answer(ListPage::complete(api.channels.list().await?.into_iter().map(convert::channel).collect())))
}

pub(super) async fn view(State(api): State<ApiState>, Path(name): Path<String>) -> ChannelResult {
    Ok(tagged(api.channels.view(&name).await?))
}

pub(super) async fn put(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(body): Json<PutChannelRequest>,
) -> ChannelResult {
    Ok(tagged(api.channels.put(&name, &precondition, &body.component).await?))
}

pub(super) async fn remove(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode, Problem> {
    api.channels.remove(&name, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn configure(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(values): Json<BTreeMap<String, Option<String>>>,
) -> ChannelResult {
    Ok(tagged(api.channels.configure(&name, &precondition, values).await?))
}

pub(super) async fn grant(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(body): Json<GrantsRequest>,
) -> ChannelResult {
    let given = body.reach.is_some() || body.credentials.is_some();
    if body.as_asked == given || ((body.private || body.plain_http) && !body.as_asked) {
        let detail = "give either `as_asked` (with `private` and `plain_http`), or `reach` and `credentials`";
        return Err(Problem::invalid(detail, Vec::new()));
    }
    if body.as_asked {
        return Ok(tagged(api.channels.grant_as_asked(&name, &precondition, body.private, body.plain_http).await?));
    }
    let (reach, credentials) =
        read_grants(body).map_err(|errors| Problem::invalid("the grants are invalid", errors))?;
    Ok(tagged(api.channels.grant(&name, &precondition, reach, credentials).await?))
}

pub(super) async fn limit(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(limits): Json<PluginLimits>,
) -> ChannelResult {
    Ok(tagged(api.channels.limit(&name, &precondition, limits).await?))
}

pub(super) async fn enable(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
) -> ChannelResult {
    Ok(tagged(api.channels.enable(&name, &precondition).await?))
}

pub(super) async fn disable(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
) -> ChannelResult {
    Ok(tagged(api.channels.disable(&name, &precondition).await?))
}

pub(super) async fn test_send(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(body): Json<TestSendRequest>,
) -> Result<Answer<TestSendResult>, Problem> {
    Ok(Answer(convert::test_result(api.channels.test_send(&name, &body.address).await?)))
}

/// What may be reached, and credentials; none: unchanged.
type Given = (Option<Vec<Grant>>, Option<Vec<Credential>>);

/// The grants of a request, or all invalid fields. Errors never contain a value.
fn read_grants(body: GrantsRequest) -> Result<Given, Vec<FieldError>> {
    let mut errors: Vec<FieldError> = reach_errors(&body).collect();
    let mut credentials: Vec<Credential> = Vec::new();
    let given = body.credentials.is_some();
    for (n, grant) in body.credentials.into_iter().flatten().enumerate() {
        let mut error = |field: &str, what: String| {
            errors.push(FieldError::new(format!("credentials[{n}].{field}"), what));
        };
        if credentials.iter().any(|other| other.name == grant.name) {
            error("name", "another credential has this name".to_owned());
        }
        match read_credential(grant) {
            Ok(credential) => credentials.push(credential),
            Err(found) => found.into_iter().for_each(|(field, what)| error(field, what)),
        }
    }
    if errors.is_empty() { Ok((body.reach, given.then_some(credentials))) } else { Err(errors) }
}

fn reach_errors(body: &GrantsRequest) -> impl Iterator<Item = FieldError> {
    body.reach.iter().flatten().enumerate().flat_map(|(n, grant)| {
        let host = HostName::parse(&grant.host).is_none().then_some(("host", "not a host name or an IP address"));
        let port = (grant.port == 0).then_some(("port", "not a port (1 to 65535)"));
        host.into_iter().chain(port).map(move |(field, what)| FieldError::new(format!("reach[{n}].{field}"), what))
    })
}

/// The credential, or its invalid fields. Errors never contain the value.
fn read_credential(grant: CredentialGrant) -> Result<Credential, Vec<(&'static str, String)>> {
    let mut errors = Vec::new();
    if !(1..=limits::NAME_BYTES).contains(&grant.name.len()) || !is_one_line(&grant.name) {
        errors.push(("name", format!("not 1 to {} bytes of one line", limits::NAME_BYTES)));
    }
    let kind = CredentialKind::read(grant.kind.as_deref().unwrap_or("header"), grant.header);
    match &kind {
        Ok(kind) => {
            if kind.header().is_some_and(|header| HeaderName::try_from(header).is_err()) {
                errors.push(("header", "not the name of an HTTP header".to_owned()));
            }
            if let Err(problem) = check_credential(kind, &grant.value) {
                errors.push(("value", problem.to_string()));
            }
        }
        Err(problem @ KindError::Unknown) => errors.push(("kind", problem.to_string())),
        Err(problem) => errors.push(("header", problem.to_string())),
    }
    if HostName::parse(&grant.host).is_none() {
        errors.push(("host", "not a host name or an IP address".to_owned()));
    }
    match kind {
        Ok(kind) if errors.is_empty() => {
            Ok(Credential { name: grant.name, kind, value: Secret::new(grant.value), host: grant.host })
        }
        _ => Err(errors),
    }
}
