//! The binary and the text form of a top-n sketch, both read through one validation.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{COUNTER_BYTES, Counter, LARGEST_TEXT, LARGEST_TOTAL, TopNSketch};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};

/// Everything a sketch consists of, not yet checked; these are the keys of the text form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked<'a> {
    version: u8,
    n: u32,
    total: u64,
    absent: u64,
    /// Value, how often it was seen, how often it may have been missed; ascending by the bytes of the value.
    #[serde(borrow)]
    counters: Vec<(std::borrow::Cow<'a, str>, u64, u64)>,
}

impl<'a> From<&'a TopNSketch> for Unchecked<'a> {
    fn from(sketch: &'a TopNSketch) -> Self {
        let mut counters: Vec<_> = sketch
            .counters
            .iter()
            .map(|(value, counter)| ((&**value).into(), counter.seen, counter.missed))
            .collect();
        counters.sort_unstable();
        Self {
            version: TopNSketch::VERSION,
            n: sketch.n,
            total: sketch.total,
            absent: sketch.absent,
            counters,
        }
    }
}

impl Unchecked<'_> {
    fn check(self) -> Result<TopNSketch, &'static str> {
        let mut sketch = i32::try_from(self.n)
            .ok()
            .and_then(|n| TopNSketch::new(n).ok())
            .ok_or("n must lie between 1 and 10000")?;
        if self.total > LARGEST_TOTAL {
            return Err("total is larger than 2^53");
        }
        if self.counters.len() > 2 * sketch.capacity() {
            return Err("more counters than a sketch for this n has");
        }
        // Each unit of `absent` was subtracted from more than `capacity` values at once, so that the total is at least this.
        let mut explained = (sketch.capacity() as u64 + 1)
            .checked_mul(self.absent)
            .ok_or("absent is too large for total")?;
        let mut seen_at_all = 0_u64;
        let mut before: Option<&str> = None;
        for (value, seen, missed) in &self.counters {
            if before.is_some_and(|before| before >= &**value) {
                return Err("values are not ascending");
            }
            before = Some(value);
            if value.contains('\0') {
                return Err("a value contains NUL");
            }
            if *missed > self.absent {
                return Err("a value was missed more often than absent allows");
            }
            let above = seen
                .checked_add(*missed)
                .and_then(|count| count.checked_sub(self.absent))
                .filter(|&above| above > 0 && *seen > 0)
                .ok_or("a counter is too small to be kept")?;
            explained = explained.saturating_add(above);
            seen_at_all = seen_at_all.saturating_add(*seen);
            sketch.bytes = sketch.bytes.saturating_add(value.len() + COUNTER_BYTES);
        }
        if explained > self.total || seen_at_all > self.total {
            return Err("counters and absent are too large for total");
        }
        if self.absent == 0 && seen_at_all < self.total {
            return Err("total is larger than the sum of exact counters");
        }
        if sketch.bytes > LARGEST_TEXT {
            return Err("values are too long");
        }
        sketch.total = self.total;
        sketch.absent = self.absent;
        let mut counters =
            HashMap::with_capacity_and_hasher(self.counters.len(), Default::default());
        for (value, seen, missed) in self.counters {
            counters.insert(value.into(), Counter { seen, missed });
        }
        sketch.counters = counters;
        Ok(sketch)
    }
}

/// Layout version 1: n as u32; total and absent as u64; the number of counters as u32 and each, ascending by the bytes of
/// its value, as the length of the value as u32, the value in UTF-8, seen as u64, missed as u64.
impl Codec for TopNSketch {
    const TYPE_NAME: &'static str = "top_n_sketch";
    const MAGIC: u8 = 0x55;
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let sketch = Unchecked::from(self);
        out.extend_from_slice(&sketch.n.to_le_bytes());
        out.extend_from_slice(&sketch.total.to_le_bytes());
        out.extend_from_slice(&sketch.absent.to_le_bytes());
        out.extend_from_slice(&(sketch.counters.len() as u32).to_le_bytes());
        for (value, seen, missed) in &sketch.counters {
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(&seen.to_le_bytes());
            out.extend_from_slice(&missed.to_le_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, CodecError> {
        let (n, total, absent) = (reader.u32()?, reader.u64()?, reader.u64()?);
        let length = reader.length(20)?;
        let mut counters = Vec::with_capacity(length);
        for _ in 0..length {
            let length = reader.length(1)?;
            let value = std::str::from_utf8(reader.bytes(length)?)
                .map_err(|_| reader.invalid("a value is not UTF-8"))?;
            counters.push((value.into(), reader.u64()?, reader.u64()?));
        }
        let unchecked = Unchecked {
            version,
            n,
            total,
            absent,
            counters,
        };
        unchecked.check().map_err(|reason| reader.invalid(reason))
    }
}

/// The same JSON in a form that every encoding of a database can hold.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

impl TextForm for TopNSketch {
    fn to_text(&self) -> String {
        // A struct of numbers, strings and arrays always has a JSON form.
        let text = serde_json::to_string(&Unchecked::from(self)).unwrap_or_default();
        if text.is_ascii() {
            text
        } else {
            in_ascii(&text)
        }
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let unchecked: Unchecked<'_> =
            serde_json::from_str(text).map_err(|error| TextError::Json {
                type_name: Self::TYPE_NAME,
                reason: error.to_string(),
            })?;
        if unchecked.version == 0 || unchecked.version > Self::VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: Self::VERSION,
                found: unchecked.version,
            }));
        }
        unchecked.check().map_err(|reason| {
            TextError::Content(CodecError::Invalid {
                type_name: Self::TYPE_NAME,
                reason: reason.to_owned(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: u32) -> TopNSketch {
        let mut sketch = TopNSketch::new(1).unwrap();
        for value in 0..values {
            sketch
                .push(&format!("\"v\" {}", value % 7), 1 << 20)
                .unwrap();
            sketch.push(&format!("ü🌶{value}"), 1 << 20).unwrap();
        }
        sketch
    }

    #[test]
    fn bytes_and_text_come_back() {
        for values in [0, 1, 10, 100, 10_000] {
            let sketch = sketch(values);
            let bytes = sketch.encode();
            let back = TopNSketch::decode(&bytes).unwrap();
            assert_eq!(back.encode(), bytes);
            assert_eq!(back.bytes, sketch.bytes);
            let text = sketch.to_text();
            assert!(text.is_ascii());
            assert_eq!(TopNSketch::from_text(&text).unwrap().encode(), bytes);
        }
    }

    #[test]
    fn truncated_and_longer_bytes_are_refused() {
        let bytes = sketch(40).encode();
        for end in 0..bytes.len() {
            assert!(TopNSketch::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert!(TopNSketch::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |text: &str| {
            let error = TopNSketch::from_text(text).unwrap_err();
            assert!(matches!(error, TextError::Content(_)), "{error}");
        };
        for (n, total, absent, counters) in [
            ("0", "0", "0", ""),
            ("10001", "0", "0", ""),
            ("1", "9007199254740993", "0", r#"["a",9007199254740993,0]"#),
            ("1", "18446744073709551615", "0", ""),
            ("1", "3", "0", r#"["a",2,0]"#),
            ("1", "1", "0", r#"["a",2,0]"#),
            ("1", "3", "0", r#"["a",1,0],["a",2,0]"#),
            ("1", "3", "0", r#"["b",1,0],["a",2,0]"#),
            ("1", "3", "0", r#"["a\u0000",3,0]"#),
            ("1", "3", "0", r#"["a",3,1]"#),
            ("1", "0", "0", r#"["a",0,0]"#),
            // 2 subtracted from 17 values at once are 34 rows, and 3 above that.
            ("1", "36", "2", r#"["a",3,2]"#),
            ("1", "100", "2", r#"["a",1,1]"#),
            ("1", "100", "2", r#"["a",98,18446744073709551615]"#),
            ("1", "100", "1152921504606846976", ""),
            ("1", "100", "18446744073709551615", ""),
        ] {
            refused(&format!(
                r#"{{"version":1,"n":{n},"total":{total},"absent":{absent},"counters":[{counters}]}}"#
            ));
        }
        refused(r#"{"version":2,"n":1,"total":0,"absent":0,"counters":[]}"#);
        let many: Vec<String> = (100..133).map(|v| format!(r#"["{v}",1,0]"#)).collect();
        refused(&format!(
            r#"{{"version":1,"n":1,"total":33,"absent":0,"counters":[{}]}}"#,
            many.join(",")
        ));
        let fine = r#"{"version":1,"n":1,"total":37,"absent":2,"counters":[["a",3,2]]}"#;
        assert_eq!(TopNSketch::from_text(fine).unwrap().to_text(), fine);
        assert!(TopNSketch::from_text("[]").is_err());
    }
}
