//! Where the screen's lines come from: the end by one read, then bytes over the socket; the rest by ranges, when looked at.
//!
//! **Invariant:** what the socket brings is taken only where it goes on from what there is; whoever is too far behind reads
//! the end afresh, and an ended step is what the server says it is.

use super::Life;
use super::row::grouped;
use super::screen::{Inner, Tail};
use crate::browser;
use crate::live::{ConsoleView, Seen};
use crate::pages::tasks::api::{FIRST_PAINT, Shown, get_lines, get_tail};
use domain::Timestamp;
use domain::console::StyledLines;
use leptos::prelude::*;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// Bytes behind which catching up by bytes is given up.
const BEHIND: u64 = 256 * 1024;

impl Inner {
    /// Takes a piece as the server gave it.
    pub fn take(self: &Rc<Self>, shown: Shown) {
        let (total, ended) = (shown.lines.total, self.wires.life.get_untracked() == Life::Ended);
        {
            let mut cache = self.cache.borrow_mut();
            cache.take(shown.lines.items);
            if shown.tail {
                cache.cut(total);
            }
            cache.total = total;
        }
        if shown.tail {
            let next = if shown.open { total } else { total + 1 };
            let tail = Tail {
                parser: StyledLines::new(shown.pen),
                next,
                at: shown.end,
                acked: shown.end,
            };
            *self.tail.borrow_mut() = Some(tail);
            if ended {
                self.settled.set(true);
                self.view.borrow_mut().take();
            }
        } else if !ended {
            // A place in the middle of a running step: its end is needed all the same.
            self.retail();
        }
        self.dirty();
    }

    /// Reads the end afresh and goes on from there.
    pub fn retail(self: &Rc<Self>) {
        if self.tailing.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let step = self.wires.step;
        spawn_local(async move {
            let got = get_tail(step).await;
            let Some(me) = weak.upgrade() else { return };
            me.tailing.set(false);
            match got {
                Ok(shown) => {
                    me.wires.trouble.set(None);
                    me.take(shown);
                    if me.wires.life.get_untracked() == Life::Running {
                        me.open();
                    }
                }
                Err(e) => me.wires.trouble.set(Some(e.to_string())),
            }
        });
    }

    /// Opens the view where the tail stands, or moves it there.
    pub fn open(self: &Rc<Self>) {
        let Some(at) = self.tail.borrow().as_ref().map(|t| t.at) else {
            return;
        };
        let follow = !hidden();
        if let Some(view) = &*self.view.borrow() {
            view.seek(at, follow);
            return;
        }
        let weak = Rc::downgrade(self);
        let view = ConsoleView::open(self.wires.attempt, at, follow, move |seen| {
            if let Some(me) = weak.upgrade() {
                me.seen(seen);
            }
        });
        *self.view.borrow_mut() = Some(view);
    }

    fn seen(self: &Rc<Self>, seen: Seen<'_>) {
        match seen {
            Seen::Bytes(offset, bytes) => {
                if let Some(tail) = &mut *self.tail.borrow_mut() {
                    if offset != tail.at || self.settled.get() {
                        return;
                    }
                    let mut cache = self.cache.borrow_mut();
                    let now = Some(Timestamp(browser::now()));
                    let next = &mut tail.next;
                    tail.parser.feed(bytes, |runs| {
                        let at = cache.get(*next).and_then(|h| h.at).or(now);
                        cache.put(*next, at, runs, Vec::new());
                        *next += 1;
                    });
                    if let Some(runs) = tail.parser.partial() {
                        let at = cache.get(*next).and_then(|h| h.at).or(now);
                        cache.put(*next, at, runs, Vec::new());
                    }
                    tail.at += bytes.len() as u64;
                }
                self.dirty();
            }
            Seen::Mark(bytes, _) => {
                let behind = self.tail.borrow().as_ref().map_or(0, |t| bytes.saturating_sub(t.at));
                if behind > BEHIND && !hidden() && !self.settled.get() {
                    self.retail();
                }
            }
            Seen::Gaps(gaps) => {
                // Where bytes are missing is not in the bytes: the end is read anew, once for each.
                if self.gaps.replace(gaps) != gaps && !self.settled.get() {
                    self.retail();
                }
            }
            Seen::Refused(why) => self.wires.trouble.set(Some(why.to_owned())),
        }
    }

    /// The tab has come to the front or gone to the back.
    pub fn looked_at(self: &Rc<Self>) {
        if self.view.borrow().is_some() && !self.settled.get() {
            if hidden() { self.open() } else { self.retail() }
        }
    }

    pub fn acknowledge(&self) {
        if let (Some(tail), Some(view)) = (&mut *self.tail.borrow_mut(), &*self.view.borrow())
            && tail.at > tail.acked
        {
            tail.acked = tail.at;
            view.ack(tail.at);
        }
    }

    /// Reads lines in sight that are not held.
    pub fn fetch(self: &Rc<Self>, wanted: std::ops::Range<i64>) {
        let Some(missing) = self.cache.borrow().missing(wanted) else {
            return;
        };
        if self.fetching.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let (step, from) = (self.wires.step, missing.start);
        let limit = (missing.end - missing.start).clamp(1, 2 * i64::from(FIRST_PAINT)) as u32;
        spawn_local(async move {
            let got = get_lines(step, from, limit).await;
            let Some(me) = weak.upgrade() else { return };
            me.fetching.set(false);
            match got {
                Ok(lines) => {
                    me.wires.trouble.set(None);
                    let nothing = lines.items.is_empty();
                    let mut cache = me.cache.borrow_mut();
                    let total = cache.total.max(lines.total);
                    cache.take(lines.items);
                    cache.total = total;
                    drop(cache);
                    // An empty answer would be asked for again at once, for ever.
                    if !nothing {
                        me.dirty();
                    }
                }
                Err(e) => {
                    let what = format!("Lines from {} on could not be read: {e}", grouped(from));
                    me.wires.trouble.set(Some(what));
                }
            }
        });
    }
}

fn hidden() -> bool {
    document().hidden()
}
