//! An agent's side of one shim, as plain as can be: folder, socket, spool.

use shim::frame::{HEAD, Head, Kind};
use shim::wire::{End, FromShim, Job, Standing, ToShim, encode, first};
use shim::{SOCKET, since_boot};
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Room {
    pub dir: TempDir,
    pub child: Child,
    listener: UnixListener,
    socket: Option<UnixStream>,
    incoming: Vec<u8>,
    pub read: u64,
    pub frames: Vec<(Head, Vec<u8>)>,
    next: i64,
}

impl Room {
    /// A shim that was welcomed with this spool.
    pub fn with(spool: Option<&Path>, bound: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_caracal-shim"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let files = [dir.path().join("spool"), dir.path().join("record")];
        let open = |p: &Path| {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(p)
                .unwrap()
        };
        let spool = spool.map_or_else(|| open(&files[0]), open);
        let record = open(&files[1]);
        shim::record::prepare(&record).unwrap();
        let mut room = Self {
            dir,
            child,
            listener,
            socket: None,
            incoming: Vec::new(),
            read: 0,
            frames: Vec::new(),
            next: 0,
        };
        assert_eq!(room.meet().0, None, "the first hello has no token");
        let welcome = ToShim::Welcome {
            token: "secret".into(),
            bound,
            read: 0,
        };
        let bytes = encode(&welcome).unwrap();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        let fds = [spool.as_fd(), record.as_fd()];
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
        let socket = room.socket.as_ref().unwrap();
        let sent = rustix::net::sendmsg(
            socket,
            &[IoSlice::new(&bytes)],
            &mut control,
            rustix::net::SendFlags::empty(),
        );
        assert_eq!(sent.unwrap(), bytes.len());
        room
    }

    pub fn new() -> Self {
        Self::with(None, 8 << 20)
    }

    /// Waits for its hello; answers token and standing.
    pub fn meet(&mut self) -> (Option<String>, Standing) {
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        self.socket = Some(socket);
        self.incoming.clear();
        match self.hear() {
            FromShim::Hello { token, standing } => (token, standing),
            other => panic!("{other:?} is no hello"),
        }
    }

    /// The agent is gone, and its socket too.
    pub fn away(&mut self) {
        std::fs::remove_file(self.dir.path().join(SOCKET)).unwrap();
        self.socket = None;
    }

    /// An agent listens again.
    pub fn back(&mut self) {
        self.listener = UnixListener::bind(self.dir.path().join(SOCKET)).unwrap();
    }

    /// The agent is gone.
    pub fn leave(&mut self) {
        self.socket = None;
    }

    /// The next message; what only says that there is more to read is skipped.
    pub fn hear(&mut self) -> FromShim {
        loop {
            if let Some(length) = first(&self.incoming).unwrap() {
                let message: Vec<u8> = self.incoming.drain(..4 + length).skip(4).collect();
                if length > 0 {
                    return serde_json::from_slice(&message).unwrap();
                }
                continue;
            }
            let mut bytes = [0; 4096];
            let n = self.socket.as_ref().unwrap().read(&mut bytes).unwrap();
            assert!(n > 0, "the shim has gone");
            self.incoming.extend(&bytes[..n]);
        }
    }

    pub fn say(&mut self, message: &ToShim) {
        let bytes = encode(message).unwrap();
        self.socket.as_ref().unwrap().write_all(&bytes).unwrap();
    }

    /// Gives it a script; answers the step's number.
    pub fn run(&mut self, script: &str) -> i64 {
        self.give(script, |_| {})
    }

    pub fn give(&mut self, script: &str, more: impl FnOnce(&mut Job)) -> i64 {
        self.next += 1;
        let mut job = Job {
            step: self.next,
            argv: ["/bin/sh", "-ec", script].map(Into::into).to_vec(),
            dir: self.dir.path().into(),
            grace_ms: 100,
            ..Job::default()
        };
        more(&mut job);
        self.say(&ToShim::Job(Box::new(job)));
        self.next
    }

    /// Reads frames until one is as wanted.
    pub fn until(&mut self, wanted: impl Fn(&Head, &[u8]) -> bool) {
        let began = Instant::now();
        loop {
            let file = std::fs::read(self.dir.path().join("spool")).unwrap();
            let mut found = false;
            while let Ok(Some(head)) = Head::decode(&file[self.read as usize..]) {
                let from = self.read as usize + HEAD;
                let Some(bytes) = file.get(from..from + head.len) else {
                    break;
                };
                found |= wanted(&head, bytes);
                self.frames.push((head, bytes.to_vec()));
                self.read += (HEAD + head.len) as u64;
            }
            if found {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it never came: {:?}", self.frames);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The end of a step.
    pub fn end(&mut self, step: i64) -> End {
        let ended = |h: &Head| h.kind == Kind::End && h.step == step;
        // It may have come with what was waited for before.
        if !self.frames.iter().any(|(h, _)| ended(h)) {
            self.until(|h, _| ended(h));
        }
        let (_, json) = self
            .frames
            .iter()
            .find(|(h, _)| h.kind == Kind::End && h.step == step)
            .unwrap();
        serde_json::from_slice(json).unwrap()
    }

    /// What a step wrote to one of its outputs.
    pub fn text(&self, step: i64, kind: Kind) -> String {
        let frames = self.frames.iter().filter(|(h, _)| (h.step, h.kind) == (step, kind));
        String::from_utf8(frames.flat_map(|(_, b)| b.clone()).collect()).unwrap()
    }

    pub fn after(&self, ms: u64) -> u64 {
        u64::try_from((since_boot() + Duration::from_millis(ms)).as_nanos()).unwrap()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
