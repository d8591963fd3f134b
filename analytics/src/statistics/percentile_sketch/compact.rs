//! Layout version 2 of a percentile sketch: small sketches take few bytes.
//!
//! A roll-up stores a sketch per series and hour, most of them of a few readings with a few decimals. Numbers of variable
//! length (LEB128, seven bits a byte, lowest first) and differences between neighbours make such a sketch two to four
//! times smaller than eight bytes a value, and one in bucket form five times smaller than twelve bytes a bucket.

use crate::codec::{CodecError, Reader};

/// Powers of ten that exact values may be multiples of: whole numbers to millionths.
const SCALES: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// Instead of a scale: the values follow as doubles.
const AS_DOUBLES: u8 = u8::MAX;

/// Decimals of at most 15 digits and doubles belong together one to one.
const LARGEST_SCALED: f64 = 1e15;

pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn read_number(reader: &mut Reader<'_>) -> Result<u64, CodecError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8()?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return Err(reader.invalid("a number of more than 64 bits"));
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            // Equal numbers have equal bytes.
            return if byte == 0 && shift > 0 {
                Err(reader.invalid("a number with leading zeros"))
            } else {
                Ok(number)
            };
        }
    }
    Err(reader.invalid("a number of more than 64 bits"))
}

fn write_signed(out: &mut Vec<u8>, number: i64) {
    write_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn read_signed(reader: &mut Reader<'_>) -> Result<i64, CodecError> {
    let number = read_number(reader)?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

/// How many decimals a value needs, and the whole number that it is then.
fn scaled(value: f64, from: usize) -> Option<(usize, i64)> {
    SCALES
        .iter()
        .enumerate()
        .skip(from)
        .find_map(|(at, scale)| {
            let whole = (value * scale).round();
            // NaN and the infinities fail the first comparison.
            (whole.abs() < LARGEST_SCALED && (whole / scale).to_bits() == value.to_bits())
                .then_some((at, whole as i64))
        })
}

/// The fewest decimals that all values have, and the values as whole numbers at that scale.
fn all_scaled(values: &[f64]) -> Option<(usize, Vec<i64>)> {
    let decimals = values
        .iter()
        .try_fold(0, |most, &value| Some(scaled(value, most)?.0))?;
    let whole = values
        .iter()
        .map(|&value| {
            scaled(value, decimals).and_then(|(at, whole)| (at == decimals).then_some(whole))
        })
        .collect::<Option<_>>()?;
    Some((decimals, whole))
}

/// Sorted values, at most 255 of them.
pub(super) fn write_exact(out: &mut Vec<u8>, values: &[f64]) {
    out.push(values.len() as u8);
    match all_scaled(values) {
        Some((decimals, whole)) => {
            out.push(decimals as u8);
            let mut before = None;
            for number in whole {
                match before {
                    None => write_signed(out, number),
                    Some(before) => write_number(out, number.abs_diff(before)),
                }
                before = Some(number);
            }
        }
        None => {
            out.push(AS_DOUBLES);
            for value in values {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }
}

pub(super) fn read_exact(reader: &mut Reader<'_>) -> Result<Vec<f64>, CodecError> {
    let length = usize::from(reader.u8()?);
    let decimals = reader.u8()?;
    if decimals == AS_DOUBLES {
        let values = (0..length)
            .map(|_| reader.f64())
            .collect::<Result<Vec<_>, _>>()?;
        return if all_scaled(&values).is_some() {
            Err(reader.invalid("doubles where decimals would do"))
        } else {
            Ok(values)
        };
    }
    let Some(scale) = SCALES.get(usize::from(decimals)) else {
        return Err(reader.invalid("an unknown number of decimals"));
    };
    let mut values = Vec::with_capacity(length);
    let mut needs_all_decimals = decimals == 0;
    let mut number = 0_i64;
    for position in 0..length {
        number = if position == 0 {
            read_signed(reader)?
        } else {
            i64::try_from(read_number(reader)?)
                .ok()
                .and_then(|difference| number.checked_add(difference))
                .ok_or_else(|| reader.invalid("a value that is too large"))?
        };
        if number as f64 <= -LARGEST_SCALED || number as f64 >= LARGEST_SCALED {
            return Err(reader.invalid("a value that is too large"));
        }
        needs_all_decimals |= number % 10 != 0;
        values.push(number as f64 / scale);
    }
    if needs_all_decimals {
        Ok(values)
    } else {
        Err(reader.invalid("more decimals than the values need"))
    }
}

/// Buckets that are not empty, by ascending number.
pub(super) fn write_buckets(
    out: &mut Vec<u8>,
    length: usize,
    buckets: impl Iterator<Item = (i32, u64)>,
) {
    write_number(out, length as u64);
    let mut before: Option<i32> = None;
    for (index, count) in buckets {
        match before {
            None => write_signed(out, i64::from(index)),
            // Neighbours take one bit less than a difference of 1 would.
            Some(before) => write_number(out, u64::from(index.abs_diff(before)).saturating_sub(1)),
        }
        before = Some(index);
        write_number(out, count);
    }
}

pub(super) fn read_buckets(reader: &mut Reader<'_>) -> Result<Vec<(i32, u64)>, CodecError> {
    let declared = read_number(reader)?;
    let length = usize::try_from(declared)
        .ok()
        // A bucket takes two bytes at least: nothing is allocated that the input cannot hold.
        .filter(|length| length.saturating_mul(2) <= reader.remaining())
        .ok_or_else(|| reader.invalid("more buckets than bytes"))?;
    let mut buckets = Vec::with_capacity(length);
    let mut index = 0_i64;
    for position in 0..length {
        index = if position == 0 {
            read_signed(reader)?
        } else {
            i64::try_from(read_number(reader)?)
                .ok()
                .and_then(|gap| index.checked_add(gap)?.checked_add(1))
                .ok_or_else(|| reader.invalid("a bucket that no double falls into"))?
        };
        let number = i32::try_from(index)
            .map_err(|_| reader.invalid("a bucket that no double falls into"))?;
        buckets.push((number, read_number(reader)?));
    }
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::statistics::PercentileSketch;

    fn size(values: impl IntoIterator<Item = f64>) -> usize {
        let sketch = PercentileSketch::from_values(values).unwrap();
        let bytes = sketch.encode();
        assert_eq!(PercentileSketch::decode(&bytes).unwrap(), sketch);
        bytes.len()
    }

    #[test]
    fn readings_with_few_decimals_take_few_bytes() {
        assert_eq!(size([]), 5);
        assert_eq!(size([21.5]), 7);
        // 14 temperatures with a decimal: a byte each, and one more for the first.
        assert_eq!(size((0..14).map(|i| f64::from(40 + i * 3) / 10.0)), 19);
        assert_eq!(size([0.1 + 0.2; 3]), 5 + 3 * 8);
        assert_eq!(size([-1e14, 1e14]), 5 + 7 + 7);
        assert_eq!(size([1e15]), 5 + 8);
        assert_eq!(size([f64::NAN, 1.0, f64::INFINITY]), 5 + 3 * 8);
        assert_eq!(size([f64::MIN_POSITIVE, -0.0]), 5 + 2 * 8);
    }

    #[test]
    fn buckets_take_two_bytes_and_a_bit() {
        let used = 400.0;
        let bytes = size((0..5000).map(|i| 1.02_f64.powf(f64::from(i) * used / 5000.0)));
        assert!(bytes < 1000, "{bytes}");
    }

    #[test]
    fn every_decimal_comes_back() {
        for (decimals, scale) in SCALES.iter().enumerate() {
            for whole in [0_i64, 1, 7, 10, 123_456_789, 999_999_999_999_999, -3] {
                let value = whole as f64 / scale;
                let (found, number) = scaled(value, 0).unwrap();
                assert!(found <= decimals);
                assert_eq!((number as f64 / SCALES[found]).to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn one_form_per_value() {
        // 2.0 as 20 tenths, as a double, and with a leading zero.
        let head = [PercentileSketch::MAGIC, 2, 0, 1];
        for rest in [
            &[1, 40][..],
            &[0xff, 0, 0, 0, 0, 0, 0, 0, 0x40],
            &[0, 0x84, 0],
        ] {
            let bytes = [&head, rest].concat();
            assert!(PercentileSketch::decode(&bytes).is_err(), "{rest:?}");
        }
        let bytes = [&head[..], &[0, 4]].concat();
        assert_eq!(PercentileSketch::decode(&bytes).unwrap().max(), Some(2.0));
    }

    #[test]
    fn the_first_layout_is_still_read() {
        // Written by layout version 1: three exact values, and 65 ones in bucket form.
        let mut exact = vec![PercentileSketch::MAGIC, 1];
        exact.extend_from_slice(&0.01_f64.to_le_bytes());
        exact.extend_from_slice(&[0, 3, 0, 0, 0]);
        for value in [1.0, 2.5, 4.0_f64] {
            exact.extend_from_slice(&value.to_le_bytes());
        }
        let expected = PercentileSketch::from_values([4.0, 1.0, 2.5]).unwrap();
        assert_eq!(PercentileSketch::decode(&exact).unwrap(), expected);
        let mut buckets = vec![PercentileSketch::MAGIC, 1];
        buckets.extend_from_slice(&0.01_f64.to_le_bytes());
        buckets.extend_from_slice(&[1, 0]);
        buckets.extend_from_slice(&[0; 32]);
        buckets.extend_from_slice(&1.0_f64.to_le_bytes());
        buckets.extend_from_slice(&1.0_f64.to_le_bytes());
        buckets.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        buckets.extend_from_slice(&65_u64.to_le_bytes());
        let expected = PercentileSketch::from_values([1.0; 65]).unwrap();
        assert_eq!(PercentileSketch::decode(&buckets).unwrap(), expected);
    }
}
