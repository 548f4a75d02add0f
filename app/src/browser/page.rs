//! In the browser: a thin wrapper over what `web-sys` offers.
//!
//! **Invariant:** nothing here throws; what a browser refuses is left undone.

use super::Local;
use leptos::form::form_data_from_event;
use leptos::prelude::*;
use leptos::text_prop::TextProp;
use wasm_bindgen::JsCast;

/// Milliseconds since the epoch by the browser's clock.
#[must_use]
pub fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// An instant in the reader's time zone.
#[must_use]
pub fn local(ms: i64) -> Option<Local> {
    let d = js_sys::Date::new(&(ms as f64).into());
    let shifted = ms - (d.get_timezone_offset() * 60_000.0) as i64;
    Some(Local {
        day: shifted.div_euclid(86_400_000),
        weekday: d.get_day() as usize,
        year: i64::from(d.get_full_year()),
        month: d.get_month() as usize,
        date: d.get_date(),
        hour: d.get_hours(),
        minute: d.get_minutes(),
        second: d.get_seconds(),
    })
}

/// Shows the page in a theme; `None` follows the system.
pub fn show_theme(theme: Option<&'static str>) {
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Some(t) => root.set_attribute("data-theme", t),
            None => root.remove_attribute("data-theme"),
        };
    }
}

/// Asks the server for the page at the present address, whole.
pub fn load_again() {
    let _ = window().location().reload();
}

/// Copies a text.
pub fn copy(text: &str) {
    let _ = window().navigator().clipboard().write_text(text);
}

/// Calls `f` every `ms` milliseconds until the owner is cleaned up.
pub fn every(ms: u32, f: impl Fn() + 'static) {
    let timer = StoredValue::new_local(Some(gloo_timers::callback::Interval::new(ms, f)));
    on_cleanup(move || {
        timer.try_update_value(Option::take);
    });
}

/// Calls `f` once after `ms` milliseconds, unless the owner is cleaned up before.
pub fn after(ms: u32, f: impl FnOnce() + 'static) {
    let timer = StoredValue::new_local(Some(gloo_timers::callback::Timeout::new(ms, f)));
    on_cleanup(move || {
        timer.try_update_value(Option::take);
    });
}

/// Closes every open menu that the event did not come from, and on Escape all of them.
pub fn close_menus_when_left() {
    let close = |keep: Option<web_sys::Element>| {
        let Ok(open) = document().query_selector_all("details.pop[open]") else {
            return;
        };
        for i in 0..open.length() {
            let Some(menu) = open.item(i) else { continue };
            let stays = keep.as_ref().is_some_and(|k| menu.contains(Some(k)));
            let focused = document().active_element().is_some_and(|e| menu.contains(Some(&e)));
            if let (false, Ok(menu)) = (stays, menu.dyn_into::<web_sys::HtmlDetailsElement>()) {
                menu.set_open(false);
                // Escape leaves the focus where the menu was opened, not nowhere.
                if let (None, true, Ok(Some(summary))) = (&keep, focused, menu.query_selector("summary"))
                    && let Ok(summary) = summary.dyn_into::<web_sys::HtmlElement>()
                {
                    let _ = summary.focus();
                }
            }
        }
    };
    let target = |ev: &web_sys::Event| ev.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    let click = window_event_listener(leptos::ev::click, move |ev| close(target(&ev)));
    let key = window_event_listener(leptos::ev::keydown, move |ev| {
        if ev.key() == "Escape" {
            close(None);
        }
    });
    on_cleanup(move || {
        click.remove();
        key.remove();
    });
}

/// The filled-in fields of a form that is being sent, when a script can take it over; the browser then leaves it alone.
pub fn taken_over(ev: &leptos::ev::SubmitEvent, names: &[&'static str]) -> Option<Vec<(&'static str, String)>> {
    let form = ev.target()?.dyn_into::<web_sys::HtmlFormElement>().ok()?;
    let data = web_sys::FormData::new_with_form(&form).ok()?;
    ev.prevent_default();
    let value = |name: &str| {
        data.get(name)
            .as_string()
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
    };
    Some(names.iter().filter_map(|&n| Some((n, value(n)?))).collect())
}

/// The fields of a form that is being sent, url-encoded, with the button that sends it; the browser then leaves it alone.
pub fn fields_of(ev: &leptos::ev::SubmitEvent) -> Option<String> {
    if ev.default_prevented() {
        return None;
    }
    let data = form_data_from_event(ev).ok()?;
    let fields = web_sys::UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    ev.prevent_default();
    Some(String::from(fields.to_string()))
}

/// Puts the focus into the control of this id when something was wrong with what it held.
pub fn focus_on_error(wrong: bool, id: &str) {
    if !wrong {
        return;
    }
    if let Some(input) = document()
        .get_element_by_id(id)
        .and_then(|e| e.dyn_into::<web_sys::HtmlInputElement>().ok())
    {
        let _ = input.focus();
        input.select();
    }
}

/// Puts the caret of a text area to a line and column (1-based, in characters), selects the word there and brings the
/// line into sight. `false` when there is no such text area.
pub fn show_place(id: &str, line: u32, column: u32) -> bool {
    let Some(area) = document()
        .get_element_by_id(id)
        .and_then(|e| e.dyn_into::<web_sys::HtmlTextAreaElement>().ok())
    else {
        return false;
    };
    let text = area.value();
    // Selections count UTF-16 units.
    let units = |s: &str| s.encode_utf16().count() as u32;
    let before: String = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1) as usize)
        .collect();
    let rest = text[before.len()..].lines().next().unwrap_or_default();
    let lead: String = rest.chars().take(column.saturating_sub(1) as usize).collect();
    let word: String = rest[lead.len()..]
        .chars()
        .take_while(|c| !c.is_whitespace() && !",]}".contains(*c))
        .collect();
    let from = units(&before) + units(&lead);
    let _ = area.focus();
    let _ = area.set_selection_range(from, from + units(&word));
    if let Some(mark) = document().get_element_by_id(&format!("line-{line}")) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Center);
        mark.scroll_into_view_with_scroll_into_view_options(&options);
    }
    true
}

/// Left and right move the focus between the links of a group that is one tab stop.
pub fn step_focus(ev: &leptos::ev::KeyboardEvent) {
    let back = match ev.key().as_str() {
        "ArrowLeft" => true,
        "ArrowRight" => false,
        _ => return,
    };
    let Some(link) = ev.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok()) else {
        return;
    };
    let next = if back {
        link.previous_element_sibling()
    } else {
        link.next_element_sibling()
    };
    if let Some(next) = next.and_then(|n| n.dyn_into::<web_sys::SvgElement>().ok()) {
        ev.prevent_default();
        let _ = next.focus();
    }
}

/// The tab's title, which follows its signal.
#[must_use]
pub fn tab_title(title: Signal<String>) -> TextProp {
    (move || title.get()).into()
}
