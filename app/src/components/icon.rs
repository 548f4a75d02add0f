//! Icons: the Lucide sprite `/icons.svg`, of which only the icons used are kept.
//!
//! **Invariant:** an icon is decoration; the words beside it say the same.

use leptos::prelude::*;

/// How large an icon is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IconSize {
    /// 14 px, in small buttons.
    Small,
    /// 16 px.
    #[default]
    Normal,
    /// 20 px.
    Large,
}

/// An icon of the sprite.
#[component]
pub fn Icon(
    /// Its Lucide name, as `circle-check`.
    name: &'static str,
    /// How large.
    #[prop(optional)]
    size: IconSize,
    /// Whether it turns: the mark of something running.
    #[prop(optional)]
    turns: bool,
    /// More classes of it.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let own = match (size, turns) {
        (IconSize::Small, false) => "i i-s",
        (IconSize::Small, true) => "i i-s turn",
        (IconSize::Normal, false) => "i",
        (IconSize::Normal, true) => "i turn",
        (IconSize::Large, false) => "i i-l",
        (IconSize::Large, true) => "i i-l turn",
    };
    let class = if class.is_empty() {
        own.to_owned()
    } else {
        format!("{own} {class}")
    };
    view! {
        <svg class=class aria-hidden="true">
            <use_ href=format!("/icons.svg#i-{name}")></use_>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn names(dir: &Path, found: &mut Vec<(String, String)>, all: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                names(&path, found, all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                all.push_str(&text);
                for mark in ["<Icon name=\"", "icon=\"", "icon: \""] {
                    for rest in text.split(mark).skip(1) {
                        let name = rest.split('"').next().unwrap_or_default();
                        found.push((name.to_owned(), path.display().to_string()));
                    }
                }
            }
        }
    }

    #[test]
    fn the_sprite_holds_the_icons_of_the_views_and_no_more() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sprite = std::fs::read_to_string(here.join("../public/icons.svg")).unwrap();
        let (mut found, mut all) = (vec![], String::new());
        names(&here.join("src"), &mut found, &mut all);
        assert!(found.len() > 30, "the search finds nothing");
        for (name, file) in found
            .into_iter()
            .filter(|(n, _)| !n.is_empty() && !n.contains(['{', ' ']))
        {
            assert!(
                sprite.contains(&format!("id=\"i-{name}\"")),
                "`{name}` of {file} is not in the sprite"
            );
        }
        for name in sprite.split("id=\"i-").skip(1).filter_map(|s| s.split('"').next()) {
            assert!(
                all.contains(&format!("\"{name}\"")),
                "nothing uses `{name}` of the sprite"
            );
        }
    }
}
