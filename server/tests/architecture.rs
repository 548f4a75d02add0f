//! The shape of the code, as data: which package may depend on which, and which module of the engine may use which.
//! A new arrow is a change of these tables, and so a matter of review.
//!
//! **Invariant:** the tables hold everything allowed; whatever is not in them fails, unknown names included.

// A test that meets the impossible shall stop with a word.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Package, its folder, the packages of ours it may use.
const PACKAGES: &[(&str, &str, &[&str])] = &[
    ("domain", "app/domain", &[]),
    ("app", "app", &["domain"]),
    ("frontend", "frontend", &["app"]),
    ("editor", "frontend/editor", &["domain"]),
    ("protocol", "server/protocol", &["domain"]),
    ("shim", "server/shim", &[]),
    ("failpoint", "server/failpoint", &[]),
    ("agent", "server/agent", &["domain", "protocol", "shim", "failpoint"]),
    ("engine", "server/engine", &["domain", "protocol", "failpoint"]),
    ("server", "server", &["domain", "protocol", "engine", "agent", "app"]),
    ("xtask", "xtask", &[]),
    ("bench", "xtask/bench", &["domain"]),
    ("chaos", "xtask/chaos", &[]),
];

/// Package, crates from outside that would break its promise.
const KEPT_OUT: &[(&str, &[&str])] = &[
    (
        "domain",
        &["tokio", "sqlx", "leptos", "axum", "regex", "chrono", "rand"],
    ),
    ("protocol", &["tokio", "sqlx", "leptos", "axum"]),
    ("app", &["sqlx", "serde-saphyr", "regex", "bollard"]),
    ("engine", &["leptos", "axum", "bollard"]),
    ("agent", &["sqlx", "leptos", "axum"]),
    ("shim", &["tokio", "libc", "tracing"]),
];

/// The engine's modules, lowest rank first. A module may use lower ranks, never its neighbours nor anything above.
const ENGINE: &[&[&str]] = &[
    &["clock", "space", "outgoing"],
    &["store"],
    &["auth", "console"],
    &["remotes"],
    &["queue"],
    // Dispatch fills a slot in the same write that frees it, so placement stands below it.
    &["scheduler"],
    &["triggers", "dispatch", "notify"],
    &["services"],
    &["assembly"],
];

#[test]
fn packages_depend_only_downwards() {
    let ours: BTreeSet<&str> = PACKAGES.iter().map(|(name, ..)| *name).collect();
    for (name, folder, allowed) in PACKAGES {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(*name), "{folder}/Cargo.toml");
        let used = dependencies(&manifest);
        for dependency in used.iter().filter(|dependency| ours.contains(dependency.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "package {name} must not depend on {dependency}"
            );
        }
        let kept_out = KEPT_OUT
            .iter()
            .filter(|(package, _)| package == name)
            .flat_map(|(_, crates)| crates.iter());
        for outsider in kept_out {
            assert!(!used.contains(*outsider), "package {name} must stay free of {outsider}");
        }
    }
}

#[test]
fn every_package_of_the_workspace_is_in_the_table() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members: BTreeSet<&str> = manifest["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|member| member.as_str())
        .collect();
    let table: BTreeSet<&str> = PACKAGES.iter().map(|(_, folder, _)| *folder).collect();
    assert_eq!(members, table);
}

#[test]
fn modules_of_the_engine_use_only_lower_ones() {
    let source = root().join("server/engine/src");
    let mut wrong = Vec::new();
    for path in rust_files(&source) {
        let relative = path.strip_prefix(&source).unwrap();
        let module = top_module(relative);
        if module == "lib" {
            continue;
        }
        let used = arrows(&code_only(&read(&path)));
        let refused = used
            .iter()
            .filter(|target| *target != &module)
            .filter_map(|target| refusal(&module, target));
        wrong.extend(refused.map(|why| format!("{}: {why}", relative.display())));
    }
    assert!(wrong.is_empty(), "wrong arrows in the engine:\n{}", wrong.join("\n"));
}

#[test]
fn a_wrong_arrow_is_seen() {
    let cases: &[(&str, &str, bool)] = &[
        ("queue", "use crate::store::Store;", true),
        ("store", "use crate::queue::enqueue;", false),
        (
            "scheduler",
            "use crate::{\n    dispatch::Assign,\n    store::Tx,\n};",
            false,
        ),
        ("dispatch", "fn f() { crate::services::x() }", false),
        ("services", "use crate::{auth, dispatch::Hub, queue};", true),
        ("queue", "pub(crate) fn f() {} // crate::services is above us", true),
        ("console", "use crate::helpers::x;", false),
        ("console", "use crate::auth::Secret;", false),
    ];
    for (module, code, fine) in cases {
        let used = arrows(&code_only(code));
        let seen: Vec<_> = used
            .iter()
            .filter(|target| target != module)
            .filter_map(|t| refusal(module, t))
            .collect();
        assert_eq!(seen.is_empty(), *fine, "{module}: {code} gave {seen:?}");
    }
}

#[test]
fn only_the_ui_door_names_the_pages() {
    let source = root().join("server/src");
    let wrong: Vec<_> = rust_files(&source)
        .into_iter()
        .filter(|path| !path.starts_with(source.join("web")) && !path.ends_with("serve.rs"))
        .filter(|path| mentions(&code_only(&read(path)), "app"))
        .collect();
    assert!(wrong.is_empty(), "package app is for web and serve.rs alone: {wrong:?}");
}

/// Why `module` may not use `target`, if it may not.
fn refusal(module: &str, target: &str) -> Option<String> {
    let rank = |name: &str| ENGINE.iter().position(|modules| modules.contains(&name));
    match (rank(module), rank(target)) {
        (None, _) => Some(format!("module {module} is not in the table")),
        (_, None) => Some(format!("{module} uses crate::{target}, which is not in the table")),
        (Some(from), Some(to)) if to >= from => Some(format!("{module} must not use {target}")),
        _ => None,
    }
}

/// The first names after `crate::`, in single paths and in groups.
fn arrows(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, matched) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + matched.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group));
        } else {
            found.insert(head(rest));
        }
    }
    found
        .into_iter()
        .filter(|name| name.starts_with(|c: char| c.is_lowercase()))
        .collect()
}

/// The first names of the entries of a `{…}` group, given what follows its brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut heads) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => entry = true,
            c if entry && !c.is_whitespace() => {
                heads.push(head(&group[at..]));
                entry = false;
            }
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn mentions(code: &str, package: &str) -> bool {
    code.match_indices(&format!("{package}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// The code without line comments, and without the tests at its end, which may reach anywhere.
fn code_only(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..tests]
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

fn top_module(relative: &Path) -> String {
    let first = relative.iter().next().unwrap().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files.extend(rust_files(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
            files.push(path);
        }
    }
    files
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let tables = manifest
        .iter()
        .filter(|(key, _)| *key == "dependencies")
        .map(|(_, value)| value);
    let targets = manifest
        .get("target")
        .and_then(|value| value.as_table())
        .into_iter()
        .flat_map(|targets| targets.values());
    let by_target = targets.filter_map(|target| target.get("dependencies"));
    tables
        .chain(by_target)
        .filter_map(|value| value.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}
