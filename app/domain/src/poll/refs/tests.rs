//! Branches and tags over several looks.

use super::*;

fn named(refs: &[(&str, &str)]) -> Vec<Named> {
    let full = |n: &str| match n.strip_prefix("tag:") {
        Some(tag) => format!("refs/tags/{tag}"),
        None => format!("refs/heads/{n}"),
    };
    refs.iter()
        .map(|(n, r)| Named {
            name: full(n),
            revision: (*r).into(),
        })
        .collect()
}

fn patterns(branches: &[&str], tags: &[&str]) -> Patterns {
    let owned = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect();
    Patterns {
        branches: owned(branches),
        tags: owned(tags),
    }
}

/// Looks one after another; what is new at each, as `name old→new`.
fn looks(patterns: &Patterns, rounds: &[&[(&str, &str)]]) -> Vec<String> {
    let (mut cursor, mut told) = (None, Vec::new());
    for round in rounds {
        let seen = look(cursor.as_ref(), &named(round), patterns, Seen::Latest).unwrap();
        let words: Vec<String> = seen
            .new
            .iter()
            .map(|n| format!("{} {}→{}", n.name, n.old.as_deref().unwrap_or("-"), n.new))
            .collect();
        told.push(words.join(", "));
        cursor = Some(seen.cursor);
    }
    told
}

#[test]
fn only_what_changed_after_the_start_is_new() {
    let all = patterns(&["**"], &["v*"]);
    let rounds: &[&[(&str, &str)]] = &[
        &[("main", "a"), ("tag:v1", "a")],
        &[("main", "a"), ("tag:v1", "a")],
        &[
            ("main", "b"),
            ("x", "c"),
            ("tag:v1", "a"),
            ("tag:v2", "b"),
            ("tag:old", "b"),
        ],
        // A forced push is a push.
        &[("main", "a"), ("x", "c"), ("tag:v1", "b"), ("tag:v2", "b")],
    ];
    assert_eq!(
        looks(&all, rounds),
        ["", "", "main a→b, x -→c, v2 -→b", "main b→a, v1 a→b"]
    );
    // An empty repository is a start too.
    assert_eq!(looks(&all, &[&[], &[("main", "a")]]), ["", "main -→a"]);
    let release = patterns(&["release/*"], &[]);
    assert_eq!(
        looks(
            &release,
            &[&[("main", "a")], &[("main", "b"), ("release/1", "b"), ("tag:v1", "b")]]
        ),
        ["", "release/1 -→b"]
    );
    assert_eq!(looks(&patterns(&[], &[]), &[&[], &[("main", "a")]]), ["", ""]);
}

#[test]
fn what_went_away_and_came_back_as_it_was_is_not_new() {
    let all = patterns(&["**"], &[]);
    let rounds: &[&[(&str, &str)]] = &[
        &[("main", "a"), ("x", "a")],
        &[("main", "a")],
        &[("main", "a"), ("x", "a")],
        &[],
        &[],
        &[("main", "a"), ("x", "b")],
    ];
    assert_eq!(looks(&all, rounds), ["", "", "", "", "", "x a→b"]);
}

#[test]
fn patterns_that_are_new_start_nothing_for_what_was_there() {
    let here = named(&[("main", "a"), ("release/1", "r")]);
    let start = look(None, &here, &patterns(&["main"], &[]), Seen::Latest).unwrap();
    let wider = patterns(&["main", "release/*"], &[]);
    let seen = look(Some(&start.cursor), &here, &wider, Seen::Latest).unwrap();
    assert_eq!(seen.new, []);
    let later = named(&[("main", "b"), ("release/1", "s"), ("release/2", "t")]);
    let seen = look(Some(&seen.cursor), &later, &wider, Seen::Latest).unwrap();
    let names: Vec<&str> = seen.new.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["main", "release/1", "release/2"]);
    // With the patterns the change of a branch that both match counts.
    let seen = look(Some(&start.cursor), &later, &wider, Seen::Latest).unwrap();
    assert_eq!(seen.new.len(), 1);
}

#[test]
fn commits_one_by_one_are_asked_for_where_there_are_any_between() {
    let all = patterns(&["**"], &["**"]);
    let start = look(None, &named(&[("main", "a"), ("tag:v", "a")]), &all, Seen::Each).unwrap();
    let now = named(&[("main", "b"), ("x", "b"), ("tag:v", "b")]);
    let seen = look(Some(&start.cursor), &now, &all, Seen::Each).unwrap();
    let each: Vec<(&str, bool)> = seen.new.iter().map(|n| (n.name.as_str(), n.each)).collect();
    assert_eq!(each, [("main", true), ("x", false), ("v", false)]);
    let seen = look(Some(&start.cursor), &now, &all, Seen::Latest).unwrap();
    assert!(seen.new.iter().all(|n| !n.each));
}

#[test]
fn a_cursor_stays_below_a_bound() {
    let all = patterns(&["**"], &["**"]);
    let many = |from: usize, to: usize| -> Vec<Named> {
        (from..to)
            .map(|n| Named {
                name: format!("refs/heads/b{n}"),
                revision: "a".repeat(40),
            })
            .collect()
    };
    assert_eq!(
        look(None, &many(0, MOST + 1), &all, Seen::Latest),
        Err(TooMany(MOST + 1))
    );
    let narrow = patterns(&["b1"], &[]);
    assert!(look(None, &many(0, 100_000), &narrow, Seen::Latest).is_ok());
    let mut cursor = look(None, &many(0, MOST), &all, Seen::Latest).unwrap().cursor;
    for round in 1..5 {
        let seen = look(
            Some(&cursor),
            &many(round * MOST, (round + 1) * MOST),
            &all,
            Seen::Latest,
        )
        .unwrap();
        assert_eq!(seen.new.len(), MOST);
        cursor = seen.cursor;
        assert!(cursor.refs.len() + cursor.gone.len() <= MOST + MOST_GONE);
    }
    let json = serde_json::to_string(&cursor).unwrap();
    assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
    // An answer that is suddenly empty starts nothing when it is whole again.
    let empty = look(Some(&cursor), &[], &all, Seen::Latest).unwrap().cursor;
    assert_eq!(
        look(Some(&empty), &many(4 * MOST, 5 * MOST), &all, Seen::Latest)
            .unwrap()
            .new,
        []
    );
    assert_eq!((cursor.len(), cursor.is_empty(), empty.is_empty()), (MOST, false, true));
}

#[test]
fn a_poll_without_patterns_follows_every_branch() {
    let main = "refs/heads/feature/x";
    let tag = "refs/tags/v1";
    for (branches, tags, want) in [
        (&[][..], &[][..], (true, false)),
        (&["main"], &[], (false, false)),
        (&[], &["v*"], (false, true)),
        (&["feature/*"], &["v*"], (true, true)),
    ] {
        let poll = Poll {
            branches: patterns(branches, &[]).branches,
            tags: patterns(&[], tags).tags,
            ..Poll::default()
        };
        let p = Patterns::of(&poll);
        assert_eq!((p.follow(main), p.follow(tag)), want, "{branches:?} {tags:?}");
    }
}
