//! `make chaos`: faults against the real binary, for an hour or `CARACAL_CHAOS_SECONDS`, with a workload whose every byte and
//! exit code is known beforehand. Anything lost, doubled or stuck fails it.
//!
//! **Invariant:** all that is random comes from one printed seed (`CARACAL_CHAOS_SEED` gives it again); time only bounds
//! waiting. The folder of a run that failed is kept.

mod clock;
mod disk;
mod engine;
mod fault;
mod frames;
mod full;
mod http;
mod inflict;
mod kind;
mod leftovers;
mod look;
mod output;
mod point;
mod proxy;
mod report;
mod round;
mod site;
mod submit;
mod verify;
mod witness;
mod workload;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Fault;
use crate::kind::Kind;
use crate::report::Report;
use crate::round::Ground;
use crate::site::Site;
use crate::witness::Witness;

/// Runs shorter than this have small rounds, so that most faults get their turn.
const BRIEF: u64 = 600;

#[tokio::main]
async fn main() -> ExitCode {
    match chaos().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it all; whether nothing was wrong.
async fn chaos() -> Result<bool> {
    let seconds = setting("CARACAL_CHAOS_SECONDS")?.unwrap_or(3600);
    let seed = match setting("CARACAL_CHAOS_SEED")? {
        Some(seed) => seed,
        None => u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
    };
    let folder = tempfile::Builder::new().prefix("caracal-chaos-").tempdir()?;
    let run = format!("{seed}-{}", std::process::id());
    println!(
        "chaos: {} for {seconds} s, CARACAL_CHAOS_SEED={seed}, data in {}",
        site::binary().display(),
        folder.path().display()
    );
    let mut faults = interleaved();
    if let Ok(only) = std::env::var("CARACAL_CHAOS_ONLY") {
        faults.retain(|(fault, kind)| fault.name(*kind).contains(&only));
        ensure!(!faults.is_empty(), "no fault has CARACAL_CHAOS_ONLY={only} in its name");
    }
    let witness = Witness::start().await?;
    let ground = Ground {
        witness: &witness,
        run: &run,
        brief: seconds < BRIEF,
    };
    let mut random = StdRng::seed_from_u64(seed);
    // A short run does not come to all of them; many short runs do.
    let first = random.random_range(0..faults.len());
    faults.rotate_left(first);
    let mut report = Report::new(faults.iter().copied());
    let mut sites: BTreeMap<Kind, Site> = BTreeMap::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    let cut_short = tokio::select! {
        done = rounds(&ground, &faults, &mut random, (&mut report, &mut sites), folder.path(), end) => {
            done.err().map(|error| format!("{error:#}"))
        }
        () = interrupted() => Some("interrupted".to_owned()),
    };
    let mut fine = report.violations() == 0 && cut_short.is_none();
    if let Some(why) = cut_short {
        println!("chaos: {why}");
    }
    for site in sites.values_mut() {
        if let Err(error) = site.stop().await {
            println!("chaos: at the end, {error:#}");
            fine = false;
            continue;
        }
        if fine {
            for what in site.left_after_stop(&run).await {
                println!("chaos: at the end, {what} (I8)");
                fine = false;
            }
        }
    }
    leftovers::end(&run);
    report.print();
    // The last line is in the words that scripts/tally counts.
    let rounds = report.rounds();
    if fine {
        println!("\nchaos: nothing lost, doubled or stuck");
        println!("test result: ok. {rounds} passed; 0 failed; 0 ignored; rounds");
    } else {
        sites.values().for_each(Site::keep_traces);
        let kept = folder.keep();
        println!(
            "\nchaos: BROKEN; data and traces are in {}, again with CARACAL_CHAOS_SEED={seed}",
            kept.display()
        );
        let passed = rounds.saturating_sub(1);
        println!("test result: FAILED. {passed} passed; 1 failed; 0 ignored; rounds");
    }
    Ok(fine)
}

/// Runs rounds until the time is up or one is broken.
async fn rounds(
    ground: &Ground<'_>,
    faults: &[(Fault, Kind)],
    random: &mut StdRng,
    (report, sites): (&mut Report, &mut BTreeMap<Kind, Site>),
    folder: &Path,
    end: Instant,
) -> Result<()> {
    for (number, (fault, kind)) in (1..).zip(faults.iter().copied().cycle()) {
        // What follows a broken round shows nothing new, and its traces are best left as they are.
        if Instant::now() > end || report.violations() > 0 {
            break;
        }
        let seed = random.next_u64();
        let site = match sites.entry(kind) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let site = Site::start(folder.join(kind.name()), kind, ground.witness).await;
                place.insert(site.with_context(|| format!("the site {}", kind.name()))?)
            }
        };
        site.note(&format!("round {number}, {}, seed {seed}", fault.name(kind)));
        match round::run(ground, site, fault, seed, number).await {
            Ok(outcome) => report.round(number, seed, (fault, kind), &outcome),
            Err(error) => report.broken(number, seed, (fault, kind), &error),
        }
    }
    Ok(())
}

/// Answers when somebody wants this to end before its time.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// All kinds of sites in turn, each through all its faults.
fn interleaved() -> Vec<(Fault, Kind)> {
    let mut lists: Vec<_> = Kind::ALL.iter().map(|kind| (*kind, Fault::of(*kind).iter())).collect();
    let mut all = Vec::new();
    while !lists.is_empty() {
        lists.retain_mut(|(kind, faults)| {
            let next = faults.next().map(|fault| (*fault, *kind));
            all.extend(next);
            next.is_some()
        });
    }
    all
}

/// A number from the environment.
fn setting(name: &str) -> Result<Option<u64>> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().with_context(|| format!("{name}={text} is no number")))
        .transpose()
}
