//! The theme: paper or ink, or as the system has it.
//!
//! **Invariant:** the choice lives in a cookie, so that the server renders the page in it at once.

use super::api::SetTheme;
use crate::browser;
use crate::components::ActionForm;
use crate::components::Icon;
use crate::wire::Deed;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A theme a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    /// Light.
    Paper,
    /// Dark.
    Ink,
}

impl Theme {
    /// The cookie that holds it.
    pub const COOKIE: &'static str = "caracal-theme";

    /// Its word in cookie and markup.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Ink => "ink",
        }
    }

    /// Reads the word; anything else means the system's choice.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "paper" => Some(Self::Paper),
            "ink" => Some(Self::Ink),
            _ => None,
        }
    }
}

/// Three buttons that choose the theme.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let set = Deed::<SetTheme>::new();
    let choice = |theme: Option<Theme>, icon: &'static str, words: &'static str| {
        let value = theme.map_or("system", Theme::as_str);
        view! {
            <button type="submit" name="theme" value=value on:click=move |_| browser::show_theme(theme.map(Theme::as_str))>
                <Icon name=icon/>
                {words}
            </button>
        }
    };
    view! {
        <ActionForm action=set>
            {choice(Some(Theme::Paper), "sun", "Paper")} {choice(Some(Theme::Ink), "moon", "Ink")}
            {choice(None, "monitor", "As the system")}
        </ActionForm>
    }
}
