//! Registration with one-time tokens, names, and the protocol's version.

use super::{ONE, ask, credential, refused, registered, token};
use crate::support::{Database, FakeAgent, World, on_both};
use domain::status::TaskStatus;
use protocol::{FromAgent, RefusalCode, ToAgent, VERSIONS};

on_both!(
    a_token_registers_as_many_agents_as_it_has_uses,
    an_answer_that_was_lost_is_asked_for_again,
    tokens_that_are_no_good_are_refused_in_words,
    names_are_given_or_refused,
    strangers_who_guess_wait,
    versions_up_and_down_are_agreed_on,
);

async fn a_token_registers_as_many_agents_as_it_has_uses(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 2, &[("pool", "fast")]).await;
    let (mut agent, answer) = ask(&w, &made.token, &credential(1), None, "192.0.2.9").await;
    let ToAgent::Registered { agent: id, name } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(name, "kiln");
    // The hello may follow on the same connection; then it works like any other.
    agent.id = id;
    agent.hello(VERSIONS, &credential(1), 1, &[], Vec::new());
    let plan = w
        .plan(&ONE.replace("steps:", "runs_on: [\"pool == fast\"]\nsteps:"))
        .await;
    let task = w.run(plan).await.id;
    let a = agent.assignment().await;
    agent.run(&a, 0).await;
    w.until(task, TaskStatus::Passed).await;
    assert_eq!(registered(&w, &made.token, 2).await.1, "kiln-2");
    let (code, reason) = refused(&w, &made.token, 3, None, "192.0.2.9").await;
    assert_eq!(code, RefusalCode::Token);
    assert!(reason.contains("used up"), "{reason}");
    let seen = w.engine.ports.agents.token(&w.ana, made.view.id).await.unwrap();
    assert_eq!((seen.uses, seen.uses_left, seen.agents.len()), (2, 0, 2));
    assert!(
        w.engine.ports.agents.tokens(&w.ana).await.unwrap().is_empty(),
        "none is left to use"
    );
}

async fn an_answer_that_was_lost_is_asked_for_again(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 1, &[]).await;
    let first = registered(&w, &made.token, 1).await;
    // Again and again, even after the token has ended: the credential is what counts.
    assert_eq!(registered(&w, &made.token, 1).await, first);
    w.clock.advance(2 * 3_600_000);
    assert_eq!(registered(&w, &made.token, 1).await, first);
    assert_eq!(registered(&w, "agt_rubbish", 1).await, first);
    assert_eq!(w.engine.ports.agents.list(&w.ana).await.unwrap().len(), 1);
}

async fn tokens_that_are_no_good_are_refused_in_words(database: Database) {
    let w = World::on(database).await;
    let (ended, revoked) = (token(&w, 1, &[]).await, token(&w, 1, &[]).await);
    w.engine
        .ports
        .agents
        .revoke_token(&w.ana, revoked.view.id)
        .await
        .unwrap();
    w.clock.advance(3_600_001);
    let good = token(&w, 1, &[]).await;
    let typo = format!("{}x", &good.token[..good.token.len() - 1]);
    let stranger = engine::auth::secret::agent_token(&mut rand::rng());
    for (given, want) in [
        (ended.token.as_str(), "ended at"),
        (revoked.token.as_str(), "was revoked"),
        (typo.as_str(), "is wrong"),
        (stranger.as_str(), "is wrong"),
        ("", "is wrong"),
    ] {
        // Each from an address of its own: throttling is another matter.
        let from: &'static str = Box::leak(format!("198.51.100.{}", want.len() + given.len()).into_boxed_str());
        let (code, reason) = refused(&w, given, 1, None, from).await;
        assert_eq!(code, RefusalCode::Token);
        assert!(
            reason.contains(want) && reason.contains("Make another"),
            "{given}: {reason}"
        );
    }
    registered(&w, &good.token, 1).await;
}

async fn names_are_given_or_refused(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 3, &[]).await;
    let answer = ask(&w, &made.token, &credential(1), Some("forge"), "192.0.2.9").await.1;
    assert!(
        matches!(&answer, ToAgent::Registered { name, .. } if name == "forge"),
        "{answer:?}"
    );
    for (name, want) in [
        ("forge", "already"),
        ("builtin", "inside the server"),
        ("a b", "cannot be"),
    ] {
        let (code, reason) = refused(&w, &made.token, 2, Some(name), "192.0.2.9").await;
        assert_eq!(code, RefusalCode::Name, "{name}");
        assert!(reason.contains(want), "{reason}");
    }
    let left = w
        .engine
        .ports
        .agents
        .token(&w.ana, made.view.id)
        .await
        .unwrap()
        .uses_left;
    assert_eq!(left, 2, "a refusal uses nothing up");
}

async fn strangers_who_guess_wait(database: Database) {
    let w = World::on(database).await;
    let made = token(&w, 1, &[]).await;
    let mut codes = Vec::new();
    for n in 1..8 {
        codes.push(refused(&w, "agt_guess", n, None, "203.0.113.5").await.0);
    }
    assert_eq!(codes[0], RefusalCode::Token);
    assert_eq!(codes[6], RefusalCode::Later, "{codes:?}");
    // Even the right token waits there; elsewhere it does not.
    let (code, reason) = refused(&w, &made.token, 9, None, "203.0.113.5").await;
    assert_eq!(code, RefusalCode::Later);
    assert!(reason.contains("Try again in"), "{reason}");
    registered(&w, &made.token, 9).await;
}

async fn versions_up_and_down_are_agreed_on(database: Database) {
    let w = World::on(database).await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let (now, before) = (VERSIONS[0], VERSIONS[1]);
    for (theirs, want) in [
        (vec![now + 1, now], now),
        (vec![now, before], now),
        (vec![before], before),
        (vec![before, before - 1], before),
    ] {
        let mut agent = FakeAgent::silent(&w.engine, id, "192.0.2.9");
        agent.hello(&theirs, &secret, 1, &[], Vec::new());
        let agreed = agent
            .hear_that(|m| match m {
                ToAgent::Welcome { version, .. } => Some(*version),
                _ => None,
            })
            .await;
        assert_eq!(agreed, want, "{theirs:?}");
        agent.cut().await;
    }
    for stranger in [vec![now + 2, now + 1], vec![], vec![0]] {
        let mut agent = FakeAgent::silent(&w.engine, id, "192.0.2.9");
        agent.hello(&stranger, &secret, 1, &[], Vec::new());
        let ToAgent::Refused { reason, code } = agent.hear().await else {
            panic!()
        };
        assert_eq!(code, RefusalCode::Version);
        assert!(reason.contains("No common protocol version"), "{reason}");
    }
    // A stranger's token is not used up.
    let made = token(&w, 1, &[]).await;
    let mut agent = FakeAgent::silent(&w.engine, id, "192.0.2.9");
    agent.say(&FromAgent::Register {
        versions: vec![now + 9],
        token: made.token.clone(),
        credential: credential(1),
        name: None,
        hostname: "kiln".into(),
    });
    assert!(matches!(
        agent.hear().await,
        ToAgent::Refused {
            code: RefusalCode::Version,
            ..
        }
    ));
    registered(&w, &made.token, 1).await;
}
