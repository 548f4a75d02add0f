//! A TCP port that leads to an engine's socket, as a remote engine's would, and whose connections break when told to.
//!
//! **Invariant:** it counts what it broke, so that a test can show that its fault fired.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The port.
pub struct Proxy {
    /// As in `DOCKER_HOST`.
    pub host: String,
    cuts: watch::Sender<u64>,
    state: Arc<State>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct State {
    open: AtomicUsize,
    broken: AtomicUsize,
}

impl Proxy {
    /// One before the engine at `unix://…`.
    pub async fn before(engine: &str) -> Self {
        let socket = engine.strip_prefix("unix://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let (cuts, cut) = watch::channel(0);
        let state = Arc::<State>::default();
        let counted = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let (mut cut, state, socket) = (cut.clone(), counted.clone(), socket.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut unix) = UnixStream::connect(&socket).await else {
                        return;
                    };
                    state.open.fetch_add(1, Ordering::SeqCst);
                    let ((mut from, mut to), (mut answer, mut ask)) = (tcp.split(), unix.split());
                    tokio::select! {
                        _ = tokio::io::copy(&mut from, &mut ask) => {}
                        _ = tokio::io::copy(&mut answer, &mut to) => {}
                        _ = cut.changed() => {
                            state.broken.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            host,
            cuts,
            state,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Breaks all connections there are; answers how many.
    pub async fn cut(&self) -> usize {
        let before = self.state.broken.load(Ordering::SeqCst);
        self.cuts.send_modify(|n| *n += 1);
        while self.state.open.load(Ordering::SeqCst) > 0 && self.state.broken.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        self.state.broken.load(Ordering::SeqCst) - before
    }

    /// Waits until nobody is connected.
    pub async fn alone(&self) {
        while self.state.open.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
