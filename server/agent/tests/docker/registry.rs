//! A registry of one image, in the network namespace of an engine of the test's own: engines speak plain HTTP to
//! 127.0.0.0/8 alone, and theirs is not ours.
//!
//! **Invariant:** what it does not have it answers for as registries do, so that the engine's words are the real ones.

use super::Engine;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

type Things = BTreeMap<String, (&'static str, Vec<u8>)>;

/// Serves `app:1`, whose one layer is the tar archive given, until the test's process ends.
pub fn serve(engine: &Engine, layer: Vec<u8>) -> SocketAddr {
    let here = engine.enter(&["readlink", "/proc/self/ns/net"]);
    let listener = std::thread::spawn(move || {
        let process = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|e| e.path().join("ns/net"));
        let mut spaces = process.filter(|p| fs::read_link(p).is_ok_and(|l| l.to_string_lossy() == here));
        let space = fs::File::open(spaces.next().unwrap()).unwrap();
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), None).unwrap();
        TcpListener::bind("127.0.0.1:0").unwrap()
    });
    let listener = listener.join().unwrap();
    let address = listener.local_addr().unwrap();
    let things = Arc::new(things(layer));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let things = things.clone();
            std::thread::spawn(move || answer(stream, &things));
        }
    });
    address
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

fn things(layer: Vec<u8>) -> Things {
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": digest(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "size": layer.len(), "digest": digest(&layer),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let blob = |bytes: &[u8]| format!("/v2/app/blobs/{}", digest(bytes));
    BTreeMap::from([
        ("/v2/".into(), ("text/plain", Vec::new())),
        (blob(&config), ("application/octet-stream", config)),
        (blob(&layer), ("application/octet-stream", layer)),
        (
            format!("/v2/app/manifests/{}", digest(&manifest)),
            (MANIFEST, manifest.clone()),
        ),
        ("/v2/app/manifests/1".into(), (MANIFEST, manifest)),
    ])
}

/// Answers one request and hangs up. What is not HTTP (a try of TLS) gets no answer.
fn answer(mut stream: TcpStream, things: &Things) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(request)) = lines.next() else { return };
    let mut words = request.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return;
    };
    let head = lines.take_while(|l| l.as_ref().is_ok_and(|l| !l.is_empty()));
    if head.count() == 0 {
        return;
    }
    let absent = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec();
    let (status, kind, body) = match things.get(path) {
        Some((kind, body)) => ("200 OK", *kind, body),
        None => ("404 Not Found", "application/json", &absent),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(body),
    );
    let body: &[u8] = if method == "HEAD" { &[] } else { body };
    // The engine may have hung up.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
