//! The way to the agent: found again whenever it was restarted.
//!
//! **Invariant:** orders count only after our token was told or given; what is said to an agent that is away is said again
//! in the next hello or is in the files.

use rustix::event::PollFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use shim::wire::{End, FromShim, Standing, ToShim, encode, first};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The way.
pub(super) struct Link {
    path: PathBuf,
    /// The folder of the socket, where it has no path of its own.
    _folder: Option<File>,
    socket: Option<UnixStream>,
    token: Option<String>,
    /// What the agent sent and is not whole yet.
    incoming: Vec<u8>,
    /// What the socket did not take yet.
    outgoing: Vec<u8>,
}

/// What the agent said.
pub(super) enum Heard {
    Files([File; 2]),
    Message(ToShim),
}

impl Link {
    /// To the socket at `at`, else to the one in the present folder, which may be left then.
    pub fn new(at: Option<PathBuf>) -> io::Result<Self> {
        let (path, folder) = match at {
            Some(path) => (path, None),
            None => {
                let folder = File::open(".")?;
                let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), shim::SOCKET);
                (path.into(), Some(folder))
            }
        };
        Ok(Self {
            path,
            _folder: folder,
            socket: None,
            token: None,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        })
    }

    /// Whether the agent is there.
    pub fn up(&self) -> bool {
        self.socket.is_some()
    }

    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    pub fn wants(&self) -> PollFlags {
        if self.outgoing.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        }
    }

    /// Tries to find the agent, and says hello.
    pub fn reach(&mut self, standing: &Standing) {
        let Ok(socket) = UnixStream::connect(&self.path) else {
            return;
        };
        if socket.set_nonblocking(true).is_err() {
            return;
        }
        self.socket = Some(socket);
        self.incoming.clear();
        self.outgoing.clear();
        self.say(&FromShim::Hello {
            token: self.token.clone(),
            standing: *standing,
        });
    }

    /// The agent has answered.
    pub fn welcomed(&mut self, token: String) {
        self.token.get_or_insert(token);
    }

    pub fn stands(&mut self, standing: Standing) {
        self.say(&FromShim::Standing(standing));
    }

    pub fn ended(&mut self, end: End) {
        self.say(&FromShim::Ended(end));
    }

    /// Says that there is something to read. Where the agent has not heard the last such word yet, it needs no other.
    pub fn wake(&mut self) {
        if self.outgoing.is_empty()
            && let Some(socket) = &self.socket
        {
            let _ = send(socket, &[0; 4], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }

    fn say(&mut self, message: &FromShim) {
        if let Ok(bytes) = encode(message) {
            self.outgoing.extend(bytes);
            self.flush();
        }
    }

    fn flush(&mut self) {
        while let (Some(socket), false) = (&self.socket, self.outgoing.is_empty()) {
            match send(socket, &self.outgoing, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(n) => drop(self.outgoing.drain(..n)),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.socket = None,
            }
        }
    }

    /// All that has arrived. The socket is down afterwards when the agent has gone.
    pub fn hear(&mut self) -> Vec<Heard> {
        self.flush();
        let mut heard = Vec::new();
        let mut buf = vec![0; 64 * 1024];
        while let Some(socket) = &self.socket {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let read = recvmsg(socket, &mut [IoSliceMut::new(&mut buf)], &mut control, flags);
            let files: Vec<OwnedFd> = control
                .drain()
                .filter_map(|m| match m {
                    RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                    _ => None,
                })
                .flatten()
                .collect();
            if let Ok([spool, record]) = <[OwnedFd; 2]>::try_from(files) {
                heard.push(Heard::Files([spool.into(), record.into()]));
            }
            match read {
                Ok(message) if message.bytes > 0 => self.incoming.extend(&buf[..message.bytes]),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                // All it sent before it went is heard first.
                Ok(_) | Err(_) => self.socket = None,
            }
        }
        let mut at = 0;
        while let Ok(Some(length)) = first(&self.incoming[at..]) {
            let json = &self.incoming[at + 4..at + 4 + length];
            heard.extend(serde_json::from_slice(json).ok().map(Heard::Message));
            at += 4 + length;
        }
        self.incoming.drain(..at);
        heard
    }
}
