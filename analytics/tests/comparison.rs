//! Comparisons against numpy and scipy (fixtures/make_comparison.py), and how often they cry wolf.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use sop_analytics::comparison::{
    Bucket, Finding, Grain, Spread, Standing, Usual, compare_pair, compare_series,
};
use sop_analytics::progress::Uninterruptible;

#[track_caller]
fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs(),
        "{what}: {found} instead of {expected}"
    );
}

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("fixtures/comparison.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let cases = fixture[kind].as_array().unwrap().clone();
    assert!(cases.len() >= 3);
    cases
}

fn empty(day: i32) -> Bucket {
    Bucket {
        day,
        days: 1.0,
        n: 0.0,
        total: f64::NAN,
        mean: f64::NAN,
        stddev: f64::NAN,
        numerator: f64::NAN,
        denominator: f64::NAN,
        is_closed: false,
        is_running: false,
    }
}

fn measurement(day: i32, n: f64, mean: f64, stddev: f64) -> Bucket {
    Bucket {
        n,
        total: n * mean,
        mean,
        stddev,
        ..empty(day)
    }
}

fn rate(day: i32, numerator: f64, denominator: f64) -> Bucket {
    Bucket {
        n: denominator,
        total: numerator,
        numerator,
        denominator,
        ..empty(day)
    }
}

fn count(day: i32, total: f64) -> Bucket {
    Bucket {
        n: total,
        total,
        ..empty(day)
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap();
    elements.iter().map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn check(case: &Value, recent: &[Bucket], new: &Bucket) {
    let usual = Usual::of(recent).unwrap();
    assert_close(usual.centre, &case["centre"], "centre");
    assert_close(usual.stddev, &case["stddev"], "stddev");
    assert_close(usual.between, &case["between"], "between");
    assert_close(
        usual.autocorrelation,
        &case["autocorrelation"],
        "autocorrelation",
    );
    let found = usual.compare(new).unwrap();
    check_finding(case, &found);
    assert_close(found.effect_size.unwrap(), &case["effect_size"], "effect");
}

#[track_caller]
fn check_finding(case: &Value, found: &Finding) {
    assert_close(found.difference, &case["difference"], "difference");
    assert_close(found.low.unwrap(), &case["low"], "low");
    assert_close(found.high.unwrap(), &case["high"], "high");
    assert_close(found.p_value.unwrap(), &case["p_value"], "p_value");
}

#[test]
fn measurements_against_what_is_usual() {
    for case in cases("measurements") {
        let recent: Vec<Bucket> = (0..)
            .zip(case["recent"].as_array().unwrap())
            .map(|(day, row)| {
                let row = numbers(row);
                measurement(day, row[0], row[1], row[2])
            })
            .collect();
        let new = numbers(&case["new"]);
        check(&case, &recent, &measurement(99, new[0], new[1], new[2]));
    }
}

#[test]
fn rates_against_what_is_usual() {
    for case in cases("rates") {
        let recent: Vec<Bucket> = (0..)
            .zip(case["recent"].as_array().unwrap())
            .map(|(day, row)| {
                let row = numbers(row);
                rate(day, row[0], row[1])
            })
            .collect();
        let new = numbers(&case["new"]);
        check(&case, &recent, &rate(99, new[0], new[1]));
    }
}

#[test]
fn counts_against_what_is_usual() {
    for case in cases("counts") {
        let recent: Vec<Bucket> = (0..)
            .zip(numbers(&case["recent"]))
            .map(|(day, total)| count(day, total))
            .collect();
        check(&case, &recent, &count(99, case["new"].as_f64().unwrap()));
    }
}

#[test]
fn longer_periods_against_each_other() {
    for case in cases("pairs") {
        let side = |name: &str, day| match case["kind"].as_str().unwrap() {
            "measurement" => {
                let row = numbers(&case[name]);
                measurement(day, row[0], row[1], row[2])
            }
            "rate" => {
                let row = numbers(&case[name]);
                rate(day, row[0], row[1])
            }
            _ => count(day, case[name].as_f64().unwrap()),
        };
        let spread = numbers(&case["spread"]);
        let days = numbers(&case["days"]);
        let found = compare_pair(
            &side("current", 40),
            &side("reference", 10),
            None,
            Some(Spread {
                stddev: spread[0],
                autocorrelation: spread[1],
                n: spread[2],
            }),
            (days[0], days[1]),
        )
        .unwrap();
        check_finding(&case, &found);
        assert_eq!(found.standing, Standing::Material);
    }
}

/// Compares the last bucket of a series of days.
fn last_of(buckets: &[Bucket]) -> sop_analytics::comparison::ComparedBucket {
    let mut wanted = vec![false; buckets.len()];
    *wanted.last_mut().unwrap() = true;
    compare_series(
        Grain::Day,
        buckets,
        &vec![None; buckets.len()],
        &wanted,
        &mut Uninterruptible,
    )
    .unwrap()[0]
}

#[test]
fn one_start_cannot_be_lower_than_usual() {
    let mut days: Vec<Bucket> = (0..28).map(|day| rate(day, 47.0, 50.0)).collect();
    days.push(rate(28, 0.0, 1.0));
    let found = last_of(&days);
    assert_eq!(found.baseline.unwrap().standing, Standing::Insufficient);
    assert_eq!(found.previous.unwrap().standing, Standing::Insufficient);
    // Four of five: within chance, however steady the days before were.
    days[28] = rate(28, 4.0, 5.0);
    let found = last_of(&days).baseline.unwrap();
    assert_eq!(found.standing, Standing::Material);
    assert!(found.p_value.unwrap() > 0.2, "{found:?}");
    // None of fifty is no chance.
    days[28] = rate(28, 0.0, 50.0);
    let found = last_of(&days).baseline.unwrap();
    assert!(found.p_value.unwrap() < 1e-9, "{found:?}");
    // Six starts of a metric that is a coin's throw: not even six of six would be significant with what is known.
    let mut days: Vec<Bucket> = (0..28)
        .map(|day| rate(day, f64::from(1 + day % 2), 3.0))
        .collect();
    days.push(rate(28, 5.0, 5.0));
    assert_eq!(
        last_of(&days).baseline.unwrap().standing,
        Standing::Insufficient
    );
}

#[test]
fn references_are_the_right_periods() {
    let mut days: Vec<Bucket> = (0..400)
        .map(|day| measurement(day, 9.0, f64::from(day), 1.0))
        .collect();
    let found = last_of(&days);
    assert_eq!(found.previous.unwrap().reference, 398.0);
    assert_eq!(found.last_year.unwrap().reference, 35.0);
    assert_eq!(found.baseline.unwrap().reference, 384.5);
    for day in &mut days[391..399] {
        day.is_closed = true;
    }
    days[35].is_closed = true;
    let found = last_of(&days);
    assert_eq!(found.previous, None);
    assert_eq!(found.last_year, None);
    assert_eq!(found.baseline.unwrap().reference, 380.5);
    days[392].is_closed = false;
    assert_eq!(last_of(&days).previous.unwrap().reference, 392.0);
}

#[test]
fn a_day_that_is_not_over_has_no_verdict_on_counts() {
    let mut days: Vec<Bucket> = (0..29)
        .map(|day| count(day, 100.0 + f64::from(day % 5)))
        .collect();
    days[28].total = 40.0;
    assert!(last_of(&days).baseline.unwrap().p_value.unwrap() < 1e-3);
    days[28].is_running = true;
    let found = last_of(&days);
    for finding in [found.baseline.unwrap(), found.previous.unwrap()] {
        assert_eq!(
            (finding.standing, finding.p_value),
            (Standing::Insufficient, None)
        );
    }
}

#[test]
fn odd_series() {
    let compare = |buckets: &[Bucket], wanted: &[bool]| {
        compare_series(
            Grain::Day,
            buckets,
            &vec![None; buckets.len()],
            wanted,
            &mut Uninterruptible,
        )
    };
    assert!(compare(&[], &[]).unwrap().is_empty());
    assert!(compare(&[empty(2), empty(1)], &[true, true]).is_err());
    assert!(compare(&[empty(2)], &[]).is_err());
    let found = compare(
        &[
            count(1, f64::NAN),
            measurement(2, 0.0, f64::INFINITY, 1.0),
            rate(3, 1.0, 0.0),
            count(3, 5.0),
        ],
        &[true; 4],
    )
    .unwrap();
    assert!(
        found
            .iter()
            .all(|row| row.previous.is_none() && row.baseline.is_none())
    );
    // Days that never varied: no p-value, and a difference of more than one per cent counts.
    let mut days: Vec<Bucket> = (0..29)
        .map(|day| measurement(day, 1.0, 4.0, f64::NAN))
        .collect();
    days[28].mean = 3.0;
    let found = last_of(&days).baseline.unwrap();
    assert_eq!((found.p_value, found.standing), (None, Standing::Material));
    days[28].mean = 4.001;
    assert_eq!(
        last_of(&days).baseline.unwrap().standing,
        Standing::Immaterial
    );
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn binomial(&mut self, n: u32, p: f64) -> f64 {
        f64::from((0..n).map(|_| u32::from(self.uniform() < p)).sum::<u32>())
    }
}

/// The share of series without any change whose last day is significantly unusual, or different from the day before.
fn alarms(mut series: impl FnMut(&mut Chance) -> Vec<Bucket>) -> (f64, f64) {
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(3));
    let (mut unusual, mut different) = (0, 0);
    const RUNS: u32 = 1000;
    for _ in 0..RUNS {
        let found = last_of(&series(&mut chance));
        let is_alarm = |finding: Option<Finding>| {
            finding.is_some_and(|found| {
                found.standing == Standing::Material && found.p_value.is_some_and(|p| p < 0.05)
            })
        };
        unusual += u32::from(is_alarm(found.baseline));
        different += u32::from(is_alarm(found.previous));
    }
    (
        f64::from(unusual) / f64::from(RUNS),
        f64::from(different) / f64::from(RUNS),
    )
}

#[test]
fn without_a_change_alarms_are_as_rare_as_they_should_be() {
    // The level of a day, with correlation r to the day before.
    fn levels(chance: &mut Chance, r: f64, n: usize) -> Vec<f64> {
        let mut now = chance.normal();
        (0..n)
            .map(|_| {
                let here = now;
                now = r * now + (1.0 - r * r).sqrt() * chance.normal();
                here
            })
            .collect()
    }
    for r in [0.0, 0.5] {
        let found = alarms(|chance| {
            (0..)
                .zip(levels(chance, r, 29))
                .map(|(day, level)| {
                    let n = 1 + chance.uniform().mul_add(20.0, 0.0) as u32;
                    let mean = 30.0 + 2.0 * level + 5.0 * chance.normal() / f64::from(n).sqrt();
                    let stddev = if n > 1 { 5.0 } else { f64::NAN };
                    measurement(day, f64::from(n), mean, stddev)
                })
                .collect()
        });
        assert!(
            found.0 < 0.075 && found.1 < 0.075,
            "means, r {r}: {found:?}"
        );

        let found = alarms(|chance| {
            (0..)
                .zip(levels(chance, r, 29))
                .map(|(day, level)| {
                    let n = 1 + chance.uniform().mul_add(14.0, 0.0) as u32;
                    let p = (0.85 + 0.05 * level).clamp(0.0, 1.0);
                    rate(day, chance.binomial(n, p), f64::from(n))
                })
                .collect()
        });
        assert!(
            found.0 < 0.075 && found.1 < 0.075,
            "few trials, r {r}: {found:?}"
        );

        let found = alarms(|chance| {
            (0..)
                .zip(levels(chance, r, 29))
                .map(|(day, level)| count(day, chance.binomial(2000, 0.02 * (0.3 * level).exp())))
                .collect()
        });
        assert!(
            found.0 < 0.075 && found.1 < 0.075,
            "counts, r {r}: {found:?}"
        );
    }
    // And a change is seen: rates that fall from 0.9 to 0.6 in forty trials.
    let found = alarms(|chance| {
        (0..29)
            .map(|day| {
                let p = if day == 28 { 0.6 } else { 0.9 };
                rate(day, chance.binomial(40, p), 40.0)
            })
            .collect()
    });
    assert!(found.0 > 0.9, "{found:?}");
}
