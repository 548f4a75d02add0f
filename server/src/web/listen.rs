//! Serving HTTP/1.1 on a listener: limits on slow and large heads, no delay, an orderly end.
//!
//! **Invariant:** a connection that says nothing is closed; at the end answers that are under way are finished, for at
//! most the grace given.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a request's head may take. The library counts the rest between two requests of a connection as part of it, so
/// it is longer than a proxy in front keeps an idle connection (60 s, mostly): else the proxy would write into a closed one.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// Most headers of a request.
const HEADERS: usize = 100;
/// Largest head; a little over what `middleware::headers` lets through, so that it can say so itself.
const HEAD: usize = 32 * 1024;
/// How long answers under way may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a router over TCP until `stop`.
pub async fn tcp(listener: TcpListener, router: Router, stop: CancellationToken) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers at once: Nagle would hold them back 40 ms.
                let _ = stream.set_nodelay(true);
                open.spawn(connection(stream, Some(peer), router.clone(), stop.clone()));
            }
            Err(e) => pause_after(&e).await,
        }
    }
    end(open).await;
}

/// Serves a router over a unix socket until `stop`.
pub async fn unix(listener: UnixListener, router: Router, stop: CancellationToken) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                open.spawn(connection(stream, None, router.clone(), stop.clone()));
            }
            Err(e) => pause_after(&e).await,
        }
    }
    end(open).await;
}

/// Out of file descriptors, say: trying again at once would only burn the processor.
async fn pause_after(e: &std::io::Error) {
    if !matches!(
        e.kind(),
        std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::ConnectionReset
    ) {
        tracing::warn!(error = %e, "A connection could not be accepted: {e}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn end(open: TaskTracker) {
    open.close();
    let _ = tokio::time::timeout(GRACE, open.wait()).await;
}

async fn connection<S>(stream: S, peer: Option<SocketAddr>, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request: Request = request.map(axum::body::Body::new);
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {}))
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_headers(HEADERS)
        .max_buf_size(HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A peer that went away or spoke nonsense has been answered where that was possible.
            _ = connection.as_mut() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
