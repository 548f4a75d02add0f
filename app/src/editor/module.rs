//! In the browser: a script of ours brings the module, and leaves a promise of it at `globalThis.caracalEditor`.
//!
//! **Invariant:** nothing is loaded before it is asked for; nothing here throws: what a browser refuses is `Missing`.

use super::State;
use js_sys::{Function, Promise, Reflect, global};
use leptos::prelude::*;
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Its loader: a script that we add may run, as we may (`strict-dynamic`).
const LOADER: &str = "/pkg/editor.js";
const PROMISE: &str = "caracalEditor";

thread_local! {
    static MODULE: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

/// Begins to load it, if it is not there yet.
pub(super) fn fetch(state: RwSignal<State>) {
    if MODULE.with_borrow(Option::is_some) {
        state.set(State::There);
        return;
    }
    spawn_local(async move {
        let found = bring().await.ok();
        let now = if found.is_some() { State::There } else { State::Missing };
        MODULE.set(found);
        // The page may have been left meanwhile.
        let _ = state.try_set(now);
    });
}

async fn bring() -> Result<JsValue, JsValue> {
    let script: web_sys::HtmlScriptElement = document().create_element("script")?.dyn_into()?;
    script.set_type("module");
    script.set_src(LOADER);
    let loaded = Promise::new(&mut |done, failed| {
        script.set_onload(Some(&done));
        script.set_onerror(Some(&failed));
    });
    document().head().ok_or(JsValue::NULL)?.append_child(&script)?;
    JsFuture::from(loaded).await?;
    script.remove();
    let promise: Promise = Reflect::get(&global(), &PROMISE.into())?.dyn_into()?;
    JsFuture::from(promise).await
}

/// Asks it. One that broke is let go: what it holds may be half done.
pub(super) fn call(function: &str, question: &str, now: Option<i64>) -> Option<String> {
    let module = MODULE.with_borrow(Clone::clone)?;
    let said = Reflect::get(&module, &function.into()).and_then(|f| {
        let f: Function = f.dyn_into()?;
        match now {
            Some(now) => f.call2(&JsValue::UNDEFINED, &question.into(), &(now as f64).into()),
            None => f.call1(&JsValue::UNDEFINED, &question.into()),
        }
    });
    let said = said.ok().and_then(|s| s.as_string());
    if said.is_none() {
        MODULE.set(None);
    }
    said
}
