//! `http`: requests to the granted hosts and ports. Each hop of a redirect is checked as a request of its own, and what
//! identifies the channel is not sent to another origin.

mod request;

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::timeout;

pub(crate) use request::PluginHttpRequest;
use request::RequestHop;

use crate::credentials::auth_header;
use crate::instance::{ChannelContext, InstanceState};
use crate::limits;
use crate::network::{Egress, ExchangeError, HttpError, HttpReply, NetworkError, http_permit};

impl InstanceState {
    pub(crate) async fn send(&mut self, request: PluginHttpRequest) -> Result<HttpReply, HttpError> {
        let asked = request.timeout_ms.map(|millis| Duration::from_millis(u64::from(millis)));
        // Ends before the call does, so that the plugin sees the timeout.
        let left = self.remaining().mul_f64(limits::CONNECT_SHARE);
        let time = asked.unwrap_or(limits::NETWORK_TIMEOUT).min(limits::NETWORK_TIMEOUT_MAX).min(left);
        let result = timeout(time, exchange(&self.context, &self.egress, request)).await;
        result.unwrap_or(Err(NetworkError::Timeout.into())).map_err(|error| match error {
            // The contract's error for an unusable credential. The plugin asked for nothing that it may not use.
            ExchangeError::Credential(reason) => NetworkError::Denied(reason).into(),
            ExchangeError::Http(error) => {
                if let HttpError::Network(NetworkError::Denied(reason)) = &error {
                    self.record_denial(reason);
                }
                error
            }
        })
    }
}

/// Sends the first request and follows as many redirects as the plugin asked for.
async fn exchange(
    context: &ChannelContext,
    egress: &Egress,
    request: PluginHttpRequest,
) -> Result<HttpReply, ExchangeError> {
    let mut redirects = request.redirects.min(limits::HTTP_REDIRECTS);
    let mut hop = RequestHop::first(request)?;
    loop {
        let reply = send_hop(&hop, context, egress).await?;
        let next = if redirects > 0 { hop.follow(&reply)? } else { None };
        match next {
            None => return Ok(reply),
            Some(next) => hop = next,
        }
        redirects -= 1;
    }
}

/// Sends one request with its credential. If the server refuses a token that was used before, sends it once more with a
/// new token.
async fn send_hop(hop: &RequestHop, context: &ChannelContext, egress: &Egress) -> Result<HttpReply, ExchangeError> {
    let ChannelContext { grants, tokens, .. } = context;
    let permit = http_permit(grants, hop.url())?;
    let Some(name) = hop.credential() else { return Ok(egress.http(hop.request(&permit, None)).await?) };
    let credential = grants.credential(name, &permit)?;
    let header = auth_header(grants, tokens, egress, credential).await?;
    let reply = egress.http(hop.request(&permit, Some(&header))).await?;
    if reply.status != StatusCode::UNAUTHORIZED || !tokens.invalidate(credential, &header).await {
        return Ok(reply);
    }
    let header = auth_header(grants, tokens, egress, credential).await?;
    Ok(egress.http(hop.request(&permit, Some(&header))).await?)
}
