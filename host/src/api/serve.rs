//! The listener: accepts within bounds, ends connections that dawdle, and on shutdown lets the requests under way end.

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

/// How long accepting rests when it failed, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Serves until `shutdown`, then waits for the requests under way, within `crate::dispatch::limits::STOP_GRACE`.
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
        tracing::warn!("requests of the API were still under way at the end");
    }
}

/// The next connection, once there is space for it. Failures to accept pass.
async fn accept(
    listener: &TcpListener,
    space: &Arc<Semaphore>,
) -> (tokio::net::TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(space).acquire_owned().await.ok();
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
