//! A fake forge that records what it is told of commits.

use crate::support::client;
use domain::forge::{Provider, State, Status, Told, place, read, request};
use engine::outgoing::client::Request;
use fake::Forge;

/// The forge: one request at a time, bodies too.
mod fake {
    use crate::support::head;
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    pub struct Forge {
        pub at: SocketAddr,
        pub told: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
    }

    impl Forge {
        pub async fn start(answers: &'static [&'static str]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let told: Arc<Mutex<Vec<_>>> = Arc::default();
            let kept = told.clone();
            tokio::spawn(async move {
                for answer in answers.iter().cycle() {
                    let (mut tcp, _) = listener.accept().await.unwrap();
                    let head = head(&mut tcp).await;
                    let length = head
                        .lines()
                        .find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
                        .unwrap();
                    let mut body = vec![0; length.parse().unwrap()];
                    tcp.read_exact(&mut body).await.unwrap();
                    kept.lock()
                        .unwrap()
                        .push((head, serde_json::from_slice(&body).unwrap()));
                    tcp.write_all(answer.as_bytes()).await.unwrap();
                    tcp.shutdown().await.unwrap();
                }
            });
            Self { at, told }
        }
    }
}

const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";
const LIMITED: &str = "HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
const NOBODY: &str = "HTTP/1.1 401 No\r\ncontent-length: 29\r\n\r\n{\"message\": \"Bad credentials\"}";

#[tokio::test]
async fn a_status_reaches_each_forge_and_its_answer_is_understood() {
    let forge = Forge::start(&[CREATED, LIMITED, NOBODY]).await;
    let client = client(&["127.0.0.1"]);
    for (provider, path, header) in [
        (
            Provider::Gitea,
            "/api/v1/repos/o/r/statuses/",
            "authorization: token t0ken",
        ),
        (
            Provider::GitHub,
            "/api/v3/repos/o/r/statuses/",
            "authorization: Bearer t0ken",
        ),
        (
            Provider::GitLab,
            "/api/v4/projects/o%2Fr/statuses/",
            "private-token: t0ken",
        ),
    ] {
        let place = place(provider, &format!("http://{}/o/r.git", forge.at), None).unwrap();
        let status = Status {
            revision: "ab".repeat(20),
            state: State::Success,
            target_url: "https://ci.example.org/tasks/1".into(),
            context: "caracal/app".into(),
            description: "Passed".into(),
            branch: Some("main".into()),
        };
        let wanted = request(provider, &place, &status, "t0ken").unwrap();
        let mut told = Vec::new();
        for _ in 0..3 {
            let answer = client.send(Request::telling(&wanted).unwrap()).await.unwrap();
            let header = |name: &str| answer.header(name).map(str::to_owned);
            let body = String::from_utf8_lossy(&answer.body);
            told.push(read(provider, answer.status.as_u16(), header, &body, 0));
        }
        assert_eq!(told[0], Told::Done);
        assert!(matches!(told[1], Told::Again { after: Some(7_000), .. }), "{told:?}");
        assert!(
            matches!(&told[2], Told::GiveUp { why } if why.contains("token")),
            "{told:?}"
        );
        let (head, body) = forge.told.lock().unwrap().pop().unwrap();
        assert!(
            head.starts_with(&format!("POST {path}{} HTTP/1.1\r\n", "ab".repeat(20))),
            "{head}"
        );
        assert!(head.contains(header) && head.contains("user-agent: caracal/"), "{head}");
        assert_eq!(body["state"], "success");
    }
    let broken = request(
        Provider::GitHub,
        &place(Provider::GitHub, "https://github.com/o/r", None).unwrap(),
        &Status {
            revision: "ab".repeat(20),
            state: State::Pending,
            target_url: String::new(),
            context: "c".into(),
            description: String::new(),
            branch: None,
        },
        "t0ken\r\nx: y",
    );
    let fault = Request::telling(&broken.unwrap()).unwrap_err();
    assert!(!fault.sentence.contains("t0ken"), "{fault}");
}
