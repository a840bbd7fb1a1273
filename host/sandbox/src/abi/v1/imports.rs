//! Implements the generated traits: each method converts values around a method of [`InstanceState`]. Every method
//! counts as a host call. An inner `Err` is returned to the plugin, an outer one ends the call.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::streaming::tidings::channel::event_stream;
use super::bindings::tidings::channel::{clock, config, http, inbox, log, net, progress, random, state, types};
use super::convert;
use crate::capabilities::http::PluginHttpRequest;
use crate::channel_host::{LogLevel, StateError};
use crate::instance::{Connection, InstanceState, TlsOptions};
use crate::network::{HttpError, HttpReply, NetworkError};

impl types::Host for InstanceState {}

impl progress::Host for InstanceState {
    fn settled(&mut self, index: u32, outcome: types::Outcome) -> Result<()> {
        self.host_call()?;
        Ok(self.settle(index, convert::outcome(outcome))?)
    }
}

impl log::Host for InstanceState {
    fn log(&mut self, level: log::Level, message: String) -> Result<()> {
        self.host_call()?;
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warning => LogLevel::Warning,
            log::Level::Error => LogLevel::Error,
        };
        InstanceState::log(self, level, &message);
        Ok(())
    }
}

impl clock::Host for InstanceState {
    fn now_ms(&mut self) -> Result<u64> {
        self.host_call()?;
        Ok(InstanceState::now_ms(self))
    }

    fn monotonic_ms(&mut self) -> Result<u64> {
        self.host_call()?;
        Ok(InstanceState::monotonic_ms(self))
    }

    fn remaining_ms(&mut self) -> Result<u64> {
        self.host_call()?;
        Ok(InstanceState::remaining_ms(self))
    }
}

impl random::Host for InstanceState {
    fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.host_call()?;
        Ok(self.random(count)?)
    }
}

impl config::Host for InstanceState {
    fn get(&mut self, name: String) -> Result<Option<String>> {
        self.host_call()?;
        Ok(self.setting(&name))
    }
}

impl net::Host for InstanceState {
    async fn connect(
        &mut self,
        host: String,
        port: u16,
        tls: Option<net::TlsOptions>,
    ) -> Result<Result<Resource<Connection>, net::Error>> {
        self.host_call()?;
        match InstanceState::connect(self, &host, port, tls.map(tls_options)).await {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl net::HostConnection for InstanceState {
    async fn read(&mut self, this: Resource<Connection>, max: u32) -> Result<Result<Vec<u8>, net::Error>> {
        self.host_call()?;
        let connection = self.table.get_mut(&this)?;
        Ok(connection.read(&self.egress, max).await.map_err(Into::into))
    }

    async fn write(&mut self, this: Resource<Connection>, bytes: Vec<u8>) -> Result<Result<(), net::Error>> {
        self.host_call()?;
        let connection = self.table.get_mut(&this)?;
        Ok(connection.write(&self.egress, &bytes).await.map_err(Into::into))
    }

    async fn start_tls(
        &mut self,
        this: Resource<Connection>,
        options: net::TlsOptions,
    ) -> Result<Result<(), net::Error>> {
        self.host_call()?;
        let connection = self.table.get_mut(&this)?;
        Ok(connection.start_tls(&self.context.grants, &self.egress, tls_options(options)).await.map_err(Into::into))
    }

    async fn set_timeout_ms(&mut self, this: Resource<Connection>, timeout: u32) -> Result<()> {
        self.host_call()?;
        self.table.get_mut(&this)?.set_timeout(timeout);
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Connection>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn tls_options(options: net::TlsOptions) -> TlsOptions {
    let verify = match options.verification {
        net::Verification::Full => true,
        net::Verification::None => false,
    };
    TlsOptions { server_name: options.server_name, verify, identity: options.identity }
}

impl From<NetworkError> for net::Error {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Denied(why) => net::Error::Denied(why),
            NetworkError::Unresolved(why) => net::Error::Unresolved(why),
            NetworkError::Failed(why) => net::Error::Failed(why),
            NetworkError::Timeout => net::Error::Timeout,
            NetworkError::Tls(why) => net::Error::Tls(why),
            NetworkError::Limit(why) => net::Error::Limit(why),
        }
    }
}

impl http::Host for InstanceState {
    async fn send(&mut self, request: http::Request) -> Result<Result<http::Response, http::Error>> {
        self.host_call()?;
        let request = PluginHttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            credential: request.credential,
            redirects: request.redirects,
            timeout_ms: request.timeout_ms,
        };
        let reply = InstanceState::send(self, request).await;
        let response =
            |reply: HttpReply| http::Response { status: reply.status, headers: reply.headers, body: reply.body };
        Ok(reply.map(response).map_err(Into::into))
    }
}

impl From<HttpError> for http::Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Invalid(why) => http::Error::Invalid(why),
            HttpError::Network(NetworkError::Denied(why)) => http::Error::Denied(why),
            HttpError::Network(NetworkError::Unresolved(why)) => http::Error::Unresolved(why),
            HttpError::Network(NetworkError::Failed(why)) => http::Error::Failed(why),
            HttpError::Network(NetworkError::Timeout) => http::Error::Timeout,
            HttpError::Network(NetworkError::Tls(why)) => http::Error::Tls(why),
            HttpError::Network(NetworkError::Limit(why)) => http::Error::Limit(why),
        }
    }
}

impl state::Host for InstanceState {
    async fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, state::Error>> {
        self.host_call()?;
        Ok(self.context.state_get(&key).await.map_err(Into::into))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<Result<(), state::Error>> {
        self.host_call()?;
        Ok(self.context.state_set(&key, &value).await.map_err(Into::into))
    }

    async fn delete(&mut self, key: String) -> Result<Result<(), state::Error>> {
        self.host_call()?;
        Ok(self.context.state_delete(&key).await.map_err(Into::into))
    }

    async fn keys(&mut self, prefix: String) -> Result<Result<Vec<String>, state::Error>> {
        self.host_call()?;
        Ok(self.context.state_keys(&prefix).await.map_err(Into::into))
    }
}

impl From<StateError> for state::Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Limit(why) => state::Error::Limit(why),
            StateError::Unavailable(why) => state::Error::Unavailable(why),
        }
    }
}

impl inbox::Host for InstanceState {
    async fn submit(&mut self, address: String, text: String) -> Result<Vec<String>> {
        self.host_call()?;
        Ok(self.context.submit(&address, &text).await)
    }
}

impl event_stream::Host for InstanceState {
    async fn append(&mut self, entries: Vec<event_stream::Entry>) -> Result<Result<(), event_stream::Error>> {
        self.host_call()?;
        let entries = entries.into_iter().map(|entry| (entry.index, entry.data)).collect();
        Ok(InstanceState::append(self, entries).await?.map_err(Into::into))
    }
}

impl From<StateError> for event_stream::Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Limit(why) => event_stream::Error::Limit(why),
            StateError::Unavailable(why) => event_stream::Error::Unavailable(why),
        }
    }
}
