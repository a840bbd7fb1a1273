//! The listener: accepts a bounded number of connections, closes slow ones, and on shutdown lets requests in progress end.

use std::sync::Arc;

use crate::api::limits;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{ApiState, router};

/// The pause after a failed accept; the usual cause is a lack of file descriptors.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Serves until `shutdown`, then waits for requests in progress, within `crate::dispatch::limits::STOP_GRACE`.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: CancellationToken) {
    let service = TowerToHyperService::new(router(state));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits::API_HEAD_TIMEOUT);
    let connections = Arc::new(Semaphore::new(limits::API_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    while let Some((stream, permit)) = shutdown.run_until_cancelled(accept(&listener, &connections)).await {
        let connection = server.serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection of the API ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(crate::dispatch::limits::STOP_GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests of the API were still in progress at the end; they are cut off");
    }
}

/// The next connection, once one is allowed. Failures to accept are temporary.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (tokio::net::TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(error = %error, "the API cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
