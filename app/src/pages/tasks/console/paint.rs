//! Rows in the document: made from text nodes, kept while their line is the same, replaced when it is not.
//!
//! **Invariant:** each row is one element under the lines' parent, in the order of the numbers, and carries its number.

use super::cache::{Cache, Held};
use super::row::{clock, missing};
use domain::console::view::Run;
use leptos::prelude::document;
use std::collections::VecDeque;
use std::ops::Range;
use web_sys::{Element, HtmlElement, Node};

struct Row {
    n: i64,
    revision: u32,
    marked: bool,
    element: Element,
}

/// The rows in the document.
#[derive(Default)]
pub struct Rows {
    rows: VecDeque<Row>,
    taken: bool,
}

impl Rows {
    /// Makes the document show these lines; lines not held yet are blank rows with their number.
    pub fn show(&mut self, parent: &HtmlElement, cache: &Cache, lines: Range<i64>, marked: Option<i64>) {
        if !self.taken {
            // What the server rendered goes, all at once, in the same frame as its successors come.
            parent.set_text_content(None);
            self.taken = true;
        }
        if cache.total == 0 && !cache.alone.is_empty() {
            parent.set_text_content(None);
            for (size, why) in &cache.alone {
                let _ = parent.append_child(&gap(*size, why));
            }
            return;
        }
        let far =
            self.rows.front().is_none_or(|f| f.n >= lines.end) || self.rows.back().is_none_or(|b| b.n < lines.start);
        if far {
            self.rows.drain(..).for_each(|r| r.element.remove());
        }
        while self.rows.front().is_some_and(|r| r.n < lines.start) {
            if let Some(r) = self.rows.pop_front() {
                r.element.remove();
            }
        }
        while self.rows.back().is_some_and(|r| r.n >= lines.end) {
            if let Some(r) = self.rows.pop_back() {
                r.element.remove();
            }
        }
        for row in &mut self.rows {
            let revision = cache.get(row.n).map_or(0, |h| h.revision);
            if row.revision != revision || row.marked != (marked == Some(row.n)) {
                let new = make(row.n, cache, marked);
                let _ = row.element.replace_with_with_node_1(&new.element);
                *row = new;
            }
        }
        let (first, last) = match (self.rows.front(), self.rows.back()) {
            (Some(f), Some(b)) => (f.n, b.n),
            _ => (lines.end, lines.end - 1),
        };
        let ahead: Vec<Row> = (lines.start..first).map(|n| make(n, cache, marked)).collect();
        if !ahead.is_empty() {
            let fragment = document().create_document_fragment();
            for r in &ahead {
                let _ = fragment.append_child(&r.element);
            }
            let _ = parent.insert_before(&fragment, parent.first_child().as_ref());
            for r in ahead.into_iter().rev() {
                self.rows.push_front(r);
            }
        }
        if last + 1 < lines.end {
            let fragment = document().create_document_fragment();
            for n in last + 1..lines.end {
                let r = make(n, cache, marked);
                let _ = fragment.append_child(&r.element);
                self.rows.push_back(r);
            }
            let _ = parent.append_child(&fragment);
        }
    }

    /// The first row whose end is below `top`, and where it begins; both in pixels of the window.
    pub fn anchor(&self, top: f64) -> Option<(i64, f64)> {
        let below = self
            .rows
            .partition_point(|r| r.element.get_bounding_client_rect().bottom() <= top);
        self.rows
            .get(below)
            .map(|r| (r.n, r.element.get_bounding_client_rect().top()))
    }

    /// Where a line begins, in pixels of the window.
    pub fn top_of(&self, n: i64) -> Option<f64> {
        let at = self.rows.binary_search_by_key(&n, |r| r.n).ok()?;
        self.rows.get(at).map(|r| r.element.get_bounding_client_rect().top())
    }

    /// Pixels of a plain line: the least of a few, for some have gaps beside them.
    pub fn measure(&self) -> Option<f64> {
        let heights = self
            .rows
            .iter()
            .take(5)
            .map(|r| r.element.get_bounding_client_rect().height());
        heights.filter(|h| *h > 4.0).reduce(f64::min)
    }
}

fn element(tag: &str, class: &str) -> Element {
    // Only a name that is no name is refused, and ours are constants.
    let e = document()
        .create_element(tag)
        .unwrap_or_else(|_| unreachable!("`{tag}` is a tag"));
    if !class.is_empty() {
        e.set_class_name(class);
    }
    e
}

fn add(parent: &Element, child: &Node) {
    let _ = parent.append_child(child);
}

fn make(n: i64, cache: &Cache, marked: Option<i64>) -> Row {
    let held = cache.get(n);
    let at = marked == Some(n);
    let line = line(n, held, at);
    let gaps = |of: &[(Option<i64>, String)]| of.iter().map(|(size, why)| gap(*size, why)).collect::<Vec<_>>();
    let (before, after) = held.map_or((vec![], vec![]), |h| (gaps(&h.before), gaps(&h.after)));
    let element = if before.is_empty() && after.is_empty() {
        line
    } else {
        let whole = element("div", "");
        before.iter().for_each(|g| add(&whole, g));
        add(&whole, &line);
        after.iter().for_each(|g| add(&whole, g));
        whole
    };
    Row {
        n,
        revision: held.map_or(0, |h| h.revision),
        marked: at,
        element,
    }
}

fn line(n: i64, held: Option<&Held>, marked: bool) -> Element {
    let row = element("div", if marked { "ln ln-at" } else { "ln" });
    row.set_id(&format!("L{n}"));
    let number = element("a", "");
    let _ = number.set_attribute("href", &format!("#L{n}"));
    number.set_text_content(Some(&n.to_string()));
    add(&row, &number);
    let time = element("time", "");
    let text = element("span", "");
    if let Some(held) = held {
        if let Some(at) = held.at {
            time.set_text_content(Some(&clock(at)));
        }
        held.runs.iter().for_each(|r| add(&text, &run(r)));
    }
    add(&row, &time);
    add(&row, &text);
    row
}

fn run(run: &Run) -> Node {
    if run.style.is_empty() {
        return document().create_text_node(&run.text).into();
    }
    let span = element("span", &run.style);
    span.set_text_content(Some(&run.text));
    span.into()
}

fn gap(size: Option<i64>, reason: &str) -> Element {
    let p = element("p", "gap");
    add(&p, &unlink());
    let text = element("span", "");
    let strong = element("b", "");
    strong.set_text_content(Some(&missing(size)));
    add(&text, &strong);
    add(&text, &document().create_text_node(&format!(" {reason}")));
    add(&p, &text);
    p
}

/// The icon of a gap, as `Icon` makes it.
fn unlink() -> Element {
    let part = |tag| {
        document()
            .create_element_ns(Some("http://www.w3.org/2000/svg"), tag)
            .unwrap_or_else(|_| unreachable!("`{tag}` is a tag"))
    };
    let (svg, sprite) = (part("svg"), part("use"));
    let set = |of: &Element, name, value| of.set_attribute(name, value).unwrap_or_default();
    set(&svg, "class", "i");
    set(&svg, "aria-hidden", "true");
    set(&sprite, "href", "/icons.svg#i-unlink");
    add(&svg, &sprite);
    svg
}
