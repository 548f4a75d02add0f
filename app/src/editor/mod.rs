//! The browser's second module (package `editor`), which judges what is typed on the spot: asked for by pages with an editor.
//!
//! **Invariant:** it answers in the words and types of the server, by the same rules; where it is not there, the server is
//! asked instead, and no page needs to know more than that.

#[cfg(feature = "hydrate")]
mod module;
#[cfg(feature = "hydrate")]
use module::{call, fetch};

#[cfg(not(feature = "hydrate"))]
mod none;
#[cfg(not(feature = "hydrate"))]
use none::{call, fetch};

use crate::browser;
use crate::error::{Error, Result};
use crate::wire::json::read;
use domain::trigger::{CronPreview, CronQuestion, KnownFields, Neighbour, RulesCheck, Trial, Tried};
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whether the module is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is on its way; on the server, for ever.
    Coming,
    /// It can be asked.
    There,
    /// It could not be loaded, or broke: ask the server.
    Missing,
}

/// The module, as a page has it.
#[derive(Clone, Copy)]
pub struct Editor(RwSignal<State>);

impl Editor {
    /// Begins to load it, if it is not there yet.
    #[must_use]
    pub fn load() -> Self {
        let state = RwSignal::new(State::Coming);
        fetch(state);
        Self(state)
    }

    /// Whether it is there; follows it.
    #[must_use]
    pub fn state(self) -> State {
        self.0.get()
    }

    /// Takes the other schedules there are.
    pub fn meet(self, others: &[Neighbour]) {
        let _: Option<Result<()>> = self.ask("meet", &others, None);
    }

    /// What an expression of cron means now.
    pub fn cron(self, what: &CronQuestion) -> Option<Result<CronPreview>> {
        self.ask("cron", what, Some(browser::now()))
    }

    /// What there is to say of rules.
    pub fn rules(self, rules: &[String], known: Option<&KnownFields>) -> Option<Result<RulesCheck>> {
        #[derive(Serialize)]
        struct Question<'a> {
            rules: &'a [String],
            known: Option<&'a KnownFields>,
        }
        self.ask("rules", &Question { rules, known }, None)
    }

    /// What would be decided about a payload.
    pub fn try_out(self, trial: &Trial) -> Option<Result<Tried>> {
        self.ask("try_out", trial, None)
    }

    /// Asks it; `None` when it cannot answer, and from then on it is missing.
    fn ask<A: DeserializeOwned>(
        self,
        function: &str,
        question: &impl Serialize,
        now: Option<i64>,
    ) -> Option<Result<A>> {
        let question = serde_json::to_string(question).ok()?;
        let said =
            call(function, &question, now).and_then(|text| read::<std::result::Result<A, domain::Error>>(&text).ok());
        if said.is_none() {
            self.0.set(State::Missing);
        }
        said.map(|answer| answer.map_err(Error::Domain))
    }
}
