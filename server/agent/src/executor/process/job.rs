//! What agent and runner say to each other over the runner's standard input, which is a socket. To the runner: frames of a
//! length (4 bytes, little endian) and JSON; a job's frame carries two descriptors, the step's outputs. Back: JSON lines.
//!
//! **Invariant:** command, environment and secrets travel here alone: never in an argument list, never on the disk.

use super::confine::Fence;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Longest frame: a script of 1.5 MiB, escaped, with its environment.
const LONGEST: usize = 16 << 20;

/// To a runner.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// Run this; the runner has no job.
    Job(Box<Job>),
    /// TERM to the step's process group.
    Term,
    /// KILL to the same; the rest of the tree follows.
    Kill,
}

/// What a runner runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    /// Program and arguments; the program is searched in the step's own `PATH`.
    pub argv: Vec<String>,
    /// All of the environment.
    pub env: BTreeMap<String, String>,
    /// Where it begins.
    pub workspace: PathBuf,
    /// What it may touch.
    pub fence: Fence,
    /// As whom: user and group id.
    pub user: Option<(u32, u32)>,
}

/// From a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// The command executes.
    Started,
    /// It could not: a sentence, and whether the plan is at fault. The runner is free again.
    Failed {
        /// Why.
        why: String,
        /// Whether the plan is at fault, and not the machine.
        plan: bool,
    },
    /// It ended, and nothing it began lives. The runner is free again.
    Exited(i64),
    /// The same, by a signal.
    Signalled(i64),
}

/// A message as a frame.
pub(super) fn frame(message: &Message) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Sends the first part of a frame, at least its first byte, with two descriptors; answers how much went.
pub(super) fn send_outputs(socket: BorrowedFd<'_>, frame: &[u8], outputs: [BorrowedFd<'_>; 2]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&outputs)) {
        return Err(io::Error::other("two descriptors do not fit"));
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(frame)],
        &mut control,
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    )?)
}

/// Receives a message with the descriptors that came along; `None` when the agent is gone.
pub(super) fn receive(mut socket: &UnixStream) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut length)];
    let got = loop {
        match recvmsg(socket.as_fd(), &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            got => break got?.bytes,
        }
    };
    if got == 0 {
        return Ok(None);
    }
    let mut outputs = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            outputs.extend(fds);
        }
    }
    socket.read_exact(&mut length[got..])?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::other("a frame is too long"));
    }
    let mut bytes = vec![0; length];
    socket.read_exact(&mut bytes)?;
    Ok(Some((serde_json::from_slice(&bytes)?, outputs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_job_arrives_with_its_outputs_and_an_order_without() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut read, write) = io::pipe().unwrap();
        let job = Job {
            argv: vec!["x".repeat(100_000)],
            env: BTreeMap::new(),
            workspace: "/".into(),
            fence: Fence::default(),
            user: None,
        };
        let bytes = frame(&Message::Job(Box::new(job))).unwrap();
        let sent = send_outputs(ours.as_fd(), &bytes, [write.as_fd(), write.as_fd()]).unwrap();
        (&ours).write_all(&bytes[sent..]).unwrap();
        (&ours).write_all(&frame(&Message::Term).unwrap()).unwrap();
        drop((ours, write));
        let (message, mut outputs) = receive(&theirs).unwrap().unwrap();
        assert!(matches!(message, Message::Job(job) if job.argv[0].len() == 100_000));
        assert_eq!(outputs.len(), 2);
        std::fs::File::from(outputs.remove(0)).write_all(b"hello").unwrap();
        drop(outputs);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let (message, outputs) = receive(&theirs).unwrap().unwrap();
        assert!(matches!(message, Message::Term) && outputs.is_empty());
        assert!(receive(&theirs).unwrap().is_none());
    }
}
