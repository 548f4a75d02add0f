//! What names of images mean, as the engine said last: a job whose image is known asks nothing before its first step.
//!
//! **Invariant:** what is known was said by an engine whose events were being heard by then, and no event of an image came
//! since; with the events' connection goes all that is known.

use super::client::Engine;
use super::image::{self, Image};
use crate::executor::{ExecError, Progress};
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// After how long the events are heard for certain: the client does not tell when the engine took the request.
const HEARING: Duration = Duration::from_secs(1);
/// How long something stays known: an image that nobody wants has no container that waits either.
const FRESH: Duration = Duration::from_secs(600);

/// What is known.
#[derive(Default)]
pub(super) struct Known(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    images: BTreeMap<String, (Instant, Image)>,
    /// Whether somebody is about to hear the events, or does.
    listening: bool,
    hearing: bool,
    /// Counts what was heard, and connections that broke.
    turn: u64,
}

impl Known {
    /// Makes an image be there: at once when it is known to be.
    pub async fn ensure(&self, engine: &Engine, name: &str, progress: &dyn Progress) -> Result<Image, ExecError> {
        self.or(engine, name, image::ensure(engine, name, progress)).await
    }

    /// An image that is there already; nothing is pulled for it.
    pub async fn present(&self, engine: &Engine, name: &str) -> Option<Image> {
        let asked = async { image::present(engine, name).await.ok_or(()) };
        self.or(engine, name, asked).await.ok()
    }

    /// What is known, else what is said when it is asked.
    async fn or<E>(
        &self,
        engine: &Engine,
        name: &str,
        asked: impl Future<Output = Result<Image, E>>,
    ) -> Result<Image, E> {
        let turn = match self.find(name) {
            Ok(image) => return Ok(image),
            Err(turn) => turn,
        };
        self.listen(engine);
        let image = asked.await?;
        self.note(turn, &image);
        Ok(image)
    }

    /// The image, else the turn that is to be named with what the engine says of it.
    fn find(&self, name: &str) -> Result<Image, Option<u64>> {
        let heard = lock(&self.0);
        match heard.images.get(name) {
            Some((at, image)) if at.elapsed() < FRESH => Ok(image.clone()),
            _ => Err(heard.hearing.then_some(heard.turn)),
        }
    }

    fn note(&self, turn: Option<u64>, image: &Image) {
        let mut heard = lock(&self.0);
        if turn == Some(heard.turn) && heard.hearing {
            heard.images.insert(image.name.clone(), (Instant::now(), image.clone()));
        }
    }

    /// Hears the engine's events of images from now on, unless somebody does.
    fn listen(&self, engine: &Engine) {
        if std::mem::replace(&mut lock(&self.0).listening, true) {
            return;
        }
        tokio::spawn(hear(Arc::downgrade(&self.0), engine.clone()));
    }
}

/// Hears events until their connection breaks, or nobody wants to know any more.
async fn hear(heard: Weak<Mutex<Heard>>, engine: Engine) {
    // With what the engine still has of the last second, nothing falls between this and its answer.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = EventsOptionsBuilder::default()
        .since(&since.as_secs().saturating_sub(1).to_string())
        .filters(&HashMap::from([("type", vec!["image"])]))
        .build();
    let mut events = std::pin::pin!(engine.api.events(Some(options)));
    let mut hearing = std::pin::pin!(sleep(HEARING));
    let mut waits = true;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut hearing, if waits => {
                waits = false;
                let Some(heard) = heard.upgrade() else { return };
                lock(&heard).hearing = true;
                continue;
            }
        };
        let Some(heard) = heard.upgrade() else { return };
        let mut heard = lock(&heard);
        heard.turn += 1;
        heard.images.clear();
        if !matches!(event, Some(Ok(_))) {
            heard.listening = false;
            heard.hearing = false;
            return;
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::client::About;
    use super::*;
    use bollard::{API_DEFAULT_VERSION, Docker};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::broadcast;

    /// An engine of one image, which counts how often it is asked for it.
    struct Fake {
        asked: AtomicU32,
        /// What the image is now.
        image: AtomicU32,
        /// Chunks for those who hear events; an empty one breaks their connection.
        events: broadcast::Sender<&'static str>,
    }

    impl Fake {
        async fn serve(self: Arc<Self>, stream: TcpStream) -> std::io::Result<()> {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Some(request) = lines.next_line().await? {
                while lines.next_line().await?.is_some_and(|header| !header.is_empty()) {}
                if request.contains("/events?") {
                    let mut events = self.events.subscribe();
                    write
                        .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                        .await?;
                    while let Ok(event @ [_, ..]) = events.recv().await.map(str::as_bytes) {
                        let head = format!("{:x}\r\n", event.len());
                        write.write_all(&[head.as_bytes(), event, b"\r\n"].concat()).await?;
                    }
                    return Ok(());
                }
                self.asked.fetch_add(1, Ordering::SeqCst);
                let body = format!(r#"{{"Id":"sha256:{}"}}"#, self.image.load(Ordering::SeqCst));
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                write.write_all((head + &body).as_bytes()).await?;
            }
            Ok(())
        }
    }

    /// What the name means, once it was answered without a question.
    async fn settled(known: &Known, engine: &Engine, fake: &Fake) -> String {
        loop {
            let before = fake.asked.load(Ordering::SeqCst);
            let found = known.present(engine, "a:b").await.unwrap();
            if fake.asked.load(Ordering::SeqCst) == before {
                return found.id;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn an_image_is_asked_for_until_its_events_are_heard_and_again_after_each_of_them() {
        let fake = Arc::new(Fake {
            asked: AtomicU32::new(0),
            image: AtomicU32::new(1),
            events: broadcast::channel(8).0,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        let engine = Engine {
            api: Docker::connect_with_http(&host, 10, API_DEFAULT_VERSION).unwrap(),
            about: About {
                version: String::new(),
                cpus: 1,
                memory: 0,
            },
        };
        let known = Known::default();
        assert_eq!(settled(&known, &engine, &fake).await, "sha256:1");
        assert!(
            fake.asked.load(Ordering::SeqCst) > 1,
            "it was known before the events were heard"
        );

        for (now, event) in [(2, r#"{"Type":"image","Action":"tag"}"#), (3, "")] {
            fake.image.store(now, Ordering::SeqCst);
            fake.events.send(event).unwrap();
            // Until the event is there, it is what it was.
            while settled(&known, &engine, &fake).await != format!("sha256:{now}") {
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[test]
    fn what_was_asked_before_the_events_were_heard_or_one_came_is_not_known() {
        let image = Image {
            name: "a:b".into(),
            id: "sha256:1".into(),
            user: String::new(),
        };
        let known = Known::default();
        let turn = known.find("a:b").unwrap_err();
        lock(&known.0).hearing = true;
        known.note(turn, &image);
        assert!(known.find("a:b").is_err(), "the events were not heard yet");

        let turn = known.find("a:b").unwrap_err();
        lock(&known.0).turn += 1;
        known.note(turn, &image);
        assert!(known.find("a:b").is_err(), "an event came while it was asked");

        let turn = known.find("a:b").unwrap_err();
        known.note(turn, &image);
        assert_eq!(known.find("a:b"), Ok(image));
        assert!(known.find("a:c").is_err());
    }
}
