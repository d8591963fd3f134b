//! Rows of any table, as texts.

use serde::de::IgnoredAny;

use super::ArchiveError;
use super::bundle::{BundleKind, open, seal};
use super::integers::{Input, write_varint};
use crate::budget::Budget;

/// What a decoded record takes beside its text.
const RECORD_BYTES: usize = 32;

/// Packs records, each the text of one JSON object, into a bundle.
///
/// The texts come back to the byte, sorted by their bytes: equal sets of records make equal bundles, and records that start
/// alike lie together, which packs them well.
///
/// # Errors
/// [`ArchiveError::Record`] for a text that is not a JSON object.
///
/// # Example
/// ```
/// use sop_analytics::time_series::archive::{decode_records, encode_records};
///
/// let bundle = encode_records(&[r#"{"id":2}"#, r#"{"id":1}"#])?;
/// assert_eq!(decode_records(&bundle, 1 << 20)?, [r#"{"id":1}"#, r#"{"id":2}"#]);
/// # Ok::<(), sop_analytics::time_series::archive::ArchiveError>(())
/// ```
pub fn encode_records(records: &[&str]) -> Result<Vec<u8>, ArchiveError> {
    if let Some(at) = records.iter().position(|record| !is_object(record)) {
        return Err(ArchiveError::Record { position: at + 1 });
    }
    let mut sorted = records.to_vec();
    sorted.sort_unstable();
    let mut columns = Vec::new();
    for record in &sorted {
        write_varint(&mut columns, record.len() as u64);
    }
    for record in &sorted {
        columns.extend_from_slice(record.as_bytes());
    }
    seal(BundleKind::Records, sorted.len(), &columns)
}

/// The records of a bundle, sorted by their bytes.
///
/// `max_bytes` bounds the uncompressed texts, and 32 bytes for each record.
///
/// # Errors
/// [`ArchiveError`] for bytes that are not an undamaged bundle of records, or one that needs more memory.
pub fn decode_records(bundle: &[u8], max_bytes: usize) -> Result<Vec<String>, ArchiveError> {
    let (rows, columns) = open(bundle, BundleKind::Records, RECORD_BYTES, max_bytes)?;
    let mut input = Input::new(&columns, Budget::new(max_bytes));
    let lengths: Vec<usize> = (0..rows)
        .map(|_| input.count(columns.len()))
        .collect::<Result<_, _>>()?;
    let mut records: Vec<String> = Vec::with_capacity(rows);
    for length in lengths {
        let record = std::str::from_utf8(input.bytes(length)?)
            .map_err(|_| ArchiveError::Layout("a record is not UTF-8"))?;
        if !is_object(record) {
            return Err(ArchiveError::Layout("a record is not a JSON object"));
        }
        records.push(record.to_owned());
    }
    if !records.is_sorted() {
        return Err(ArchiveError::Layout("the records are not sorted"));
    }
    input.close()?;
    Ok(records)
}

/// Looks at the text without building it: neither depth nor numbers have a limit.
fn is_object(record: &str) -> bool {
    record.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(record).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_to_the_byte() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let records = [
            "{\"b\" : 1e400,\n \"a\":\"\\u0000\"}",
            "{}",
            "{}",
            " {\"é\":\"火\"} ",
            deep.as_str(),
        ];
        let bundle = encode_records(&records).unwrap();
        let mut sorted = records;
        sorted.sort_unstable();
        assert_eq!(decode_records(&bundle, 1 << 20).unwrap(), sorted);
        let empty = encode_records(&[]).unwrap();
        assert_eq!(decode_records(&empty, 0), Ok(vec![]));
    }

    #[test]
    fn other_texts_are_refused() {
        for record in ["", "1", "[]", "{", "{}{}", "{\"a\":}", "null", "{'a':1}"] {
            assert_eq!(
                encode_records(&["{}", record]),
                Err(ArchiveError::Record { position: 2 }),
                "{record}"
            );
        }
    }

    #[test]
    fn columns_that_lie_are_refused() {
        let forged = |rows, columns: &[u8]| {
            let bundle = seal(BundleKind::Records, rows, columns).unwrap();
            decode_records(&bundle, 1 << 20).unwrap_err().to_string()
        };
        assert!(forged(1, b"\x09{}").contains("too large"));
        assert!(forged(1, b"\x02{").contains("too early"));
        assert!(forged(1, b"\x02{}x").contains("follow"));
        assert!(forged(1, b"\x02[]").contains("JSON object"));
        assert!(forged(1, b"\x02{\xff").contains("UTF-8"));
        assert!(forged(2, b"\x02\x08{}{\"a\":12}").contains("sorted"));
    }
}
