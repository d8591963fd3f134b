//! A value that was stored once is read by every later version.
//!
//! `golden/<type>_v<version>.json` holds values in the layout of that version with what they answered when they were
//! written. The files are never changed. When a layout changes (that of a part of a type included), its version goes up and a
//! file for the new one is added: `cargo test -p sop-analytics --test golden -- --ignored` writes the files that are missing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sop_analytics::budget::Budget;
use sop_analytics::codec::{Codec, TextForm};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::{
    CategoryProfile, DistinctSketch, DistributionProfile, Estimator, Frequent, NumericProfile,
    PercentileSketch, RegressionSummary, StateCollector, StateDurations, StatsSummary, TopNSketch,
};

/// Every base type of `sql/extension/types.sql`.
fn types() -> Vec<Type> {
    vec![
        Type::of(summaries, summary_answers),
        Type::of(sketches, sketch_answers),
        Type::of(distinct_sketches, distinct_answers),
        Type::of(top_n_sketches, top_n_answers),
        Type::of(profiles, profile_answers),
        Type::of(regressions, regression_answers),
        Type::of(state_durations, state_answers),
    ]
}

#[derive(Serialize, Deserialize)]
struct File {
    r#type: String,
    version: u8,
    values: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    /// The binary form.
    bytes: String,
    /// The text form, in a string because it is text that is stored.
    text: String,
    answers: Value,
}

/// What is asked of a stored value of a layout version.
type Check = Box<dyn Fn(&Stored, u8)>;

struct Type {
    name: &'static str,
    version: u8,
    /// The values of today's code in the form of a file.
    write: Box<dyn Fn() -> Vec<Stored>>,
    /// Reads a stored value of a layout version; a value that is still written in it has the same bytes.
    check: Check,
}

impl Type {
    fn of<S: Codec + TextForm + 'static>(
        samples: fn() -> Vec<(&'static str, S)>,
        answers: fn(&S) -> Value,
    ) -> Self {
        Self {
            name: S::TYPE_NAME,
            version: S::VERSION,
            write: Box::new(move || {
                let stored = |(name, state): (&str, S)| Stored {
                    name: name.to_owned(),
                    bytes: state.encode().iter().map(|b| format!("{b:02x}")).collect(),
                    text: state.to_text(),
                    answers: answers(&state),
                };
                // A value that needs nothing of the newest layout keeps an older one, whose file has it.
                let newest = |(_, state): &(&str, S)| state.version() == S::VERSION;
                samples().into_iter().filter(newest).map(stored).collect()
            }),
            check: Box::new(move |stored, version| {
                let what = format!("{}: {}", S::TYPE_NAME, stored.name);
                let bytes = from_hex(&stored.bytes);
                let state = S::decode(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_close(&answers(&state), &stored.answers, &what);
                let read = S::from_text(&stored.text).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(
                    read.encode(),
                    state.encode(),
                    "{what}: text and bytes differ"
                );
                if state.version() == version {
                    assert_eq!(state.encode(), bytes, "{what}: other bytes, same version");
                    assert_eq!(state.to_text(), stored.text, "{what}");
                }
            }),
        }
    }

    fn path(&self, version: u8) -> PathBuf {
        folder().join(format!("{}_v{version}.json", self.name))
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// Numbers to twelve digits, everything else exactly.
fn assert_close(found: &Value, expected: &Value, what: &str) {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{what}");
            for (found, expected) in found.iter().zip(expected) {
                assert_close(found, expected, what);
            }
        }
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let found = found.get(name).unwrap_or(&Value::Null);
                assert_close(found, expected, &format!("{what}: {name}"));
            }
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            let close = (found - expected).abs() <= 1e-12 * expected.abs();
            assert!(close, "{what}: {found} instead of {expected}");
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

/// A number, or its name where JSON has none.
fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.is_finite() => json!(value),
        Some(value) => json!(value.to_string()),
    }
}

#[test]
fn stored_values_are_read_and_answer_as_they_did() {
    let mut count = 0;
    let mut files = std::fs::read_dir(folder()).unwrap().count();
    for kind in types() {
        assert!(
            kind.path(kind.version).exists(),
            "no values of {} in version {}: see the head of golden.rs",
            kind.name,
            kind.version
        );
        for version in 1..=kind.version {
            // The version of a type with several parts may have skipped one.
            let path = kind.path(version);
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let file: File = serde_json::from_str(&text).unwrap();
            assert_eq!((file.r#type.as_str(), file.version), (kind.name, version));
            assert!(file.values.len() >= 4, "{}", path.display());
            for stored in &file.values {
                (kind.check)(stored, version);
                count += 1;
            }
            files -= 1;
        }
    }
    assert_eq!(files, 0, "files that no type knows");
    assert!(count >= 12, "{count}");
}

#[test]
fn every_base_type_has_golden_files_and_a_magic_byte_of_its_own() {
    let declared = include_str!("../../sql/extension/types.sql");
    let (_, list) = declared.split_once("VALUES").unwrap();
    let (list, _) = list.split_once(") AS type").unwrap();
    let mut names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("('")?.split('\'').next())
        .collect();
    names.sort_unstable();
    let mut known: Vec<&str> = types().iter().map(|kind| kind.name).collect();
    known.sort_unstable();
    assert_eq!(
        names, known,
        "golden.rs has to know every type of types.sql"
    );
    let mut magic: Vec<String> = types()
        .iter()
        .map(|kind| (kind.write)()[0].bytes[..2].to_owned())
        .collect();
    magic.sort_unstable();
    magic.dedup();
    assert_eq!(magic.len(), known.len());
}

/// Run by hand after a layout got a new version, or a type was added. Never touches a file that is there.
#[test]
#[ignore = "writes files"]
fn write_missing_files() {
    std::fs::create_dir_all(folder()).unwrap();
    for kind in types() {
        let path = kind.path(kind.version);
        if !path.exists() {
            let file = File {
                r#type: kind.name.to_owned(),
                version: kind.version,
                values: (kind.write)(),
            };
            let text = serde_json::to_string_pretty(&file).unwrap();
            std::fs::write(&path, text + "\n").unwrap();
        }
    }
}

/// Sequences of numbers that every state of numbers is written from.
fn sequences() -> Vec<(&'static str, Vec<f64>)> {
    let mut special: Vec<f64> = (1..=90).map(f64::from).collect();
    special.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]);
    vec![
        ("nothing", vec![]),
        ("one value", vec![2.5]),
        ("three values", vec![-1.0, 0.0, 1e9]),
        ("a constant", vec![0.1; 10]),
        ("NaN", vec![1.0, f64::NAN]),
        ("an infinity", vec![f64::NEG_INFINITY, 3.0]),
        (
            "the most that is kept exactly",
            (1..=64).map(f64::from).collect(),
        ),
        (
            "many",
            (0..400).map(|i| f64::from(i * 7919 % 1009) / 8.0).collect(),
        ),
        (
            "both signs",
            (-300..300).map(|i| f64::from(i) * 0.75).collect(),
        ),
        (
            "an offset",
            (0..200).map(|i| 1e9 + f64::from(i % 10)).collect(),
        ),
        (
            "orders of magnitude",
            (-90..90).map(|i| 1.6_f64.powi(i)).collect(),
        ),
        ("among many", special),
    ]
}

fn summaries() -> Vec<(&'static str, StatsSummary)> {
    let mut found: Vec<(&str, StatsSummary)> = sequences()
        .into_iter()
        .map(|(name, values)| (name, StatsSummary::from_values(values).unwrap()))
        .collect();
    for (name, values) in sequences() {
        if !values.is_empty() {
            let mut summary = StatsSummary::default();
            for (number, value) in (1_u32..).zip(values) {
                let weight = f64::from(number % 7 + 1) / 4.0;
                summary.push_weighted(value, weight).unwrap();
            }
            found.push((name, summary));
        }
    }
    found
}

fn summary_answers(state: &StatsSummary) -> Value {
    json!({
        "n": state.n(), "sum": number(state.sum()), "mean": number(state.mean()),
        "min": number(state.min()), "max": number(state.max()),
        "variance": number(state.variance(Estimator::Sample)),
        "skewness": number(state.skewness(Estimator::Population)),
        "kurtosis": number(state.kurtosis(Estimator::Population)),
        "weights": number(state.sum_weights()), "effective_size": number(state.effective_size()),
    })
}

fn regressions() -> Vec<(&'static str, RegressionSummary)> {
    let of = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        RegressionSummary::from_points(points).unwrap()
    };
    vec![
        ("nothing", of(&mut std::iter::empty())),
        ("one point", of(&mut [(2.5, -1.0)].into_iter())),
        (
            "a perfect line",
            of(&mut (0..9).map(|i| (f64::from(3 * i - 1), f64::from(i)))),
        ),
        (
            "x does not vary",
            of(&mut (0..9).map(|i| (f64::from(i), 4.0))),
        ),
        (
            "scattered",
            of(&mut (0..500).map(|i| (f64::from(i * 7919 % 1009) / 8.0, f64::from(i * 31 % 97)))),
        ),
        (
            "seconds since 1970",
            of(&mut (0..200)
                .map(|i| (1e9 + f64::from(i * 37 % 11), 1.77e9 + f64::from(i) * 3600.0))),
        ),
        ("NaN", of(&mut [(1.0, 2.0), (f64::NAN, 3.0)].into_iter())),
        (
            "an infinity",
            of(&mut [(1.0, 2.0), (3.0, f64::INFINITY)].into_iter()),
        ),
    ]
}

fn regression_answers(state: &RegressionSummary) -> Value {
    json!({
        "n": state.n(), "mean_x": number(state.mean_x()), "mean_y": number(state.mean_y()),
        "slope": number(state.slope()), "intercept": number(state.intercept()), "r2": number(state.r2()),
        "covariance": number(state.covariance(Estimator::Sample)),
    })
}

fn state_durations() -> Vec<(&'static str, StateDurations)> {
    let of = |rows: &[(&str, i64)]| {
        let mut collector = StateCollector::new(Budget::new(1 << 20));
        for (state, at) in rows {
            collector.push(state, *at).unwrap();
        }
        collector.finish(&mut Uninterruptible).unwrap().unwrap()
    };
    let steps: Vec<(&str, i64)> = (0..300)
        .map(|i| {
            (
                ["wait", "cook", "plate", ""][i as usize * 7 % 4],
                i * 61_000_000,
            )
        })
        .collect();
    vec![
        ("one row", of(&[("open", 820_000_000_000_000)])),
        (
            "out of order",
            of(&[("b", 5), ("a", -5), ("b", 9), ("a", 20)]),
        ),
        ("one state", of(&[("on", 0), ("on", 7)])),
        ("other scripts", of(&[("火", 1), ("é", 2), ("火", 3)])),
        ("many", of(&steps)),
    ]
}

fn state_answers(state: &StateDurations) -> Value {
    let durations = state.durations(None, &mut Uninterruptible).unwrap();
    json!({
        "last": state.last(),
        "durations": durations
            .iter()
            .map(|one| json!([one.state, one.duration, one.visits, one.share]))
            .collect::<Vec<_>>(),
        "transitions": state
            .clone()
            .transitions(&mut Uninterruptible)
            .unwrap()
            .map(|one| json!([one.from, one.to, one.count]))
            .collect::<Vec<_>>(),
    })
}

fn sketches() -> Vec<(&'static str, PercentileSketch)> {
    let mut found: Vec<(&str, PercentileSketch)> = sequences()
        .into_iter()
        .map(|(name, values)| (name, PercentileSketch::from_values(values).unwrap()))
        .collect();
    let mut coarse = PercentileSketch::with_relative_error(0.2).unwrap();
    let mut joined = PercentileSketch::with_relative_error(0.0001).unwrap();
    for i in 0..2100 {
        coarse.push(f64::from(i)).unwrap();
        joined.push(1.01_f64.powi(i)).unwrap();
    }
    found.push(("another error bound", coarse));
    found.push(("joined buckets", joined));
    found
}

fn sketch_answers(state: &PercentileSketch) -> Value {
    let percentiles = state
        .percentiles(&[0.0, 0.01, 0.25, 0.5, 0.9, 1.0])
        .unwrap();
    json!({
        "n": state.n(), "min": number(state.min()), "max": number(state.max()),
        "relative_error": state.relative_error(),
        "percentiles": percentiles.into_iter().map(number).collect::<Vec<_>>(),
    })
}

fn distinct_sketches() -> Vec<(&'static str, DistinctSketch)> {
    let of = |precision: i32, values: &mut dyn Iterator<Item = i64>| {
        let mut sketch = DistinctSketch::with_precision(precision).unwrap();
        values.for_each(|value| sketch.add_integer(value));
        sketch
    };
    let mut texts = DistinctSketch::with_precision(12).unwrap();
    for text in ["", "grill", "salad", "grill", "日本"] {
        texts.add_bytes(text.as_bytes());
    }
    let mut merged = of(8, &mut (0..50));
    merged.merge(&of(8, &mut (25..400))).unwrap();
    vec![
        ("nothing", of(14, &mut std::iter::empty())),
        ("one value", of(14, &mut [i64::MIN].into_iter())),
        (
            "neighbours that are one double",
            of(14, &mut (0..3).map(|i| (1 << 53) + i)),
        ),
        ("texts", texts),
        ("a hundred", of(10, &mut (0..100))),
        ("many", of(10, &mut (0..20_000))),
        ("merged", merged),
    ]
}

fn distinct_answers(state: &DistinctSketch) -> Value {
    json!({
        "precision_bits": state.precision_bits(), "estimate": state.estimate(),
        "count": state.count(), "relative_error": state.relative_error(),
    })
}

fn top_n_sketches() -> Vec<(&'static str, TopNSketch)> {
    let of = |n: i32, values: &mut dyn Iterator<Item = String>| {
        let mut sketch = TopNSketch::new(n).unwrap();
        values.for_each(|value| sketch.push(&value, usize::MAX).unwrap());
        sketch
    };
    let words = |words: &'static [&'static str]| words.iter().map(|word| (*word).to_owned());
    vec![
        ("nothing", of(3, &mut words(&[]))),
        ("one value", of(3, &mut words(&["grill"]))),
        (
            "texts",
            of(3, &mut words(&["b", "a", "b", "", "日本", "\"\\\n"])),
        ),
        (
            "many",
            of(5, &mut (0..5000_u64).map(|i| (i * i % 97).to_string())),
        ),
        (
            "identifiers",
            of(
                2,
                &mut (0..500).map(|i| {
                    if i % 5 == 0 {
                        "often".to_owned()
                    } else {
                        i.to_string()
                    }
                }),
            ),
        ),
    ]
}

fn top_n_answers(state: &TopNSketch) -> Value {
    let row = |row: Frequent<'_>| json!([row.value, row.count, row.error]);
    json!({
        "n": state.n(), "total": state.total(), "largest_absent": state.largest_absent(),
        "top": state.top().into_iter().map(row).collect::<Vec<_>>(),
    })
}

fn profiles() -> Vec<(&'static str, DistributionProfile)> {
    let mut found: Vec<(&str, DistributionProfile)> = sequences()
        .into_iter()
        .map(|(name, values)| {
            let mut profile = NumericProfile::default();
            for (at, value) in values.into_iter().enumerate() {
                profile.push(Some(value)).unwrap();
                if at % 5 == 1 {
                    profile.push(None).unwrap();
                }
            }
            (name, DistributionProfile::Numeric(profile))
        })
        .collect();
    let names: Vec<String> = (0..1100).map(|i| format!("category {i}")).collect();
    let long = "ä".repeat(250);
    for (name, rows) in [
        ("no text", vec![]),
        ("one text", vec![Some("grill")]),
        (
            "texts",
            vec![Some("grill"), None, Some("salad"), Some("grill"), Some("")],
        ),
        ("only NULL", vec![None, None]),
        (
            "special characters",
            vec![
                Some("\"\\/\n\u{1}\u{7f}"),
                Some("日本"),
                Some(long.as_str()),
            ],
        ),
        (
            "more than there is room for",
            (0..8000)
                .map(|i| Some(names[i % (1 + i % 1100)].as_str()))
                .collect(),
        ),
    ] {
        let mut profile = CategoryProfile::default();
        rows.into_iter().for_each(|row| profile.push(row).unwrap());
        found.push((name, DistributionProfile::Text(profile)));
    }
    found
}

fn profile_answers(state: &DistributionProfile) -> Value {
    match state {
        DistributionProfile::Numeric(profile) => json!({
            "rows": profile.rows(), "nulls": profile.nulls(), "nan": profile.nan(), "infinite": profile.infinite(),
            "summary": summary_answers(profile.summary()), "sketch": sketch_answers(profile.sketch()),
        }),
        DistributionProfile::Text(profile) => json!({
            "rows": profile.rows(), "nulls": profile.nulls(), "rest": profile.rest(), "error_bound": profile.error_bound(),
            "categories": profile.counts().len(), "first": profile.ranked().into_iter().take(5).collect::<Vec<_>>(),
        }),
    }
}
