//! Calendars, clocks that jump, and what people write.

use super::*;

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone, 7).unwrap_or_else(|e| panic!("{expression}: {e:?}"))
}

fn time(utc: &str) -> Timestamp {
    Timestamp(utc.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn utc(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0).unwrap().to_string()
}

fn from(expression: &str, zone: &str, start: &str, n: usize) -> Vec<String> {
    let upcoming = schedule(expression, zone).upcoming(time(start), n);
    upcoming.into_iter().map(|f| utc(f.at)).collect()
}

#[test]
fn fields_names_and_their_signs_are_understood() {
    for (expression, want) in [
        ("30 2 * * 1-5", ["2026-11-23T02:30:00Z", "2026-11-24T02:30:00Z"]),
        ("0 0 31 * *", ["2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"]),
        ("0 0 29 FEB *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("0 12 L * *", ["2026-11-30T12:00:00Z", "2026-12-31T12:00:00Z"]),
        ("0 9 * * MON#1", ["2026-12-07T09:00:00Z", "2027-01-04T09:00:00Z"]),
        ("0 9 15W * *", ["2026-12-15T09:00:00Z", "2027-01-15T09:00:00Z"]),
        ("*/20 8-9 * * *", ["2026-11-22T08:00:00Z", "2026-11-22T08:20:00Z"]),
        ("0 0 * * 7", ["2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"]),
    ] {
        assert_eq!(from(expression, "UTC", "2026-11-21T21:00:00Z", 2), want, "{expression}");
    }
}

#[test]
fn a_fixed_time_that_does_not_exist_is_taken_right_behind_and_once() {
    // 29 March 2026: 02:00 is 03:00 in Berlin.
    let fixed = schedule("30 2 * * *", "Europe/Berlin");
    let firings = fixed.upcoming(time("2026-03-27T12:00:00Z"), 3);
    let seen: Vec<_> = firings.iter().map(|f| (utc(f.at), f.local.as_str(), f.jump)).collect();
    assert_eq!(
        seen,
        [
            ("2026-03-28T01:30:00Z".into(), "2026-03-28 02:30", None),
            ("2026-03-29T01:00:00Z".into(), "2026-03-29 03:00", Some(Jump::Forward)),
            ("2026-03-30T00:30:00Z".into(), "2026-03-30 02:30", None),
        ]
    );
    // Every half hour has none to make up for.
    assert_eq!(
        from("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 3),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
    // Lord Howe jumps by half an hour, Santiago at midnight.
    assert_eq!(
        from("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
    );
    assert_eq!(
        from("30 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 2),
        ["2026-09-06T04:00:00Z", "2026-09-07T03:30:00Z"]
    );
}

#[test]
fn a_fixed_time_that_comes_twice_is_taken_once() {
    // 25 October 2026: 03:00 is 02:00 again in Berlin.
    let fixed = schedule("30 2 * * *", "Europe/Berlin");
    let firings = fixed.upcoming(time("2026-10-24T12:00:00Z"), 2);
    let seen: Vec<_> = firings.iter().map(|f| (utc(f.at), f.jump)).collect();
    assert_eq!(
        seen,
        [
            ("2026-10-25T00:30:00Z".into(), Some(Jump::Back)),
            ("2026-10-26T01:30:00Z".into(), None)
        ]
    );
    // What comes each half hour comes in both.
    assert_eq!(
        from("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 4),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
    assert_eq!(
        from("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2),
        ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
    );
}

#[test]
fn instants_rise_and_none_comes_twice_over_years_of_jumps() {
    for zone in [
        "Europe/Berlin",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ] {
        for expression in ["30 2 * * *", "*/7 * * * *", "0 0 * * *", "15 */5 * * *"] {
            let all = schedule(expression, zone).upcoming(time("2026-01-01T00:00:00Z"), 3_000);
            assert_eq!(all.len(), 3_000);
            assert!(all.windows(2).all(|w| w[0].at < w[1].at), "{expression} {zone}");
        }
    }
    // One a day, whatever the clocks do.
    let daily = schedule("30 2 * * *", "Europe/Berlin").upcoming(time("2026-01-01T00:00:00Z"), 365);
    let mut days: Vec<_> = daily.iter().map(|f| &f.local[..10]).collect();
    days.dedup();
    assert_eq!((days.len(), days[364]), (365, "2026-12-31"));
}

#[test]
fn h_is_spread_by_the_trigger_and_stays() {
    let plain = |expression: &str, seed| Schedule::parse(expression, "UTC", seed).unwrap().plain().to_owned();
    assert_eq!(plain("H H * * *", 7), plain("H H * * *", 7));
    let minutes: std::collections::BTreeSet<_> = (1..=200).map(|seed| plain("H 2 * * *", seed)).collect();
    assert!(minutes.len() > 50, "{} of 60 minutes", minutes.len());
    for seed in 1..=50 {
        let each: Vec<u32> = {
            let all = Schedule::parse("H/15 H(0-5) * * *", "UTC", seed).unwrap();
            all.upcoming(time("2026-11-21T00:00:00Z"), 8)
                .iter()
                .map(|f| f.local[11..13].parse().unwrap())
                .collect()
        };
        assert!(each.iter().all(|hour| *hour <= 5), "{each:?}");
    }
    assert!(plain("@daily", 1) != plain("@daily", 2));
    assert_eq!(plain("0 2 * * mon", 1), "0 2 * * MON");
}

#[test]
fn mistakes_are_all_told_at_their_columns() {
    for (expression, want) in [
        ("", vec![(1, "A schedule has five fields, this has 0.")]),
        ("* * * *", vec![(8, "A schedule has five fields, this has 4.")]),
        ("0 0 2 * * *", vec![(11, "A schedule has five fields, this has 6.")]),
        ("61 2 * * *", vec![(1, "`61` is no minute.")]),
        (
            "0  25 * * FOO",
            vec![(4, "`25` is no hour."), (11, "`FOO` is no day of the week.")],
        ),
        ("H(5-2) * * * *", vec![(1, "`H(5-2)` is no minute.")]),
        ("H/0 * * * *", vec![(1, "`H/0` is no minute.")]),
        ("0 0 30 2 *", vec![(1, "This never comes: there is no such day.")]),
        ("@reboot", vec![(1, "This is no name of a schedule.")]),
    ] {
        let problems = Schedule::parse(expression, "UTC", 1).expect_err(expression);
        let told: Vec<_> = problems
            .iter()
            .map(|p| (p.column.unwrap(), p.message.as_str()))
            .collect();
        assert_eq!(told, want, "{expression}");
        assert!(problems.iter().all(|p| p.hint.is_some()), "{expression}");
    }
    let both = Schedule::parse("61 * * * *", "Europe/Berlim", 1).expect_err("two mistakes");
    assert_eq!(
        both.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(),
        ["zone", "cron"]
    );
    assert!(Schedule::parse(&"*/1,".repeat(100), "UTC", 1).is_err());
}

#[test]
fn what_was_missed_is_counted_and_the_last_of_it_kept() {
    let hourly = schedule("0 * * * *", "UTC");
    let (last, count) = hourly.missed(time("2026-11-21T09:00:00Z"), time("2026-11-21T12:00:00Z"), 2);
    assert_eq!(count, 3, "the first is over, the last is due");
    assert_eq!(
        last.into_iter().map(utc).collect::<Vec<_>>(),
        ["2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z"]
    );
    let (last, count) = hourly.missed(time("2026-11-21T09:00:00Z"), time("2026-11-21T09:59:59Z"), 2);
    assert_eq!((last.len(), count), (0, 0));
}

#[test]
fn schedules_are_said_as_one_would() {
    for (text, want) in [
        ("30 2 * * *", "At 02:30 every day."),
        ("30 2 * * 1-5", "At 02:30 on weekdays."),
        ("0 23 * * FRI", "At 23:00, on Friday."),
        ("*/5 * * * *", "Every 5 minutes."),
    ] {
        let schedule = Schedule::parse(text, "UTC", 1).unwrap();
        assert_eq!(schedule.sentence(), want, "{text}");
    }
}
