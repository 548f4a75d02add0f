//! A TCP proxy with faults between an agent and its server.
//!
//! **Invariant:** without a fault it changes nothing; each fault counts what it really did to bytes or connections, so
//! that a fault nobody felt can be told from one that was survived.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::frames::Frames;

/// What is wrong with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each piece of data arrives so much later.
    Delay(Duration),
    /// Nothing arrives, and nobody is told; new connections are taken and stay silent.
    Drop,
    /// What the agent says is lost, what the server says arrives.
    DropUp,
    /// What the server says is lost, what the agent says arrives.
    DropDown,
    /// Connections end with RST, new ones at once.
    Reset,
    /// Every whole websocket message arrives twice, both ways.
    Twice,
}

/// The proxy.
pub struct Proxy {
    /// Where agents reach the server.
    pub address: String,
    fault: watch::Sender<Fault>,
    hits: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Proxy {
    /// Listens on loopback and passes on to `target`.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Self {
            address: listener.local_addr()?.to_string(),
            fault: watch::Sender::new(Fault::None),
            hits: Arc::default(),
        };
        let (target, fault, hits) = (target.to_owned(), proxy.fault.subscribe(), proxy.hits.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), fault.clone(), hits.clone()));
            }
        });
        Ok(proxy)
    }

    /// The network is like this from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How often faults hit something so far: pieces of data held up or lost, connections reset, messages
    /// sent twice.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

async fn pass(client: TcpStream, target: String, fault: watch::Receiver<Fault>, hits: Arc<AtomicU64>) {
    if *fault.borrow() == Fault::Reset {
        hits.fetch_add(1, Ordering::Relaxed);
        reset(&client);
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        // As a server that is not there: refused, as far as a proxy can.
        reset(&client);
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true)); // speed alone
    // Once split, the connection has no other name left to reset it by.
    let Ok(handle) = client.as_fd().try_clone_to_owned() else {
        return;
    };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut changed = fault.clone();
    let torn = async {
        // Fails when the proxy itself is gone: then the connection goes too.
        let _ = changed.wait_for(|f| *f == Fault::Reset).await;
    };
    let up = tokio::spawn(one_way(from_client, to_server, Way::Up, fault.clone(), hits.clone()));
    let down = tokio::spawn(one_way(from_server, to_client, Way::Down, fault, hits.clone()));
    let (stop_up, stop_down) = (up.abort_handle(), down.abort_handle());
    let both = async {
        let _ = tokio::join!(up, down); // their ends are all there is to know
    };
    tokio::select! {
        () = both => {}
        () = torn => {
            hits.fetch_add(1, Ordering::Relaxed);
            reset(&handle);
            stop_up.abort();
            stop_down.abort();
        }
    }
}

/// Passes on one direction until it ends; the close goes through too, unless the network is silent.
async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut fault: watch::Receiver<Fault>,
    hits: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let (mut lost, mut frames) = (false, Frames::default());
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let now = *fault.borrow();
        let silent = match now {
            Fault::Drop => true,
            Fault::DropUp => way == Way::Up,
            Fault::DropDown => way == Way::Down,
            Fault::Delay(by) => {
                if read > 0 {
                    hits.fetch_add(1, Ordering::Relaxed);
                }
                sleep(by).await;
                false
            }
            Fault::None | Fault::Reset | Fault::Twice => false,
        };
        if silent && read > 0 {
            hits.fetch_add(1, Ordering::Relaxed);
            lost = true;
            continue;
        }
        if read == 0 && silent {
            // A close nobody hears of: the other side learns of it when the network is well again.
            let _ = fault.wait_for(|f| matches!(f, Fault::None | Fault::Reset)).await;
            return;
        }
        let (passed, copies) = frames.pass(&buffer[..read], now == Fault::Twice);
        hits.fetch_add(copies, Ordering::Relaxed);
        // TCP never skips: a stream with a hole would be another fault than a network's, so it ends here.
        if read == 0 || lost || to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

/// Ends a connection with RST when it is dropped.
fn reset(stream: &impl AsFd) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO)); // else it ends with FIN, which is close enough
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::time::timeout;

    /// A server that says back what it hears.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn say(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    async fn hits_reach(proxy: &Proxy, number: u64) {
        while proxy.hits() < number {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn without_a_fault_and_with_delay_all_arrives() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
        assert_eq!(say(&mut stream, b"one").await.unwrap(), b"one");
        assert_eq!(proxy.hits(), 0);
        proxy.set(Fault::Delay(Duration::from_millis(5)));
        assert_eq!(say(&mut stream, b"two").await.unwrap(), b"two");
        assert_eq!(proxy.hits(), 2, "there and back");
    }

    #[tokio::test]
    async fn a_silent_network_loses_and_then_ends_the_connection_instead_of_leaving_a_hole() {
        for fault in [Fault::Drop, Fault::DropUp] {
            let proxy = Proxy::start(&echo().await).await.unwrap();
            let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
            say(&mut stream, b"one").await.unwrap();
            proxy.set(fault);
            stream.write_all(b"lost").await.unwrap();
            hits_reach(&proxy, 1).await;
            proxy.set(Fault::None);
            assert!(say(&mut stream, b"two").await.is_err(), "{fault:?}");
            let mut again = TcpStream::connect(&proxy.address).await.unwrap();
            assert_eq!(say(&mut again, b"two").await.unwrap(), b"two");
        }
    }

    #[tokio::test]
    async fn half_open_what_the_server_says_is_lost() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
        proxy.set(Fault::DropDown);
        stream.write_all(b"heard").await.unwrap();
        hits_reach(&proxy, 1).await;
        assert!(
            timeout(Duration::from_millis(50), stream.read(&mut [0; 8]))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_reset_ends_what_is_and_what_comes() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
        say(&mut stream, b"one").await.unwrap();
        proxy.set(Fault::Reset);
        hits_reach(&proxy, 1).await;
        assert!(say(&mut stream, b"two").await.is_err());
        let mut next = TcpStream::connect(&proxy.address).await.unwrap();
        assert!(say(&mut next, b"three").await.is_err());
        hits_reach(&proxy, 2).await;
    }

    #[tokio::test]
    async fn messages_come_twice_only_while_that_is_the_fault() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(say(&mut stream, head).await.unwrap(), head);
        assert_eq!(say(&mut stream, b"\x81\x01a").await.unwrap(), b"\x81\x01a");
        proxy.set(Fault::Twice);
        stream.write_all(b"\x81\x01b").await.unwrap();
        let mut heard = [0; 12];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"\x81\x01b\x81\x01b\x81\x01b\x81\x01b");
        assert_eq!(proxy.hits(), 3, "one on its way there, two on their way back");
        proxy.set(Fault::None);
        assert_eq!(say(&mut stream, b"\x81\x01c").await.unwrap(), b"\x81\x01c");
    }
}
