//! The live console: follows the socket and the reader, and paints once a frame.
//!
//! **Invariant:** the end is followed only while it is in sight, and only the reader moves it out of sight; everything
//! here ends with the last [`Screen`].

use super::cache::Cache;
pub use super::links::{address_line, line_of, origin, pointed};
use super::paint::Rows;
use super::window::Measures;
use super::{Life, Pill, Places, Wires};
use crate::live::ConsoleView;
use crate::pages::tasks::api::Shown;
use domain::console::StyledLines;
use leptos::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use web_sys::{HtmlDivElement, HtmlElement};

/// Pixels from the end within which the end counts as in sight.
const NEAR: i32 = 28;

/// What is under way on the wire.
pub(super) struct Tail {
    pub parser: StyledLines,
    /// Number of the line that comes next or is being written.
    pub next: i64,
    /// The byte behind what has been taken in.
    pub at: u64,
    pub acked: u64,
}

pub(super) struct Inner {
    pub wires: Wires,
    body: HtmlDivElement,
    above: HtmlDivElement,
    lines: HtmlDivElement,
    below: HtmlDivElement,
    pub cache: RefCell<Cache>,
    rows: RefCell<Rows>,
    pub tail: RefCell<Option<Tail>>,
    pub view: RefCell<Option<ConsoleView>>,
    line: Cell<f64>,
    follow: Cell<bool>,
    /// Lines there were when the end went out of sight.
    left_at: Cell<i64>,
    frame: Cell<bool>,
    pub fetching: Cell<bool>,
    pub tailing: Cell<bool>,
    /// The whole of an ended step is known to be what the server says.
    pub settled: Cell<bool>,
    /// Gaps of the console that the lines on screen know of.
    pub gaps: Cell<u64>,
    /// Where the scroller was put by us: an event from there is not the reader's.
    put: Cell<i32>,
    seek: Cell<Option<i64>>,
}

/// The screen of one console; the last clone ends it.
#[derive(Clone)]
pub struct Screen(Rc<Inner>);

/// Where a view keeps its screen.
pub fn hold() -> StoredValue<Option<Screen>, LocalStorage> {
    StoredValue::new_local(None)
}

impl Screen {
    /// Takes over what the server rendered.
    pub fn take_over(places: Places, wires: Wires, shown: Option<Shown>, from: Option<i64>) -> Option<Self> {
        let (body, lines) = (places.body.get_untracked()?, places.lines.get_untracked()?);
        let (above, below) = (places.above.get_untracked()?, places.below.get_untracked()?);
        let me = Self(Rc::new(Inner {
            wires,
            body,
            above,
            lines,
            below,
            cache: RefCell::default(),
            rows: RefCell::default(),
            tail: RefCell::default(),
            view: RefCell::default(),
            line: Cell::new(20.0),
            follow: Cell::new(from.is_none()),
            left_at: Cell::new(0),
            frame: Cell::new(false),
            fetching: Cell::new(false),
            tailing: Cell::new(false),
            settled: Cell::new(false),
            gaps: Cell::new(0),
            put: Cell::new(-1),
            seek: Cell::new(from),
        }));
        let _ = me.0.body.class_list().add_1("con-own");
        if let Some(n) = pointed() {
            wires.marked.set(Some(n));
            me.0.follow.set(false);
            me.0.seek.set(Some(n));
        }
        match shown {
            Some(shown) => me.0.take(shown),
            None => me.0.retail(),
        }
        me.lived();
        let seen = Rc::downgrade(&me.0);
        let again = window_event_listener_untyped("visibilitychange", move |_| {
            if let Some(me) = seen.upgrade() {
                me.looked_at();
            }
        });
        let sized = Rc::downgrade(&me.0);
        let resized = window_event_listener(leptos::ev::resize, move |_| Inner::wake(&sized));
        on_cleanup(move || {
            again.remove();
            resized.remove();
        });
        Some(me)
    }

    /// The scroller has moved.
    pub fn scrolled(&self) {
        let me = &self.0;
        let at_end = me.body.scroll_top() + me.body.client_height() + NEAR >= me.body.scroll_height();
        let by_us = (me.body.scroll_top() - me.put.get()).abs() <= 1;
        if at_end {
            me.follow.set(true);
        } else if !by_us && me.follow.replace(false) {
            me.left_at.set(me.cache.borrow().total);
        }
        me.dirty();
    }

    /// Goes to the end and stays there.
    pub fn to_end(&self) {
        self.0.follow.set(true);
        self.0.dirty();
    }

    /// Points at a line and brings it into sight.
    pub fn point(&self, n: i64) {
        self.0.wires.marked.set(Some(n));
        self.0.dirty();
    }

    /// The step's state has changed.
    pub fn lived(&self) {
        let me = &self.0;
        match me.wires.life.get_untracked() {
            Life::Waiting => {}
            Life::Running => {
                if me.view.borrow().is_none() {
                    if me.tail.borrow().is_some() {
                        me.open()
                    } else {
                        me.retail()
                    }
                }
            }
            Life::Ended => {
                if !me.settled.get() && (me.view.borrow().is_some() || me.tail.borrow().is_some()) {
                    me.retail();
                }
            }
        }
    }

    /// What lines look like has changed.
    pub fn changed(&self) {
        self.0.dirty();
    }
}

impl Inner {
    /// Paints at the next frame.
    pub fn dirty(self: &Rc<Self>) {
        if self.frame.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        request_animation_frame(move || {
            if let Some(me) = weak.upgrade() {
                me.frame.set(false);
                me.paint();
            }
        });
    }

    fn wake(weak: &Weak<Self>) {
        if let Some(me) = weak.upgrade() {
            me.dirty();
        }
    }

    fn paint(self: &Rc<Self>) {
        let total = self.cache.borrow().total;
        let measures = Measures {
            total,
            line: self.line.get(),
            sight: f64::from(self.body.client_height()).max(200.0),
        };
        let follow = self.follow.get();
        let mut top = f64::from(self.body.scroll_top());
        if follow {
            top = measures.top_of(total.max(1));
        } else if let Some(n) = self.seek.get() {
            top = measures.top_of(n);
        }
        let window = measures.window(top);
        let frame_top = self.body.get_bounding_client_rect().top();
        let mut rows = self.rows.borrow_mut();
        let anchor = (!follow && self.seek.get().is_none())
            .then(|| rows.anchor(frame_top))
            .flatten();
        {
            let cache = self.cache.borrow();
            rows.show(
                &self.lines,
                &cache,
                window.lines.clone(),
                self.wires.marked.get_untracked(),
            );
        }
        height(&self.above, window.above);
        height(&self.below, window.below);
        if !self.wires.wrap.get_untracked()
            && let Some(line) = rows.measure().filter(|l| (l - self.line.get()).abs() > 0.5)
        {
            // Known only now: lines are higher for fingers, and where the reader has enlarged the text.
            self.line.set(line);
            self.dirty();
        }
        if follow {
            self.put_at(self.body.scroll_height() - self.body.client_height());
        } else if let Some(n) = self.seek.take() {
            let middle = frame_top + measures.sight / 3.0;
            let off = rows.top_of(n).map_or(0.0, |at| at - middle);
            self.put_at(self.body.scroll_top() + off as i32);
        } else if let Some((n, was)) = anchor
            && let Some(off) = rows.top_of(n).map(|is| is - was).filter(|off| off.abs() >= 1.0)
            && self.wires.wrap.get_untracked()
        {
            // Wrapped lines are higher than reckoned: what is read stays where it is.
            self.put_at(self.body.scroll_top() + off as i32);
        }
        drop(rows);
        self.tell(total, follow);
        self.acknowledge();
        let near = (window.lines.start + window.lines.end) / 2;
        self.cache.borrow_mut().trim(near);
        self.fetch(window.lines);
    }

    fn put_at(&self, top: i32) {
        self.body.set_scroll_top(top);
        self.put.set(self.body.scroll_top());
    }

    /// Tells the page around what it shows.
    fn tell(&self, total: i64, follow: bool) {
        let w = &self.wires;
        w.total.maybe_update(|t| std::mem::replace(t, total) != total);
        let running = w.life.get_untracked() == Life::Running;
        let in_sight = self.body.scroll_top() + self.body.client_height() + NEAR >= self.body.scroll_height();
        let pill = match (follow || in_sight, running) {
            (true, true) => Pill::Following,
            (true, false) => Pill::None,
            (false, _) => Pill::Away(if running {
                (total - self.left_at.get()).max(0)
            } else {
                0
            }),
        };
        w.pill.maybe_update(|p| std::mem::replace(p, pill) != pill);
    }
}

fn height(element: &HtmlElement, pixels: f64) {
    // By the object model: the content policy forbids style attributes, not this.
    let _ = element.style().set_property("height", &format!("{pixels:.0}px"));
}
