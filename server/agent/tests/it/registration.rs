//! The first connection of an agent: what answers, who is believed, and what each end is called.
//!
//! The certificate in `tls/` names `localhost`, is vouched for by the authority beside it, and ends in a hundred years.

use crate::support::{Agent, Server};
use agent::address::Address;
use agent::identity::Identity;
use agent::{End, Registration, register};
use domain::AgentId;
use futures::{SinkExt, StreamExt};
use protocol::{FromAgent, RefusalCode, ToAgent, VERSIONS, decode, encode};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// Registers at an address, with a data folder of its own.
async fn join(url: impl AsRef<str>, ca: Option<&Path>) -> anyhow::Result<(bool, Identity)> {
    let dir = tempfile::tempdir().unwrap();
    let mut identity = Identity::open(dir.path()).unwrap();
    let url = Address::parse(url.as_ref()).unwrap().url;
    let wish = Registration {
        server: &url,
        ca,
        token: "agt_token",
        name: None,
    };
    let joined = register(&mut identity, &wish, &CancellationToken::new()).await?;
    Ok((joined, identity))
}

fn ended(result: anyhow::Result<(bool, Identity)>) -> (u8, String) {
    let e = result.expect_err("it was registered");
    let end = e.downcast_ref::<End>().unwrap_or_else(|| panic!("{e:#}"));
    (end.exit_code(), e.to_string())
}

/// Takes a websocket and answers its first message; the message.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answer: &ToAgent) -> FromAgent {
    let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
    let Some(Ok(Message::Text(text))) = ws.next().await else {
        panic!("nothing said")
    };
    ws.send(Message::text(encode(answer))).await.unwrap();
    let _ = ws.flush().await;
    // Until it goes: an answer must not be lost with its connection.
    while let Some(Ok(_)) = ws.next().await {}
    decode(&text).unwrap()
}

fn registered() -> ToAgent {
    ToAgent::Registered {
        agent: AgentId(7),
        name: "kiln".into(),
    }
}

/// Reads a request's head and answers it with this text.
async fn plain(mut tcp: TcpStream, answer: &str) {
    let mut head = [0; 4096];
    let _ = tcp.read(&mut head).await;
    let _ = tcp.write_all(answer.as_bytes()).await;
    let _ = tcp.shutdown().await;
}

#[tokio::test]
async fn an_agent_is_registered_with_a_key_it_made_before() {
    let (listener, at) = listener().await;
    let served = async { answer(listener.accept().await.unwrap().0, &registered()).await };
    let (said, joined) = tokio::join!(served, join(format!("http://{at}"), None));
    let (joined, identity) = joined.unwrap();
    assert_eq!((joined, identity.agent()), (true, Some(AgentId(7))));
    let FromAgent::Register {
        versions,
        token,
        credential,
        name,
        hostname,
    } = said
    else {
        panic!("{said:?}")
    };
    assert_eq!(
        (versions.as_slice(), token.as_str(), name),
        (VERSIONS, "agt_token", None)
    );
    assert_eq!(credential, identity.credential());
    assert!(!hostname.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_and_a_proxy_without_server_are_tried_again_with_the_same_key() {
    let (listener, at) = listener().await;
    let served = async {
        // It hears the wish and goes without a word.
        let mut ws = tokio_tungstenite::accept_async(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let Some(Ok(Message::Text(first))) = ws.next().await else {
            panic!("nothing said")
        };
        drop(ws);
        plain(
            listener.accept().await.unwrap().0,
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        drop(listener.accept().await.unwrap().0);
        let second = answer(listener.accept().await.unwrap().0, &registered()).await;
        (decode::<FromAgent>(&first).unwrap(), second)
    };
    let ((first, second), joined) = tokio::join!(served, join(format!("http://{at}"), None));
    assert_eq!(first, second, "token and key are those of the first try");
    assert!(joined.unwrap().0);
}

#[tokio::test]
async fn refusals_have_codes_of_their_own() {
    for (code, want) in [
        (RefusalCode::Token, 3),
        (RefusalCode::Version, 4),
        (RefusalCode::Credential, 6),
        (RefusalCode::Removed, 6),
        (RefusalCode::Name, 7),
    ] {
        let (listener, at) = listener().await;
        let reason = "Because.".to_owned();
        let refusal = ToAgent::Refused { reason, code };
        let served = async { answer(listener.accept().await.unwrap().0, &refusal).await };
        let (_, joined) = tokio::join!(served, join(format!("http://{at}"), None));
        assert_eq!(ended(joined), (want, "Because.".into()), "{code:?}");
    }
}

#[tokio::test]
async fn what_answers_and_is_not_caracal_ends_it_in_one_line() {
    for (text, want) in [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "is no Caracal server (404 Not Found)",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "is no Caracal server (200 OK)",
        ),
        (
            "HTTP/1.1 301 Moved\r\nlocation: https://ci.example.org/agent\r\ncontent-length: 0\r\n\r\n",
            "has moved to https://ci.example.org/agent",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "is no Caracal server"),
    ] {
        let (listener, at) = listener().await;
        let served = async { plain(listener.accept().await.unwrap().0, text).await };
        let ((), joined) = tokio::join!(served, join(format!("http://{at}"), None));
        let (code, line) = ended(joined);
        assert_eq!((code, line.lines().count()), (5, 1), "{line}");
        assert!(line.contains(want), "{text}: {line}");
    }
    // A websocket that is somebody else's: it repeats what is said.
    let (listener, at) = listener().await;
    let served = async {
        let mut ws = tokio_tungstenite::accept_async(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let said = ws.next().await.unwrap().unwrap();
        let _ = ws.send(said).await;
    };
    let ((), joined) = tokio::join!(served, join(format!("http://{at}"), None));
    let (code, line) = ended(joined);
    assert!(code == 5 && line.contains("is no Caracal server"), "{line}");
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_server_proves_its_name_by_an_authority_that_is_trusted() {
    let (listener, at) = listener().await;
    let served = async {
        let tls = acceptor().accept(listener.accept().await.unwrap().0).await.unwrap();
        answer(tls, &registered()).await
    };
    let url = format!("https://localhost:{}", at.port());
    let ca = file("ca.pem");
    let (_, joined) = tokio::join!(served, join(&url, Some(&ca)));
    assert!(joined.unwrap().0);

    for (url, ca, want) in [
        (url.as_str(), None, "is not to be trusted"),
        // The right authority, another name.
        (
            &format!("https://127.0.0.1:{}", at.port()),
            Some(ca.as_path()),
            "is not to be trusted",
        ),
    ] {
        let served = async {
            let refused = acceptor().accept(listener.accept().await.unwrap().0).await;
            assert!(refused.is_err(), "it went on all the same");
        };
        let ((), joined) = tokio::join!(served, join(url, ca));
        let (code, line) = ended(joined);
        assert!(code == 5 && line.contains(want) && line.contains("--ca"), "{line}");
    }
    let served = async { plain(listener.accept().await.unwrap().0, "HTTP/1.1 400 Bad Request\r\n\r\n").await };
    let ((), joined) = tokio::join!(served, join(&url, Some(&ca)));
    let (code, line) = ended(joined);
    assert!(code == 5 && line.contains("does not speak TLS"), "{line}");
}

#[test]
fn a_file_of_authorities_is_looked_at_before_anything_else() {
    assert!(agent::check_authorities(Some(&file("ca.pem"))).is_ok());
    for (name, want) in [("server.key", "holds no certificate"), ("none.pem", "cannot be read")] {
        let e = format!("{:#}", agent::check_authorities(Some(&file(name))).unwrap_err());
        assert!(e.contains(want), "{e}");
    }
}

#[tokio::test]
async fn an_agent_that_was_taken_over_or_removed_ends() {
    for (code, want) in [
        (RefusalCode::Replaced, "Another process has connected"),
        (RefusalCode::Removed, "Because."),
    ] {
        let mut server = Server::start().await;
        let agent = Agent::start(&server);
        let mut peer = server.accept().await;
        let reason = "Because.".to_owned();
        peer.send(&ToAgent::Refused { reason, code }).await;
        let e = agent.run.await.unwrap().unwrap_err();
        assert_eq!(e.downcast_ref::<End>().map(End::exit_code), Some(6));
        assert!(e.to_string().contains(want), "{e}");
    }
}

#[tokio::test]
async fn a_version_nobody_asked_for_ends_a_new_agent_and_is_waited_out_by_one_that_worked() {
    let welcome = |version| ToAgent::Welcome {
        version,
        session: 1,
        server: "test".into(),
        heartbeat_ms: 5_000,
        lease_ms: 600_000,
    };
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    server.greet().await.send(&welcome(VERSIONS[0] + 1)).await;
    let e = agent.run.await.unwrap().unwrap_err();
    assert_eq!(e.downcast_ref::<End>().map(End::exit_code), Some(4), "{e}");

    let agent = Agent::start(&server);
    drop(server.accept().await);
    let reason = "No common protocol version.".to_owned();
    let code = RefusalCode::Version;
    server.greet().await.send(&ToAgent::Refused { reason, code }).await;
    let _peer = server.accept().await;
    agent.stop().await;
}

#[tokio::test]
async fn load_and_clock_are_told_at_once_and_with_each_heartbeat() {
    let mut server = Server::start().await;
    // Long enough that a machine with much to do answers within three of them, after which the agent would go.
    server.heartbeat = 300;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let mut seen = Vec::new();
    while seen.len() < 6 {
        match server.step(&mut peer).await.expect("the agent closed") {
            FromAgent::Load(load) => {
                assert!(
                    load.at.0 > 0 && load.cpu_percent <= 100 && load.memory_used > 0,
                    "{load:?}"
                );
                seen.push("load");
            }
            FromAgent::Heartbeat { .. } => seen.push("heartbeat"),
            _ => {}
        }
    }
    assert_eq!(seen[..5], ["load", "load", "heartbeat", "load", "heartbeat"]);
    agent.stop().await;
}
