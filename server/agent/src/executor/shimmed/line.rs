//! The line to one shim: a listening socket on which it calls again whenever the connection broke.
//!
//! **Invariant:** the first caller is the shim, for no step lives before it has a job; later ones must know its token.
//! News is level, not edge: whoever looks after a bell sees everything that rang it.

use super::home::Home;
use super::tail::Seen;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use shim::wire::{self, End, FromShim, Standing, ToShim};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Plain, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Most bytes a shim's spool may hold that are not read.
pub(super) const BOUND: u64 = 8 << 20;
/// How long a caller may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

/// The line.
pub(super) struct Line {
    pub token: String,
    state: Arc<State>,
    _calls: AbortOnDropHandle<()>,
}

struct State {
    write: Mutex<Option<OwnedWriteHalf>>,
    /// How often it has called; odd while it is connected.
    up: watch::Sender<Up>,
    /// Rung when there may be something new to read.
    bell: Notify,
    last: Plain<Last>,
    /// Whether any token will do: it is only to be sent away.
    any: AtomicBool,
}

#[derive(Default)]
struct Last {
    standing: Standing,
    ended: Option<End>,
    read: u64,
}

/// Whether the shim is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Up {
    pub now: bool,
    pub ever: bool,
}

impl Line {
    /// Listens at a home for a new shim, or, with the token it was given, for one that is there already, whose spool
    /// is read up to `read`.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(home: &Home, token: Option<String>, read: u64) -> io::Result<Self> {
        let listener = UnixListener::from_std(home.listen()?)?;
        let files = [home.raw()?, home.record()?];
        let known = token.is_some();
        let token = token.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        let state = Arc::new(State {
            write: Mutex::default(),
            up: watch::Sender::default(),
            bell: Notify::new(),
            last: Plain::new(Last {
                read,
                ..Last::default()
            }),
            any: AtomicBool::new(false),
        });
        let calls = AbortOnDropHandle::new(tokio::spawn(calls(
            listener,
            files,
            token.clone(),
            known,
            state.clone(),
        )));
        Ok(Self {
            token,
            state,
            _calls: calls,
        })
    }

    /// Listens at the home of a shim whose token is not known, to send it away.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn dismissing(home: &Home) -> io::Result<Self> {
        let mut line = Self::open(home, None, 0)?;
        line.state.any.store(true, Ordering::Release);
        line.token.clear();
        Ok(line)
    }

    /// Whether it is connected, and was ever.
    pub fn up(&self) -> Up {
        *self.state.up.borrow()
    }

    /// Its comings and goings.
    pub fn ups(&self) -> watch::Receiver<Up> {
        self.state.up.subscribe()
    }

    /// Waits until it has called, or is gone for good.
    pub async fn met_or(&self, seen: &mut watch::Receiver<Seen>) {
        tokio::select! {
            () = self.met() => {}
            _ = seen.wait_for(|s| s.gone) => {}
        }
    }

    /// Waits until it has called.
    pub async fn met(&self) {
        let mut up = self.state.up.subscribe();
        // The sender lives as long as this.
        let _ = up.wait_for(|up| up.now).await;
    }

    /// Waits until it has been away for `patience`.
    pub async fn lost(&self, patience: Duration) {
        let mut up = self.state.up.subscribe();
        loop {
            let _ = up.wait_for(|up| !up.now).await;
            if timeout(patience, up.wait_for(|up| up.now)).await.is_err() {
                return;
            }
        }
    }

    /// Waits for something to read; for one listener.
    pub async fn news(&self) {
        self.state.bell.notified().await;
    }

    /// How it stood when it last said so.
    pub fn standing(&self) -> Standing {
        self.state.last().standing
    }

    /// An end that its spool could not take, told once: it says nothing of the steps that follow.
    pub fn ended(&self) -> Option<End> {
        self.state.last().ended.take()
    }

    /// Says something; `false` when the shim is away.
    pub async fn say(&self, message: &ToShim) -> bool {
        let Ok(bytes) = wire::encode(message) else { return false };
        let mut write = self.state.write.lock().await;
        match write.as_mut() {
            Some(half) => half.write_all(&bytes).await.is_ok(),
            None => false,
        }
    }

    /// Tells it that its spool is read up to here, when that is worth a word.
    pub async fn read(&self, upto: u64) {
        let worth = {
            let mut last = self.state.last();
            let worth = upto - last.read >= BOUND / 8 || last.standing.blocked && upto > last.read;
            if worth {
                last.read = upto;
                last.standing.blocked = false;
            }
            worth
        };
        if worth {
            self.say(&ToShim::Read(upto)).await;
        }
    }
}

impl State {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set(&self, write: Option<OwnedWriteHalf>) {
        let now = write.is_some();
        *self.write.lock().await = write;
        self.up.send_modify(|up| {
            up.now = now;
            up.ever |= now;
        });
        self.bell.notify_one();
    }
}

/// Takes calls, one at a time.
async fn calls(listener: UnixListener, files: [std::fs::File; 2], token: String, mut known: bool, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        let mut call = Call {
            socket,
            incoming: Vec::new(),
        };
        let Ok(Ok(FromShim::Hello { token: told, standing })) = timeout(HELLO, call.hear()).await else {
            continue;
        };
        // Who calls first has no token yet; one that had the call broken before the welcome has none either.
        let any = state.any.load(Ordering::Acquire);
        if !any && told.as_deref().map_or(known, |t| t != token) {
            tracing::warn!("Somebody else than the shim called at its socket");
            continue;
        }
        let read = state.last().read;
        let welcome = ToShim::Welcome {
            token: token.clone(),
            bound: BOUND,
            read,
        };
        if call.welcome(&welcome, told.is_none().then_some(&files)).await.is_err() {
            continue;
        }
        known = true;
        state.last().standing = standing;
        let (socket, incoming) = (call.socket, call.incoming);
        let (half, write) = socket.into_split();
        state.set(Some(write)).await;
        listen(half, incoming, &state).await;
        state.set(None).await;
    }
}

/// Hears the shim until the connection ends.
async fn listen(mut half: OwnedReadHalf, mut incoming: Vec<u8>, state: &State) {
    loop {
        while let Ok(Some(length)) = wire::first(&incoming) {
            if length > 0 {
                let message = serde_json::from_slice(&incoming[4..4 + length]);
                let mut last = state.last();
                match message {
                    Ok(FromShim::Standing(standing)) => last.standing = standing,
                    Ok(FromShim::Ended(end)) => last.ended = Some(end),
                    Ok(FromShim::Hello { .. }) | Err(_) => {}
                }
            }
            incoming.drain(..4 + length);
        }
        state.bell.notify_one();
        match half.read_buf(&mut incoming).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
}

/// A call that is being taken.
struct Call {
    socket: UnixStream,
    incoming: Vec<u8>,
}

impl Call {
    async fn hear(&mut self) -> io::Result<FromShim> {
        loop {
            if let Some(length) = wire::first(&self.incoming)? {
                let bytes: Vec<u8> = self.incoming.drain(..4 + length).collect();
                return Ok(serde_json::from_slice(&bytes[4..])?);
            }
            if self.socket.read_buf(&mut self.incoming).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn welcome(&mut self, welcome: &ToShim, files: Option<&[std::fs::File; 2]>) -> io::Result<()> {
        let bytes = wire::encode(welcome)?;
        let Some([raw, record]) = files else {
            return self.socket.write_all(&bytes).await;
        };
        // A few hundred bytes on an empty socket: they go whole.
        self.socket
            .async_io(Interest::WRITABLE, || {
                let fds = [raw.as_fd(), record.as_fd()];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
                    return Err(io::Error::other("two descriptors do not fit"));
                }
                let sent = sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
                if sent == bytes.len() {
                    Ok(())
                } else {
                    Err(io::ErrorKind::WriteZero.into())
                }
            })
            .await
    }
}
