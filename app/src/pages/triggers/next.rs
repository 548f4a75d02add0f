//! When a trigger fires next: counted down where it is a time, said in words where it is not.
//!
//! **Invariant:** a time stands beside its zone.

use super::view::Next as When;
use crate::components::Until;
use domain::Timestamp;
use leptos::prelude::*;

/// When.
#[component]
pub fn Next(
    /// Of whom.
    of: When,
    /// The server's time when the page was read.
    now: Timestamp,
) -> impl IntoView {
    match of {
        When::Off => view! { <span class="text-ink-3">"off"</span> }.into_any(),
        When::Delivery => view! { <span class="text-ink-3">"at the next delivery"</span> }.into_any(),
        When::Never => view! { <span class="text-ink-3">"no more times"</span> }.into_any(),
        When::Time { at, local, zone } => view! {
            <b class="font-[560]">
                <Until at now/>
            </b>
            <span class="t2">{local.map_or_else(|| zone.clone(), |local| format!("{local}, {zone}"))}</span>
        }
        .into_any(),
        When::Look { at, every } => view! {
            {at.map(|at| view! { <b class="font-[560]"><Until at now/></b> })}
            <span class="t2">{every.map(often)}</span>
        }
        .into_any(),
        When::After(plans) => {
            let last = plans.len().saturating_sub(1);
            let links: Vec<_> = plans
                .into_iter()
                .enumerate()
                .map(|(i, (id, name))| {
                    let between = match i {
                        0 => "",
                        i if i == last => " and ",
                        _ => ", ",
                    };
                    view! {
                        {between}
                        <a class="alink" href=format!("/plans/{id}")>{name}</a>
                    }
                })
                .collect();
            view! { <span class="text-ink-3">"after " {links}</span> }.into_any()
        }
    }
}

/// How often something is looked at: `every minute`, `every 10 min`.
pub fn often(ms: i64) -> String {
    let (n, one, many) = match ms {
        ms if ms > 0 && ms % 86_400_000 == 0 => (ms / 86_400_000, "day", "days"),
        ms if ms > 0 && ms % 3_600_000 == 0 => (ms / 3_600_000, "hour", "h"),
        ms if ms > 0 && ms % 60_000 == 0 => (ms / 60_000, "minute", "min"),
        ms => (ms / 1_000, "second", "s"),
    };
    match n {
        1 => format!("every {one}"),
        n => format!("every {n} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::often;

    #[test]
    fn intervals_read_as_people_say_them() {
        for (ms, want) in [
            (60_000, "every minute"),
            (600_000, "every 10 min"),
            (90_000, "every 90 s"),
            (3_600_000, "every hour"),
            (7_200_000, "every 2 h"),
            (86_400_000, "every day"),
            (1_000, "every second"),
        ] {
            assert_eq!(often(ms), want);
        }
    }
}
