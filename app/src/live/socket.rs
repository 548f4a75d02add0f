//! The tab's one websocket to `/live`: subscriptions and console views over it, back-off and resumption.
//!
//! What is followed is kept in a table; a new connection says the whole table again, each entry from the last number or
//! offset heard, so nothing above this file knows of reconnects.
//!
//! **Invariant:** a callback runs outside any borrow of the table, so it may subscribe, drop and seek freely.

use super::{Link, Seen, Topic};
use crate::wire::json;
use domain::AttemptId;
use domain::live::{FromBrowser, decode_bytes};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::{Either, select};
use futures::{SinkExt, StreamExt};
use gloo_net::websocket::{Message, futures::WebSocket};
use gloo_timers::callback::Timeout;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use serde::Deserialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// Bumps of one subscription come no closer than this, but for the first.
const CALM_MS: u32 = 250;
const BACKOFF_MS: [u32; 7] = [100, 250, 500, 1_000, 2_000, 4_000, 8_000];

/// `domain::live::FromServer`, as much of it as a page needs.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Heard {
    Ev { id: u32, seq: i64 },
    Reset { id: u32 },
    Mark { id: u32, bytes: u64, ended: bool },
    Gap { id: u32, gaps: u64 },
    Refused { id: u32, detail: String },
}

struct Topical {
    topic: Topic,
    seq: Cell<i64>,
    /// The server forgot too much: follow again once the page has read afresh.
    reset: Cell<bool>,
    bump: Box<dyn Fn()>,
    calm: RefCell<Option<Timeout>>,
    owed: Cell<bool>,
}

struct Viewed {
    attempt: AttemptId,
    /// Where the next bytes begin.
    at: Cell<u64>,
    follow: Cell<bool>,
    seen: Box<dyn Fn(Seen<'_>)>,
}

#[derive(Clone)]
enum Entry {
    Topic(Rc<Topical>),
    View(Rc<Viewed>),
}

struct Hub {
    link: ArcRwSignal<Link>,
    next: Cell<u32>,
    table: RefCell<BTreeMap<u32, Entry>>,
    /// Into the open connection, when there is one.
    out: RefCell<Option<UnboundedSender<Message>>>,
    started: Cell<bool>,
}

thread_local! {
    static HUB: Rc<Hub> = Rc::new(Hub {
        link: ArcRwSignal::new(Link::Off),
        next: Cell::new(1),
        table: RefCell::default(),
        out: RefCell::default(),
        started: Cell::new(false),
    });
}

fn hub() -> Rc<Hub> {
    HUB.with(Rc::clone)
}

pub fn link() -> Signal<Link> {
    hub().link.clone().into()
}

impl Hub {
    fn say(&self, message: &FromBrowser) {
        if let Some(out) = &*self.out.borrow()
            && let Ok(text) = serde_json::to_string(message)
        {
            // A closed channel means a broken connection; the next one says everything again.
            let _ = out.unbounded_send(Message::Text(text));
        }
    }

    fn enter(self: &Rc<Self>, entry: Entry) -> u32 {
        let id = self.next.replace(self.next.get() + 1);
        self.say(&entry.hello(id));
        self.table.borrow_mut().insert(id, entry);
        if !self.started.replace(true) {
            spawn_local(run(Rc::clone(self)));
        }
        id
    }

    fn entry(&self, id: u32) -> Option<Entry> {
        self.table.borrow().get(&id).cloned()
    }

    fn hear(&self, text: &str) {
        let Ok(message) = json::read::<Heard>(text) else {
            return;
        };
        match message {
            Heard::Ev { id, seq } => {
                if let Some(Entry::Topic(t)) = self.entry(id) {
                    t.seq.set(t.seq.get().max(seq));
                    t.bump();
                }
            }
            Heard::Reset { id } => {
                if let Some(Entry::Topic(t)) = self.entry(id) {
                    t.reset.set(true);
                    t.bump();
                }
            }
            Heard::Mark { id, bytes, ended } => {
                if let Some(Entry::View(v)) = self.entry(id) {
                    (v.seen)(Seen::Mark(bytes, ended));
                }
            }
            Heard::Gap { id, gaps } => {
                if let Some(Entry::View(v)) = self.entry(id) {
                    (v.seen)(Seen::Gaps(gaps));
                }
            }
            Heard::Refused { id, detail } => {
                if let Some(Entry::View(v)) = self.entry(id) {
                    (v.seen)(Seen::Refused(&detail));
                }
                self.table.borrow_mut().remove(&id);
            }
        }
    }

    fn hear_bytes(&self, frame: &[u8]) {
        let Some((id, offset, bytes)) = decode_bytes(frame) else {
            return;
        };
        if let Some(Entry::View(v)) = self.entry(id) {
            // After a seek, frames of before may still be under way.
            if offset == v.at.get() {
                v.at.set(offset + bytes.len() as u64);
                (v.seen)(Seen::Bytes(offset, bytes));
            }
        }
    }
}

impl Entry {
    fn hello(&self, id: u32) -> FromBrowser {
        match self {
            Self::Topic(t) => FromBrowser::Sub {
                id,
                topic: t.topic.to_string(),
                since: t.seq.get(),
            },
            Self::View(v) => FromBrowser::View {
                id,
                attempt: v.attempt,
                from: v.at.get(),
                follow: v.follow.get(),
            },
        }
    }
}

impl Topical {
    /// Leading edge, then calm.
    fn bump(self: &Rc<Self>) {
        if self.calm.borrow().is_some() {
            self.owed.set(true);
            return;
        }
        let me = Rc::downgrade(self);
        *self.calm.borrow_mut() = Some(Timeout::new(CALM_MS, move || {
            let Some(me) = me.upgrade() else { return };
            me.calm.borrow_mut().take();
            if me.owed.replace(false) {
                me.bump();
            }
        }));
        (self.bump)();
    }
}

/// Keeps a connection for as long as the tab lives.
async fn run(hub: Rc<Hub>) {
    let mut tries = 0_usize;
    loop {
        hub.link.set(if tries == 0 { Link::Connecting } else { Link::Retrying });
        if let Ok(socket) = WebSocket::open(&address())
            && talk(&hub, socket).await
        {
            tries = 0;
        }
        hub.out.borrow_mut().take();
        hub.link.set(Link::Retrying);
        let wait = BACKOFF_MS[tries.min(BACKOFF_MS.len() - 1)];
        // A spread of a quarter, so that a thousand tabs do not come back in one instant.
        let spread = (js_sys::Math::random() * f64::from(wait) / 4.0) as u32;
        TimeoutFuture::new(wait + spread).await;
        tries += 1;
    }
}

/// One connection, from open to close; whether it ever worked.
async fn talk(hub: &Rc<Hub>, socket: WebSocket) -> bool {
    let (mut sink, mut stream) = socket.split();
    let (tx, mut rx) = unbounded();
    {
        // The messages wait in the browser's own buffer until the socket is open.
        let table = hub.table.borrow();
        for (id, entry) in table.iter() {
            if let Ok(text) = serde_json::to_string(&entry.hello(*id)) {
                let _ = tx.unbounded_send(Message::Text(text));
            }
        }
        *hub.out.borrow_mut() = Some(tx);
    }
    let worked = Cell::new(false);
    let write = async {
        while let Some(m) = rx.next().await {
            if sink.send(m).await.is_err() {
                return;
            }
            if !worked.replace(true) {
                hub.link.set(Link::Live);
            }
        }
    };
    let read = async {
        while let Some(Ok(m)) = stream.next().await {
            match m {
                Message::Text(t) => hub.hear(&t),
                Message::Bytes(b) => hub.hear_bytes(&b),
            }
        }
    };
    match select(Box::pin(read), Box::pin(write)).await {
        Either::Left(((), _)) | Either::Right(((), _)) => {}
    }
    worked.get()
}

fn address() -> String {
    let at = window().location();
    let scheme = if at.protocol().is_ok_and(|p| p == "https:") {
        "wss"
    } else {
        "ws"
    };
    format!("{scheme}://{}/live", at.host().unwrap_or_default())
}

/// A followed topic; dropping it leaves.
pub struct Subscription(u32, Rc<Topical>);

impl Subscription {
    /// The page has been read afresh at `seq`.
    pub fn read_at(&self, seq: i64) {
        self.1.seq.set(self.1.seq.get().max(seq));
        if self.1.reset.replace(false) {
            hub().say(&Entry::Topic(Rc::clone(&self.1)).hello(self.0));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        hub().table.borrow_mut().remove(&self.0);
        hub().say(&FromBrowser::Unsub { id: self.0 });
    }
}

pub fn subscribe(topic: Topic, since: i64, bump: impl Fn() + 'static) -> Subscription {
    let t = Rc::new(Topical {
        topic,
        seq: Cell::new(since),
        reset: Cell::new(false),
        bump: Box::new(bump),
        calm: RefCell::default(),
        owed: Cell::new(false),
    });
    Subscription(hub().enter(Entry::Topic(Rc::clone(&t))), t)
}

/// A view; dropping it ends it.
pub struct View(u32, Rc<Viewed>);

impl View {
    pub fn ack(&self, offset: u64) {
        hub().say(&FromBrowser::Ack { id: self.0, offset });
    }

    pub fn seek(&self, from: u64, follow: bool) {
        self.1.at.set(from);
        self.1.follow.set(follow);
        hub().say(&Entry::View(Rc::clone(&self.1)).hello(self.0));
    }
}

impl Drop for View {
    fn drop(&mut self) {
        hub().table.borrow_mut().remove(&self.0);
        hub().say(&FromBrowser::Unview { id: self.0 });
    }
}

pub fn view(attempt: AttemptId, from: u64, follow: bool, seen: impl Fn(Seen<'_>) + 'static) -> View {
    let v = Rc::new(Viewed {
        attempt,
        at: Cell::new(from),
        follow: Cell::new(follow),
        seen: Box::new(seen),
    });
    View(hub().enter(Entry::View(Rc::clone(&v))), v)
}
