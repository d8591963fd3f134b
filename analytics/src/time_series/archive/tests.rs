//! Columns that no encoder wrote, in envelopes whose checksums are right.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn forged(rows: usize, columns: &[u8]) -> Result<TimeSeriesColumns, ArchiveError> {
    let bundle = bundle::seal(BundleKind::TimeSeries, rows, columns).unwrap();
    decode_time_series(&bundle, 1 << 20)
}

fn rows(n: u8) -> TimeSeriesColumns {
    let mut columns = TimeSeriesColumns::new();
    for row in 0..n {
        columns.push(TimeSeriesRow {
            observed_at: i64::from(row) * 1_000_003,
            sop_id: [row % 2; 16],
            source: ["a", "b", ""][usize::from(row) % 3],
            // Decimals for an even number of rows, bit patterns for an odd one.
            value: (row % 5 > 0)
                .then_some(f64::from(row) / if n.is_multiple_of(2) { 8.0 } else { 7.0 }),
            dimensions: (row % 4 > 0).then_some("{}"),
            unit: None,
            quality_flag: Some("good"),
            recorded_by: None,
            batch_id: (row > 3).then_some([row; 16]),
            ingested_at: i64::from(row) * 1_000_000 + 77,
            replaced_at: (row % 7 == 2).then_some(i64::from(row) * 1_000_000 + 99),
        });
    }
    columns
}

#[test]
fn another_number_of_rows_is_refused() {
    for n in [0, 1, 9] {
        let columns = rows(n).write();
        assert!(forged(usize::from(n), &columns).is_ok());
        for other in (0..12).filter(|&other| other != n) {
            let found = forged(usize::from(other), &columns);
            assert!(matches!(found, Err(ArchiveError::Layout(_))), "{n} {other}");
        }
    }
}

#[test]
fn every_truncation_and_every_extension_of_the_columns_is_refused() {
    let mut columns = rows(9).write();
    for end in 0..columns.len() {
        let found = forged(9, &columns[..end]);
        assert!(matches!(found, Err(ArchiveError::Layout(_))), "{end}");
    }
    columns.push(0);
    assert!(matches!(forged(9, &columns), Err(ArchiveError::Layout(_))));
}

#[test]
fn a_run_of_endless_rows_is_refused_before_they_are_made() {
    let found = forged(1 << 40, &[1, 0, 0]);
    assert!(matches!(found, Err(ArchiveError::TooLarge { .. })));
    let found = forged(1 << 14, &[0, 1, 0, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(
        found.unwrap_err(),
        ArchiveError::Layout("a count is too large")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_columns_are_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), n in 1..12_u8) {
        let mut columns = rows(n).write();
        *at.get_mut(&mut columns) = byte;
        if let Ok(found) = forged(usize::from(n), &columns) {
            prop_assert_eq!(found.rows().count(), usize::from(n));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(columns in vec(0..6_u8, 0..200), n in 0..9_usize) {
        let _ = forged(n, &columns);
    }
}
