//! A browser's socket, as far as tests need one.

use crate::house::House;
use domain::live::{FromBrowser, FromServer, decode_bytes};
use futures::{SinkExt as _, StreamExt as _};
use server::web::listen;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes; only a hang is ended by it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub struct Browser(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

pub enum Heard {
    Said(FromServer),
    Bytes(u32, u64, Vec<u8>),
    Over,
}

pub async fn listening(house: &House) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(listen::tcp(listener, house.router.clone(), CancellationToken::new()));
    at
}

impl Browser {
    pub async fn open(at: SocketAddr, token: &str) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{at}/live").into_client_request()?;
        if !token.is_empty() {
            request
                .headers_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ok(Self(tokio_tungstenite::connect_async(request).await?.0))
    }

    pub async fn say(&mut self, message: &FromBrowser) {
        self.0
            .send(Message::text(serde_json::to_string(message).unwrap()))
            .await
            .unwrap();
    }

    pub async fn hear(&mut self) -> Heard {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("the server says something")
            {
                Some(Ok(Message::Text(t))) => return Heard::Said(serde_json::from_str(&t).unwrap()),
                Some(Ok(Message::Binary(b))) => {
                    let (id, offset, bytes) = decode_bytes(&b).unwrap();
                    return Heard::Bytes(id, offset, bytes.to_vec());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Over,
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn said(&mut self) -> FromServer {
        match self.hear().await {
            Heard::Said(m) => m,
            Heard::Bytes(id, at, b) => panic!("bytes of view {id} at {at}: {} of them", b.len()),
            Heard::Over => panic!("the connection is over"),
        }
    }

    /// Takes bytes of a view up to a length, acknowledging each push.
    pub async fn bytes(&mut self, id: u32, from: u64, len: usize) -> Vec<u8> {
        let mut got = Vec::new();
        while got.len() < len {
            match self.hear().await {
                Heard::Bytes(of, at, bytes) if of == id => {
                    assert_eq!(at, from + got.len() as u64, "pushes follow each other");
                    got.extend(bytes);
                    self.say(&FromBrowser::Ack {
                        id,
                        offset: from + got.len() as u64,
                    })
                    .await;
                }
                Heard::Said(FromServer::Mark { ended: false, .. }) | Heard::Bytes(..) => {}
                Heard::Said(m) => panic!("{m:?} after {} bytes", got.len()),
                Heard::Over => panic!("over after {} bytes", got.len()),
            }
        }
        got
    }
}
