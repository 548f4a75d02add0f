//! How repositories look: health in an icon and a word, and the names of forges.
//!
//! **Invariant:** colour is never the only sign, and every health has a word.

use crate::components::{Ago, Look, Status};
use domain::Timestamp;
use domain::health::Health;
use domain::repository::RepositoryView;
use domain::trigger::Provider;
use leptos::prelude::*;

/// How a health looks.
pub fn health_look(health: Health) -> Look {
    let (word, icon, class, fill) = match health {
        Health::Healthy => ("healthy", "circle-check", "st st-passed", "f-passed"),
        Health::Missing => ("missing", "circle-x", "st st-failed", "f-failed"),
        Health::Unauthorised => ("unauthorised", "triangle-alert", "st st-failed", "f-failed"),
        Health::Unreachable => ("unreachable", "unplug", "st st-lost", "f-lost"),
        Health::Unknown => ("not asked yet", "circle-slash", "st st-waiting", "f-waiting"),
    };
    Look {
        word,
        icon,
        class,
        fill,
        turns: false,
    }
}

/// Whether somebody should look at it.
pub fn unwell(health: Health) -> bool {
    !matches!(health, Health::Healthy | Health::Unknown)
}

/// Health, and since when.
pub fn health_line(r: &RepositoryView, now: Timestamp) -> AnyView {
    let look = match (r.health, r.asked_at) {
        // It was asked, and what it said says nothing of it.
        (Health::Unknown, Some(_)) => Look {
            word: "unknown",
            ..health_look(r.health)
        },
        (health, _) => health_look(health),
    };
    let since = r.since.map(|at| {
        view! { <span class="text-ink-3 text-small">" since " <Ago at now/></span> }
    });
    view! { <span class="inl gap-1.5!"><Status look/> {since}</span> }.into_any()
}

/// The name of a forge; nothing for none.
pub fn forge(provider: Provider) -> &'static str {
    match provider {
        Provider::Generic => "none",
        forge => forge.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_health_has_a_word_and_only_trouble_is_unwell() {
        for (health, word, bad) in [
            (Health::Healthy, "healthy", false),
            (Health::Missing, "missing", true),
            (Health::Unauthorised, "unauthorised", true),
            (Health::Unreachable, "unreachable", true),
            (Health::Unknown, "not asked yet", false),
        ] {
            assert_eq!((health_look(health).word, unwell(health)), (word, bad));
        }
    }
}
