//! The binary and the text form of a distinct sketch, both read through one validation.

use serde::{Deserialize, Serialize};

use super::tokens::Tokens;
use super::{DistinctSketch, Form, LARGEST_TOKEN_RANK, TOKEN_BITS, most_tokens};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};
use crate::statistics::sketch_error::SketchError;

/// Forms of layout version 1.
const SPARSE: u8 = 0;
const DENSE: u8 = 1;

/// An empty sketch of a stored precision.
fn checked_precision(precision: u8) -> Result<DistinctSketch, &'static str> {
    DistinctSketch::with_precision(i32::from(precision))
        .map_err(|_| "precision must lie between 4 and 18")
}

/// Hands valid tokens on, one by one.
fn check_tokens(
    tokens: impl ExactSizeIterator<Item = u32>,
    precision: u8,
    mut valid: impl FnMut(u32),
) -> Result<(), &'static str> {
    if tokens.len() > most_tokens(precision) {
        return Err("more tokens than the sparse form has");
    }
    let mut before = None;
    for token in tokens {
        if !(1..=LARGEST_TOKEN_RANK).contains(&(token & 63)) {
            return Err("the rank of a token is out of range");
        }
        if before.is_some_and(|before| before >= token >> 6) {
            return Err("tokens are not ascending");
        }
        before = Some(token >> 6);
        valid(token);
    }
    Ok(())
}

/// Registers must have values that hashes give, and so many hashes that the sparse form had no room for their tokens.
fn check_registers(registers: &[u8], precision: u8) -> Result<(), &'static str> {
    let left_over = TOKEN_BITS - u32::from(precision);
    let mut tokens = 0_u64;
    for &register in registers {
        if register > 65 - precision {
            return Err("a register is out of range");
        }
        // The tokens that may hide behind a register: those with no more leading zeros than its value allows.
        let rank = u32::from(register);
        tokens += (1 << left_over)
            - if rank <= left_over {
                1 << (left_over - rank)
            } else {
                0
            };
    }
    if tokens <= most_tokens(precision) as u64 {
        return Err("so few values are kept in the sparse form");
    }
    Ok(())
}

/// Four registers of six bits in three bytes, the first in the lowest bits.
fn pack(registers: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let (quadruples, _) = registers.as_chunks::<4>();
    quadruples.iter().flat_map(|registers| {
        let bits = registers
            .iter()
            .rev()
            .fold(0_u32, |bits, &register| (bits << 6) | u32::from(register));
        let [low, middle, high, _] = bits.to_le_bytes();
        [low, middle, high]
    })
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let (triples, _) = bytes.as_chunks::<3>();
    triples
        .iter()
        .flat_map(|&[low, middle, high]| {
            let bits = u32::from_le_bytes([low, middle, high, 0]);
            [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & 63)
        })
        .collect()
}

const fn packed_size(precision: u8) -> usize {
    (1 << precision) * 6 / 8
}

/// Layout version 1: precision as u8 and the form as a byte. Sparse form: the number of tokens as u32, the tokens
/// ascending as u32. Dense form: `2^precision` registers of six bits, four in three bytes, the first in the lowest bits.
impl Codec for DistinctSketch {
    const TYPE_NAME: &'static str = "distinct_sketch";
    const MAGIC: u8 = 0x54;
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.precision);
        match &self.form {
            Form::Sparse(tokens) => {
                out.push(SPARSE);
                out.reserve_exact(4 + 4 * tokens.len());
                out.extend_from_slice(&(tokens.len() as u32).to_le_bytes());
                for token in tokens.sorted() {
                    out.extend_from_slice(&token.to_le_bytes());
                }
            }
            Form::Dense(registers) => {
                out.push(DENSE);
                out.reserve_exact(packed_size(self.precision));
                out.extend(pack(registers));
            }
        }
    }

    fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
        let precision = reader.u8()?;
        let mut sketch = checked_precision(precision).map_err(|reason| reader.invalid(reason))?;
        match reader.u8()? {
            SPARSE => read_tokens(reader, precision, |token| sketch.add_token(token))?,
            DENSE => {
                let registers = unpack(reader.bytes(packed_size(precision))?);
                check_registers(&registers, precision).map_err(|reason| reader.invalid(reason))?;
                sketch.form = Form::Dense(registers.into_boxed_slice());
            }
            _ => return Err(reader.invalid("neither the sparse nor the dense form")),
        }
        Ok(sketch)
    }
}

fn read_tokens(
    reader: &mut Reader<'_>,
    precision: u8,
    valid: impl FnMut(u32),
) -> Result<(), CodecError> {
    let length = reader.length(4)?;
    let (tokens, _) = reader.bytes(4 * length)?.as_chunks::<4>();
    let tokens = tokens.iter().map(|token| u32::from_le_bytes(*token));
    check_tokens(tokens, precision, valid).map_err(|reason| reader.invalid(reason))
}

impl DistinctSketch {
    /// Adds all values of an encoded sketch: [`Codec::decode`] and [`DistinctSketch::merge`] without the sketch between.
    /// After an error the sketch may hold some of the values.
    ///
    /// # Errors
    /// [`SketchError::Stored`] when the bytes are not an encoded sketch, else as [`DistinctSketch::merge`].
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), SketchError> {
        let (mut reader, _) = Self::open(bytes)?;
        let precision = reader.u8()?;
        if precision == self.precision && reader.u8()? == SPARSE {
            read_tokens(&mut reader, precision, |token| self.add_token(token))?;
            return Ok(reader.close()?);
        }
        self.merge(&Self::decode(bytes)?)
    }
}

/// The keys of the text form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u8,
    precision_bits: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sparse: Option<Vec<u32>>,
    /// The bytes of the binary form in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dense: Option<String>,
}

impl Text {
    fn check(self) -> Result<DistinctSketch, &'static str> {
        let mut sketch = checked_precision(self.precision_bits)?;
        match (self.sparse, self.dense) {
            (Some(tokens), None) => {
                let mut valid = Tokens::new();
                check_tokens(tokens.into_iter(), self.precision_bits, |token| {
                    valid.insert(token);
                })?;
                sketch.form = Form::Sparse(valid);
            }
            (None, Some(digits)) => {
                if digits.len() != 2 * packed_size(self.precision_bits) {
                    return Err("dense does not have the length that fits precision_bits");
                }
                let bytes = from_hex(&digits).ok_or("dense holds more than hexadecimal digits")?;
                let registers = unpack(&bytes);
                check_registers(&registers, self.precision_bits)?;
                sketch.form = Form::Dense(registers.into_boxed_slice());
            }
            _ => return Err("either sparse or dense must be there"),
        }
        Ok(sketch)
    }
}

fn to_hex(bytes: impl Iterator<Item = u8>) -> String {
    bytes
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Lower case only, so that equal sketches have one text.
fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|&[high, low]| Some((value(high)? << 4) | value(low)?))
        .collect()
}

impl TextForm for DistinctSketch {
    fn to_text(&self) -> String {
        let (sparse, dense) = match &self.form {
            Form::Sparse(tokens) => (Some(tokens.sorted()), None),
            Form::Dense(registers) => (None, Some(to_hex(pack(registers)))),
        };
        let text = Text {
            version: Self::VERSION,
            precision_bits: self.precision,
            sparse,
            dense,
        };
        // A struct of numbers, strings and arrays always has a JSON form.
        serde_json::to_string(&text).unwrap_or_default()
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let text: Text = serde_json::from_str(text).map_err(|error| TextError::Json {
            type_name: Self::TYPE_NAME,
            reason: error.to_string(),
        })?;
        if text.version == 0 || text.version > Self::VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: Self::VERSION,
                found: text.version,
            }));
        }
        text.check().map_err(|reason| {
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

    fn sketch(values: i64) -> DistinctSketch {
        let mut sketch = DistinctSketch::default();
        (0..values).for_each(|value| sketch.add_integer(value));
        sketch
    }

    #[test]
    fn both_forms_come_back_from_bytes_and_text() {
        for values in [0, 1, 100, 3072, 3073, 50_000] {
            let sketch = sketch(values);
            let bytes = sketch.encode();
            assert_eq!(DistinctSketch::decode(&bytes).unwrap().encode(), bytes);
            let text = sketch.to_text();
            assert_eq!(DistinctSketch::from_text(&text).unwrap().encode(), bytes);
            assert_eq!(
                bytes.len(),
                if values < 3073 {
                    8 + 4 * values as usize
                } else {
                    12_292
                }
            );
        }
    }

    #[test]
    fn registers_lie_as_documented() {
        let registers: Vec<u8> = vec![1, 2, 3, 4];
        let packed: Vec<u8> = pack(&registers).collect();
        assert_eq!(packed, [0b1000_0001, 0b0011_0000, 0b0001_0000]);
        assert_eq!(unpack(&packed), registers);
        assert_eq!(from_hex(&to_hex(packed.iter().copied())).unwrap(), packed);
    }

    #[test]
    fn merging_bytes_is_merging_sketches() {
        for (mine, theirs) in [
            (0, 5),
            (5, 3000),
            (3000, 5),
            (5, 9000),
            (9000, 5),
            (9000, 9001),
        ] {
            let mut whole = sketch(mine);
            let other = {
                let mut other = DistinctSketch::default();
                (0..theirs).for_each(|value| other.add_integer(value * 3));
                other
            };
            let mut by_bytes = whole.clone();
            whole.merge(&other).unwrap();
            by_bytes.merge_encoded(&other.encode()).unwrap();
            assert_eq!(whole.encode(), by_bytes.encode());
        }
        let other = DistinctSketch::with_precision(12).unwrap().encode();
        assert!(matches!(
            sketch(1).merge_encoded(&other),
            Err(SketchError::PrecisionMismatch { .. })
        ));
        assert!(matches!(
            sketch(1).merge_encoded(&sketch(1).encode()[..9]),
            Err(SketchError::Stored(_))
        ));
    }

    fn reason(bytes: &[u8]) -> String {
        DistinctSketch::decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let sparse = sketch(20).encode();
        let dense = sketch(9000).encode();
        for bytes in [&sparse, &dense] {
            for end in 0..bytes.len() {
                assert!(DistinctSketch::decode(&bytes[..end]).is_err());
            }
            let longer = [bytes, &[0][..]].concat();
            assert!(DistinctSketch::decode(&longer).is_err());
        }
        let changed = |bytes: &[u8], at: usize, value: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = value;
            bytes
        };
        assert!(reason(&changed(&sparse, 2, 3)).contains("precision must"));
        assert!(reason(&changed(&sparse, 2, 19)).contains("precision must"));
        assert!(reason(&changed(&sparse, 3, 2)).contains("neither"));
        assert!(reason(&changed(&sparse, 2, 4)).contains("more tokens"));
        assert!(reason(&changed(&sparse, 8, sparse[8] & 0xC0)).contains("rank"));
        assert!(reason(&changed(&sparse, 8, sparse[8] | 63)).contains("rank"));
        assert!(reason(&changed(&sparse, 11, 255)).contains("ascending"));
        // The same index twice.
        let mut twice = sparse.clone();
        twice.copy_within(8..12, 12);
        assert!(reason(&twice).contains("ascending"));
        assert!(reason(&changed(&dense, 4, 63)).contains("register"));
        // Registers that no 3073 different tokens could have left behind.
        let mut empty = vec![0x54, 1, 14, DENSE];
        empty.resize(4 + 12_288, 0);
        assert!(reason(&empty).contains("so few values"));
        empty[4] = 2;
        assert!(reason(&empty).contains("so few values"));
        empty[4] = 1 | (2 << 6);
        assert!(DistinctSketch::decode(&empty).is_ok());
        empty[4] = 13;
        assert!(DistinctSketch::decode(&empty).is_ok());
    }

    #[test]
    fn hostile_texts_are_refused() {
        let dense = sketch(9000).to_text();
        for text in [
            "",
            "{}",
            r#"{"version":1,"precision_bits":14}"#,
            r#"{"version":2,"precision_bits":14,"sparse":[]}"#,
            r#"{"version":1,"precision_bits":19,"sparse":[]}"#,
            r#"{"version":1,"precision_bits":14,"sparse":[64]}"#,
            r#"{"version":1,"precision_bits":14,"sparse":[129,65]}"#,
            r#"{"version":1,"precision_bits":14,"sparse":[65,66]}"#,
            r#"{"version":1,"precision_bits":14,"sparse":[],"dense":""}"#,
            r#"{"version":1,"precision_bits":14,"dense":"00"}"#,
            r#"{"version":1,"precision_bits":4,"dense":"000000000000000000000000"}"#,
            &dense.replace('a', "A"),
            &dense.replacen('0', "é", 1),
        ] {
            assert!(DistinctSketch::from_text(text).is_err(), "{text:.80}");
        }
        assert!(
            DistinctSketch::from_text(r#"{"version":1,"precision_bits":14,"sparse":[65]}"#).is_ok()
        );
    }
}
