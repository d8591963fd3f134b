//! Bundles: what goes in comes out to the last bit, damage is found, and stored bundles are read forever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::path::PathBuf;
use std::time::Instant;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sop_analytics::error::{Classify, ErrorKind};
use sop_analytics::time_series::archive::{
    ArchiveError, BundleKind, TimeSeriesColumns, TimeSeriesRow, Uuid, decode_records,
    decode_time_series, encode_records, encode_time_series, inspect,
};

const AMPLE: usize = 1 << 28;

/// A row that owns its texts and compares its value by bits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    observed_at: i64,
    sop_id: Uuid,
    source: String,
    value: Option<u64>,
    texts: [Option<String>; 3],
    uuids: [Option<Uuid>; 2],
    ingested_at: i64,
    replaced_at: Option<i64>,
}

impl Row {
    fn of(row: TimeSeriesRow<'_>) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            observed_at: row.observed_at,
            sop_id: row.sop_id,
            source: row.source.to_owned(),
            value: row.value.map(f64::to_bits),
            texts: [text(row.dimensions), text(row.unit), text(row.quality_flag)],
            uuids: [row.recorded_by, row.batch_id],
            ingested_at: row.ingested_at,
            replaced_at: row.replaced_at,
        }
    }

    fn borrowed(&self) -> TimeSeriesRow<'_> {
        let [dimensions, unit, quality_flag] = &self.texts;
        TimeSeriesRow {
            observed_at: self.observed_at,
            sop_id: self.sop_id,
            source: &self.source,
            value: self.value.map(f64::from_bits),
            dimensions: dimensions.as_deref(),
            unit: unit.as_deref(),
            quality_flag: quality_flag.as_deref(),
            recorded_by: self.uuids[0],
            batch_id: self.uuids[1],
            ingested_at: self.ingested_at,
            replaced_at: self.replaced_at,
        }
    }
}

fn columns_of(rows: &[Row]) -> TimeSeriesColumns {
    let mut columns = TimeSeriesColumns::new();
    rows.iter().for_each(|row| columns.push(row.borrowed()));
    columns
}

fn rows_of(columns: &TimeSeriesColumns) -> Vec<Row> {
    columns.rows().map(Row::of).collect()
}

fn assert_round_trip(rows: &[Row]) {
    let columns = columns_of(rows);
    let bundle = encode_time_series(&columns).unwrap();
    assert_eq!(rows_of(&columns), rows);
    let info = inspect(&bundle).unwrap();
    assert_eq!((info.kind, info.version), (BundleKind::TimeSeries, 1));
    assert_eq!(info.rows, rows.len() as u64);
    // What was collected within a bound is read within it; the forms of empty columns take some bytes.
    let mut back = decode_time_series(&bundle, columns.bytes() + 64).unwrap();
    assert_eq!(back.bytes(), columns.bytes());
    assert_eq!(rows_of(&back), rows);
    assert_eq!(encode_time_series(&back).unwrap(), bundle);
    // What was read can be added to.
    for row in rows.iter().take(3) {
        back.push(row.borrowed());
        assert_eq!(Row::of(back.get(back.len() - 1).unwrap()), *row);
    }
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (-400..400_i32).prop_map(|n| (f64::from(n) / 10.0).to_bits()),
        2 => any::<u64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN,
            f64::MIN_POSITIVE, 5e-324, 9_007_199_254_740_993.0, 0.1 + 0.2, 1e22,
        ])
        .prop_map(f64::to_bits),
        1 => (0..1_u64 << 52).prop_map(|payload| 0x7ff0_0000_0000_0001 | payload),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0..50_i64).prop_map(|step| 820_000_000_000_000 + step * 60_000_000),
        2 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX]),
    ]
}

fn uuid() -> impl Strategy<Value = Uuid> {
    prop_oneof![3 => (0..3_u8).prop_map(|byte| [byte; 16]), 1 => any::<Uuid>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["", "grill", "°C", "{\"station\": \"火\"}", "a\nb\0c"])
            .prop_map(str::to_owned),
        1 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let texts = [option::of(text()), option::of(text()), option::of(text())];
    let uuids = [option::of(uuid()), option::of(uuid())];
    (
        time(),
        uuid(),
        text(),
        option::of(value()),
        texts,
        uuids,
        (time(), option::of(time())),
    )
        .prop_map(
            |(observed_at, sop_id, source, value, texts, uuids, (ingested_at, replaced_at))| Row {
                observed_at,
                sop_id,
                source,
                value,
                texts,
                uuids,
                ingested_at,
                replaced_at,
            },
        )
}

proptest! {
    #[test]
    fn any_rows_come_back_to_the_bit(rows in vec(row(), 0..120)) {
        assert_round_trip(&rows);
    }

    #[test]
    fn rows_that_repeat_come_back_to_the_bit(
        rows in vec((row(), 1..40_usize), 0..6), every in 1..60_i64,
    ) {
        let mut repeated = Vec::new();
        for (row, times) in rows {
            for step in 0..times as i64 {
                let mut row = row.clone();
                row.observed_at = row.observed_at.wrapping_add(step * every * 1_000_000);
                repeated.push(row);
            }
        }
        assert_round_trip(&repeated);
    }

    #[test]
    fn records_come_back_sorted(names in vec(text(), 0..60)) {
        let mut records: Vec<String> = names
            .iter()
            .map(|name| json!({ "name": name, "length": name.len() }).to_string())
            .collect();
        let texts: Vec<&str> = records.iter().map(String::as_str).collect();
        let bundle = encode_records(&texts).unwrap();
        records.sort_unstable();
        prop_assert_eq!(inspect(&bundle).unwrap().rows, records.len() as u64);
        prop_assert_eq!(decode_records(&bundle, AMPLE).unwrap(), records);
    }

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(inspect(&bytes).is_err());
        prop_assert!(decode_time_series(&bytes, AMPLE).is_err());
        prop_assert!(decode_records(&bytes, AMPLE).is_err());
    }
}

#[test]
fn no_row_and_one_row() {
    assert_round_trip(&[]);
    for value in [None, Some(f64::NAN.to_bits()), Some(4.1_f64.to_bits())] {
        let row = Row {
            observed_at: i64::MIN,
            sop_id: [0; 16],
            source: String::new(),
            value,
            texts: [None, None, None],
            uuids: [None, Some([255; 16])],
            ingested_at: i64::MAX,
            replaced_at: Some(i64::MIN),
        };
        assert_round_trip(&[row]);
    }
}

/// Two sensors in turns, with what rows have in them.
fn small() -> Vec<Row> {
    (0..12_u8)
        .map(|n| Row {
            observed_at: 820_000_000_000_000 + i64::from(n) * 30_000_000,
            sop_id: [n % 2; 16],
            source: ["fridge 1", "fridge 2"][usize::from(n) % 2].to_owned(),
            value: (n != 5).then_some((f64::from(n) / 10.0 - 18.0).to_bits()),
            texts: [
                (n % 3 == 0).then(|| "{\"door\": \"open\"}".to_owned()),
                Some("°C".to_owned()),
                (n > 8).then(|| "suspect".to_owned()),
            ],
            uuids: [None, Some([n / 4; 16])],
            ingested_at: 820_000_000_900_000 + i64::from(n) * 30_000_123,
            replaced_at: (n == 7).then_some(820_000_001_900_000),
        })
        .collect()
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let series = encode_time_series(&columns_of(&small())).unwrap();
    let records = encode_records(&["{\"id\":1}", "{\"id\":2}", "{\"name\":\"grill\"}"]).unwrap();
    let refused = |bundle: &[u8]| {
        inspect(bundle).is_err()
            && decode_time_series(bundle, AMPLE).is_err()
            && decode_records(bundle, AMPLE).is_err()
    };
    for bundle in [series, records] {
        assert!(!refused(&bundle));
        for at in 0..bundle.len() {
            for bit in 0..8 {
                let mut damaged = bundle.clone();
                damaged[at] ^= 1 << bit;
                assert!(refused(&damaged), "bit {bit} of byte {at}");
            }
            assert!(refused(&bundle[..at]), "{at} bytes");
        }
        let mut longer = bundle.clone();
        longer.push(0);
        assert!(refused(&longer));
    }
}

#[test]
fn no_more_memory_than_allowed() {
    let columns = columns_of(&small());
    let bundle = encode_time_series(&columns).unwrap();
    assert!(decode_time_series(&bundle, columns.bytes()).is_ok());
    for limit in [0, 1, 200, columns.bytes() - 1] {
        let error = decode_time_series(&bundle, limit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{limit}: {error}");
    }
    assert_eq!(
        decode_records(&bundle, AMPLE).unwrap_err(),
        ArchiveError::Kind {
            expected: BundleKind::Records,
            found: BundleKind::TimeSeries
        }
    );
}

/// Three refrigerators, a reading each minute for a month: a slow wave, noise, one decimal, stored a second and a bit later.
///
/// `jitter` is how many microseconds a reading may be late.
fn refrigerators(jitter: i64) -> Vec<Row> {
    let mut random = ChaCha8Rng::seed_from_u64(20_260_131);
    let mut rows = Vec::new();
    for minute in 0..31 * 24 * 60_i64 {
        for fridge in 0..3_u8 {
            let base = [4.0, 2.5, -18.0][usize::from(fridge)];
            let wave = (minute as f64 / 45.0 + f64::from(fridge)).sin();
            let noise = random.random_range(-0.3..0.3);
            let late = random.random_range(0..=jitter);
            let observed_at =
                820_454_400_000_000 + minute * 60_000_000 + i64::from(fridge) * 1_000_000 + late;
            let tenths: f64 = (10.0 * (base + wave + noise)).round();
            rows.push(Row {
                observed_at,
                sop_id: [fridge + 1; 16],
                source: format!("fridge-{fridge}"),
                value: Some((tenths / 10.0).to_bits()),
                texts: [None, Some("celsius".to_owned()), Some("good".to_owned())],
                uuids: [None, None],
                ingested_at: observed_at + 1_000_000 + random.random_range(0..250_000),
                replaced_at: None,
            });
        }
    }
    rows
}

/// What PostgreSQL stores in the heap for a row of `sop_time_series_data`: a line pointer of 4 bytes, a header of 23 with a
/// null bitmap of 2, and the columns in order, each at its alignment (8 for times and doubles; none for uuids and for texts
/// below 127 bytes, which have one byte of length). Tuples are rounded up to 8. Indexes are not counted.
fn heap_bytes(row: &Row, metric_name: &str) -> usize {
    let aligned = |size: usize| size.next_multiple_of(8);
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| 1 + text.len());
    let uuid = |uuid: &Option<Uuid>| uuid.map_or(0, |_| 16);
    let mut size = aligned(23 + 2);
    size += 16 + 1 + metric_name.len() + 16 + 1 + row.source.len();
    size = aligned(size) + 8;
    size += row.value.map_or(0, |_| 8);
    size += row.texts.iter().map(text).sum::<usize>();
    size += row.uuids.iter().map(uuid).sum::<usize>();
    size = aligned(size) + 8;
    4 + aligned(size)
}

#[test]
fn a_month_of_sensor_readings_takes_an_eighth_or_less() {
    for (name, jitter) in [("on the minute", 0), ("late by up to 50 ms", 50_000)] {
        let rows = refrigerators(jitter);
        let raw: usize = rows
            .iter()
            .map(|row| heap_bytes(row, "temperature_celsius"))
            .sum();
        let columns = columns_of(&rows);
        let start = Instant::now();
        let bundle = encode_time_series(&columns).unwrap();
        let encoded = start.elapsed();
        let start = Instant::now();
        let back = decode_time_series(&bundle, AMPLE).unwrap();
        let decoded = start.elapsed();
        assert_eq!(rows_of(&back), rows);
        let ratio = raw as f64 / bundle.len() as f64;
        let per_row = |bytes: usize| bytes as f64 / rows.len() as f64;
        let rate = |time: std::time::Duration| rows.len() as f64 / time.as_secs_f64() / 1e6;
        println!(
            "readings {name}: {} rows, {:.1} bytes a row in the heap, {:.2} in columns, {:.2} in the bundle, ratio {ratio:.1}, \
             {:.2} million rows/s packed, {:.2} unpacked",
            rows.len(),
            per_row(raw),
            per_row(inspect(&bundle).unwrap().uncompressed_bytes as usize),
            per_row(bundle.len()),
            rate(encoded),
            rate(decoded),
        );
        assert!(ratio >= 8.0, "{name}: {ratio}");
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden_bundles")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// Bundles that use every form that columns have.
fn golden_series() -> Vec<(&'static str, Vec<Row>)> {
    let of = |values: &[u64]| -> Vec<Row> {
        let mut rows: Vec<Row> = small().into_iter().cycle().take(values.len()).collect();
        for ((n, row), value) in (0..).zip(&mut rows).zip(values) {
            row.observed_at = 820_000_000_000_000 + n * 7_777_777;
            row.value = Some(*value);
        }
        rows
    };
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    let wide: Vec<f64> = (0..40).map(|n| 1.0 / f64::from(n + 3)).collect();
    let mut special: Vec<f64> = (0..80).map(|n| f64::from(n * 37 % 11) / 100.0).collect();
    special[7] = -0.0;
    special[8] = f64::NAN;
    special[60] = f64::NEG_INFINITY;
    let mut loads = of(&bits(&special));
    loads
        .iter_mut()
        .for_each(|row| row.ingested_at = 820_000_999_000_000);
    vec![
        ("nothing", vec![]),
        ("two sensors", small()),
        ("bit patterns", of(&bits(&wide))),
        ("decimals with exceptions, one load", loads),
        (
            "payload of NaN",
            of(&[0x7ff8_0000_dead_beef, 0xfff0_0000_0000_0001]),
        ),
    ]
}

fn golden_records() -> Vec<&'static str> {
    vec![
        "{}",
        "{\"id\": 2, \"name\": \"grill\"}",
        "{\"id\": 1, \"name\": \"火\"}",
    ]
}

fn shown(row: &Row) -> Value {
    json!([
        row.observed_at,
        hex(&row.sop_id),
        row.source,
        row.value.map(|bits| format!("{bits:016x}")),
        row.texts,
        row.uuids.map(|uuid| uuid.map(|uuid| hex(&uuid))),
        row.ingested_at,
        row.replaced_at,
    ])
}

/// The header without the compressed bytes: digest included, it tells whether the columns are laid out as they were.
const HEADER: usize = 54;

#[test]
fn stored_bundles_are_read_and_laid_out_as_they_were() {
    let text = std::fs::read_to_string(folder().join("bundles_v1.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let stored = file["time_series"].as_array().unwrap();
    let today = golden_series();
    assert_eq!(stored.len(), today.len());
    for (stored, (name, rows)) in stored.iter().zip(&today) {
        assert_eq!(stored["name"], *name);
        let bundle = from_hex(stored["bundle"].as_str().unwrap());
        let columns = decode_time_series(&bundle, AMPLE).unwrap();
        let found: Vec<Value> = columns.rows().map(|row| shown(&Row::of(row))).collect();
        assert_eq!(found, *stored["rows"].as_array().unwrap(), "{name}");
        assert_eq!(rows_of(&columns), *rows, "{name}");
        // Another release of zstd may compress the same columns to other bytes.
        let again = encode_time_series(&columns).unwrap();
        assert_eq!(again[..HEADER], bundle[..HEADER], "{name}");
    }
    let bundle = from_hex(file["records"].as_str().unwrap());
    let mut records = golden_records();
    let again = encode_records(&records).unwrap();
    records.sort_unstable();
    assert_eq!(decode_records(&bundle, AMPLE).unwrap(), records);
    assert_eq!(again[..HEADER], bundle[..HEADER]);
}

/// Run by hand after the layout got a new version. Never touches a file that is there.
#[test]
#[ignore = "writes files"]
fn write_missing_bundles() {
    std::fs::create_dir_all(folder()).unwrap();
    let path = folder().join("bundles_v1.json");
    if path.exists() {
        return;
    }
    let series: Vec<Value> = golden_series()
        .iter()
        .map(|(name, rows)| {
            json!({
                "name": name,
                "bundle": hex(&encode_time_series(&columns_of(rows)).unwrap()),
                "rows": rows.iter().map(shown).collect::<Vec<_>>(),
            })
        })
        .collect();
    let file = json!({
        "time_series": series,
        "records": hex(&encode_records(&golden_records()).unwrap()),
    });
    std::fs::write(path, file.to_string() + "\n").unwrap();
}
