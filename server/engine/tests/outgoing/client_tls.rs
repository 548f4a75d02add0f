//! TLS: who is believed, and who not.

use crate::support::{Names, guard, head, ok};
use engine::outgoing::client::{Client, Limits, Request};
use engine::outgoing::{FaultKind, Lookup};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/outgoing/tls")
        .join(name)
}

/// A server with a certificate for `localhost`; counts who agreed on TLS with it.
async fn server(answer: String) -> (u16, Arc<AtomicUsize>) {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let agreed = Arc::new(AtomicUsize::new(0));
    let count = agreed.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = tls.write_all(answer.as_bytes()).await;
                let _ = tls.shutdown().await;
            }
        }
    });
    (port, agreed)
}

fn trusting(names: Arc<dyn Lookup>, authority: bool) -> Client {
    let authorities = match authority {
        true => vec![CertificateDer::from_pem_file(file("ca.pem")).unwrap()],
        false => Vec::new(),
    };
    Client::trusting(guard(&["127.0.0.1"]).looking_up(names), Limits::default(), authorities)
}

#[tokio::test]
async fn a_server_proves_its_name() {
    let (port, agreed) = server(ok("hi")).await;
    let names = Names::of(&[("localhost", &[&["127.0.0.1"]]), ("other.example", &[&["127.0.0.1"]])]);
    let url = |host: &str| Request::get(format!("https://{host}:{port}/"));
    let answer = trusting(names.clone(), true).send(url("localhost")).await.unwrap();
    assert_eq!((&answer.body[..], agreed.load(Ordering::SeqCst)), (&b"hi"[..], 1));
    for (authority, host) in [(false, "localhost"), (true, "other.example"), (true, "127.0.0.1")] {
        let fault = trusting(names.clone(), authority).send(url(host)).await.unwrap_err();
        assert!(
            fault.kind == FaultKind::Unreachable && fault.sentence.contains("certificate"),
            "{host}: {fault}"
        );
    }
    assert_eq!(agreed.load(Ordering::SeqCst), 1, "somebody was believed");
}

#[tokio::test]
async fn who_speaks_no_tls_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        head(&mut tcp).await
    });
    let names = Names::of(&[("localhost", &[&["127.0.0.1"]])]);
    let request = Request::get(format!("https://localhost:{port}/"))
        .proving("authorization", "s3cret")
        .unwrap();
    let fault = trusting(names, true).send(request).await.unwrap_err();
    assert!(fault.sentence.contains("does not speak TLS"), "{fault}");
    assert!(!plain.await.unwrap().contains("s3cret"));
}

#[tokio::test]
async fn tls_is_not_given_up_on_the_way() {
    let (port, agreed) = server(crate::support::moved(302, "http://127.0.0.1:9/")).await;
    let names = Names::of(&[("localhost", &[&["127.0.0.1"]])]);
    let request = Request::get(format!("https://localhost:{port}/"));
    let fault = trusting(names, true).send(request).await.unwrap_err();
    assert_eq!(
        (fault.kind, agreed.load(Ordering::SeqCst)),
        (FaultKind::Refused, 1),
        "{fault}"
    );
    assert!(fault.sentence.contains("no TLS"), "{fault}");
}
