//! `net`: byte streams to the granted hosts and ports, within the call's deadline.

use tokio::time::timeout;

use crate::instance::{Connection, InstanceState, TlsOptions};
use crate::limits;
use crate::network::NetworkError;

impl InstanceState {
    pub(crate) async fn connect(
        &mut self,
        host: &str,
        port: u16,
        tls: Option<TlsOptions>,
    ) -> Result<Connection, NetworkError> {
        // Ends before the call does, so that the plugin sees the timeout.
        let time = self.remaining().mul_f64(limits::CONNECT_SHARE);
        let opened = Connection::open(&self.context.grants, &self.egress, host, port, tls);
        let opened = timeout(time, opened).await.unwrap_or(Err(NetworkError::Timeout));
        if let Err(NetworkError::Denied(reason)) = &opened {
            self.record_denial(reason);
        }
        opened
    }
}
