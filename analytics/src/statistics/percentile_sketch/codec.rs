//! The binary and the text form of a percentile sketch, both read through one validation.

use serde::{Deserialize, Serialize};

use super::buckets::{Buckets, LARGEST_COUNT, MAX_BUCKETS, MAX_COLLAPSES};
use super::compact::{
    read_buckets, read_exact, read_number, write_buckets, write_exact, write_number,
};
use super::{DEFAULT_RELATIVE_ERROR, EXACT_UP_TO, Form, PercentileSketch, canonical, sorted};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};
use crate::statistics::collector::Collected;
use crate::statistics::error::StatisticsError;
use crate::statistics::json_float::JsonFloat;
use crate::statistics::store::Store;

/// Forms; in layout version 2 with [`OWN_ERROR`] added where the error bound is not the default one.
const EXACT: u8 = 0;
const BUCKETS: u8 = 1;
const OWN_ERROR: u8 = 2;

/// The text form has not changed since the first layout.
const TEXT_VERSION: u8 = 1;

/// Everything a sketch consists of, not yet checked; these are the keys of the text form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    version: u8,
    relative_error: JsonFloat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<Vec<JsonFloat>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<UncheckedBuckets>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedBuckets {
    collapses: u8,
    negative_infinity: u64,
    negative: Vec<(i32, u64)>,
    zero: u64,
    positive: Vec<(i32, u64)>,
    positive_infinity: u64,
    nan: u64,
    min: JsonFloat,
    max: JsonFloat,
}

impl From<&PercentileSketch> for Unchecked {
    fn from(sketch: &PercentileSketch) -> Self {
        let (exact, buckets) = match &sketch.form {
            Form::Exact(values) => {
                let values = sorted(values).into_iter().map(JsonFloat).collect();
                (Some(values), None)
            }
            Form::Buckets(buckets) => (None, Some(UncheckedBuckets::from(buckets))),
        };
        Self {
            version: TEXT_VERSION,
            relative_error: JsonFloat(sketch.target),
            exact,
            buckets,
        }
    }
}

impl From<&Buckets> for UncheckedBuckets {
    fn from(buckets: &Buckets) -> Self {
        Self {
            collapses: buckets.collapses,
            negative_infinity: buckets.negative_infinity,
            negative: buckets.negative.iter().collect(),
            zero: buckets.zero,
            positive: buckets.positive.iter().collect(),
            positive_infinity: buckets.positive_infinity,
            nan: buckets.nan,
            min: JsonFloat(buckets.min),
            max: JsonFloat(buckets.max),
        }
    }
}

impl Unchecked {
    fn check(self) -> Result<PercentileSketch, &'static str> {
        let empty = PercentileSketch::with_relative_error(self.relative_error.0)
            .map_err(|_| "relative_error must lie between 0.0001 and 0.5")?;
        let form = match (self.exact, self.buckets) {
            (Some(values), None) => Form::Exact(check_exact(
                values.into_iter().map(|value| value.0).collect(),
            )?),
            (None, Some(buckets)) => Form::Buckets(buckets.check(empty.target)?),
            _ => return Err("either exact or buckets must be there"),
        };
        Ok(PercentileSketch {
            target: empty.target,
            form,
        })
    }
}

fn check_exact(values: Vec<f64>) -> Result<Vec<f64>, &'static str> {
    if values.len() > EXACT_UP_TO {
        return Err("more than 64 exact values");
    }
    if values
        .iter()
        .any(|value| value.to_bits() != canonical(*value).to_bits())
    {
        return Err("a negative zero or an unusual NaN among the exact values");
    }
    if !values.is_sorted_by(|a, b| a.total_cmp(b).is_le()) {
        return Err("exact values are not sorted");
    }
    Ok(values)
}

impl UncheckedBuckets {
    fn check(self, target: f64) -> Result<Buckets, &'static str> {
        let mut buckets = Buckets::new(target);
        if self.collapses > MAX_COLLAPSES {
            return Err("too many collapses");
        }
        buckets.collapses = self.collapses;
        if self.negative.len() + self.positive.len() > MAX_BUCKETS {
            return Err("more than 2048 buckets");
        }
        // No finite double has a bucket beyond these.
        let range = buckets.index(f64::from_bits(1)) - 1..=buckets.index(f64::MAX) + 1;
        for store in [&self.negative, &self.positive] {
            if !store.is_sorted_by(|a, b| a.0 < b.0) {
                return Err("bucket numbers are not ascending");
            }
            if store
                .iter()
                .any(|(index, count)| !range.contains(index) || *count == 0)
            {
                return Err("an empty bucket, or one that no double falls into");
            }
        }
        let finite = self
            .negative
            .iter()
            .chain(&self.positive)
            .try_fold(self.zero, |sum, bucket| sum.checked_add(bucket.1));
        let count = [self.negative_infinity, self.positive_infinity, self.nan]
            .iter()
            .try_fold(finite, |sum, part| Some(sum?.checked_add(*part)))
            .flatten()
            .filter(|&count| count <= LARGEST_COUNT)
            .ok_or("more than 2^53 values")?;
        if count <= EXACT_UP_TO as u64 {
            return Err("so few values are kept exactly");
        }
        buckets.count = count;
        buckets.negative_infinity = self.negative_infinity;
        buckets.zero = self.zero;
        buckets.positive_infinity = self.positive_infinity;
        buckets.nan = self.nan;
        buckets.min = self.min.0;
        buckets.max = self.max.0;
        self.check_bounds(&buckets, finite == Some(0))?;
        buckets.negative = filled(&self.negative);
        buckets.positive = filled(&self.positive);
        Ok(buckets)
    }

    /// Minimum and maximum must lie in the outermost buckets.
    fn check_bounds(&self, buckets: &Buckets, nothing_finite: bool) -> Result<(), &'static str> {
        let (min, max) = (buckets.min, buckets.max);
        if nothing_finite {
            return if min == f64::INFINITY && max == f64::NEG_INFINITY {
                Ok(())
            } else {
                Err("min or max without a finite value")
            };
        }
        if [min, max]
            .iter()
            .any(|bound| !bound.is_finite() || bound.to_bits() == (-0.0_f64).to_bits())
            || min > max
        {
            return Err("min or max is not a finite number in order");
        }
        // One bucket of tolerance: the logarithm of another machine may round the other way at an edge.
        let inside = |magnitude: f64, index: i32| {
            magnitude > 0.0 && (buckets.index(magnitude) - index).abs() <= 1
        };
        let lowest = match (self.negative.last(), self.zero, self.positive.first()) {
            (Some(bucket), _, _) => inside(-min, bucket.0),
            (None, 0, Some(bucket)) => inside(min, bucket.0),
            _ => min == 0.0,
        };
        let highest = match (self.positive.last(), self.zero, self.negative.first()) {
            (Some(bucket), _, _) => inside(max, bucket.0),
            (None, 0, Some(bucket)) => inside(-max, bucket.0),
            _ => max == 0.0,
        };
        if lowest && highest {
            Ok(())
        } else {
            Err("min or max lies outside the outermost bucket")
        }
    }
}

fn filled(buckets: &[(i32, u64)]) -> Store {
    let mut store = Store::default();
    for &(index, count) in buckets {
        store.add(index, count);
    }
    store
}

/// Layout version 2: the form as a byte, then the relative_error as a double unless it is the default one. Exact form:
/// [`write_exact`] of the sorted values. Bucket form: collapses as u8; counts of -Infinity, zero, Infinity and NaN as numbers
/// of variable length; min and max as doubles; then [`write_buckets`] of the negative and of the positive ones.
///
/// Layout version 1, which is read only: relative_error as a double and the form as a byte. Exact form: count as u32, the
/// sorted values as doubles. Bucket form: as above with u64 for the counts; then for the negative and for the positive
/// buckets their number as u32 and each as (i32, u64) ascending.
impl Codec for PercentileSketch {
    const TYPE_NAME: &'static str = "percentile_sketch";
    const MAGIC: u8 = 0x52;
    const VERSION: u8 = 2;

    fn write(&self, out: &mut Vec<u8>) {
        let form = match self.form {
            Form::Exact(_) => EXACT,
            Form::Buckets(_) => BUCKETS,
        };
        if self.target.to_bits() == DEFAULT_RELATIVE_ERROR.to_bits() {
            out.push(form);
        } else {
            out.push(form | OWN_ERROR);
            out.extend_from_slice(&self.target.to_le_bytes());
        }
        match &self.form {
            Form::Exact(values) => write_exact(out, &sorted(values)),
            Form::Buckets(buckets) => {
                out.push(buckets.collapses);
                for count in [
                    buckets.negative_infinity,
                    buckets.zero,
                    buckets.positive_infinity,
                    buckets.nan,
                ] {
                    write_number(out, count);
                }
                out.extend_from_slice(&buckets.min.to_le_bytes());
                out.extend_from_slice(&buckets.max.to_le_bytes());
                for store in [&buckets.negative, &buckets.positive] {
                    write_buckets(out, store.used(), store.iter());
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, CodecError> {
        let (form, relative_error) = read_head(reader, version)?;
        let mut unchecked = Unchecked {
            version,
            relative_error: JsonFloat(relative_error),
            exact: None,
            buckets: None,
        };
        match form {
            EXACT => {
                let values = read_values(reader, version)?;
                unchecked.exact = Some(values.into_iter().map(JsonFloat).collect());
            }
            BUCKETS => {
                let count = |reader: &mut Reader<'_>| match version {
                    1 => reader.u64(),
                    _ => read_number(reader),
                };
                let store = |reader: &mut Reader<'_>| match version {
                    1 => read_store(reader),
                    _ => read_buckets(reader),
                };
                unchecked.buckets = Some(UncheckedBuckets {
                    collapses: reader.u8()?,
                    negative_infinity: count(reader)?,
                    zero: count(reader)?,
                    positive_infinity: count(reader)?,
                    nan: count(reader)?,
                    min: JsonFloat(reader.f64()?),
                    max: JsonFloat(reader.f64()?),
                    negative: store(reader)?,
                    positive: store(reader)?,
                });
            }
            _ => return Err(reader.invalid("neither the exact nor the bucket form")),
        }
        unchecked.check().map_err(|reason| reader.invalid(reason))
    }
}

/// The form without [`OWN_ERROR`], and the error bound.
fn read_head(reader: &mut Reader<'_>, version: u8) -> Result<(u8, f64), CodecError> {
    if version == 1 {
        let relative_error = reader.f64()?;
        return Ok((reader.u8()?, relative_error));
    }
    let form = reader.u8()?;
    if form & OWN_ERROR == 0 {
        return Ok((form, DEFAULT_RELATIVE_ERROR));
    }
    let own = reader.f64()?;
    if own.to_bits() == DEFAULT_RELATIVE_ERROR.to_bits() {
        return Err(reader.invalid("the default error bound is not written"));
    }
    Ok((form & !OWN_ERROR, own))
}

/// The values of the exact form, not yet checked.
fn read_values(reader: &mut Reader<'_>, version: u8) -> Result<Vec<f64>, CodecError> {
    if version == 1 {
        let length = reader.length(8)?;
        (0..length).map(|_| reader.f64()).collect()
    } else {
        read_exact(reader)
    }
}

/// The buckets of layout version 1.
fn read_store(reader: &mut Reader<'_>) -> Result<Vec<(i32, u64)>, CodecError> {
    let length = reader.length(12)?;
    (0..length)
        .map(|_| Ok((reader.i32()?, reader.u64()?)))
        .collect()
}

impl PercentileSketch {
    /// Adds all values of an encoded sketch: [`Codec::decode`] and [`PercentileSketch::merge`] without the sketch between.
    /// After an error the sketch may hold some of the values.
    ///
    /// # Errors
    /// [`StatisticsError::Stored`] when the bytes are not an encoded sketch, else as [`PercentileSketch::merge`].
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), StatisticsError> {
        let (mut reader, version) = Self::open(bytes)?;
        let (form, target) = read_head(&mut reader, version)?;
        if target.to_bits() != self.target.to_bits() || form != EXACT {
            return self.merge(&Self::decode(bytes)?);
        }
        let values = check_exact(read_values(&mut reader, version)?)
            .map_err(|reason| reader.invalid(reason))?;
        self.add_all(&values)?;
        Ok(reader.close()?)
    }
}

impl TextForm for PercentileSketch {
    fn to_text(&self) -> String {
        // A struct of numbers, strings and arrays always has a JSON form.
        serde_json::to_string(&Unchecked::from(self)).unwrap_or_default()
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let unchecked: Unchecked = serde_json::from_str(text).map_err(|error| TextError::Json {
            type_name: Self::TYPE_NAME,
            reason: error.to_string(),
        })?;
        if unchecked.version != TEXT_VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: TEXT_VERSION,
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

    #[test]
    fn merging_bytes_is_merging_sketches() {
        let sketch = |n: i32, factor: f64| {
            PercentileSketch::from_values((0..n).map(|value| f64::from(value) * factor - 7.0))
                .unwrap()
        };
        for (mine, theirs) in [
            (0, 5),
            (5, 0),
            (60, 4),
            (60, 5),
            (5, 64),
            (5, 500),
            (500, 64),
        ] {
            let (mut whole, other) = (sketch(mine, 1.0), sketch(theirs, 3.5));
            let mut by_bytes = whole.clone();
            whole.merge(&other).unwrap();
            by_bytes.merge_encoded(&other.encode()).unwrap();
            assert_eq!(whole.encode(), by_bytes.encode());
        }
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
        let special = PercentileSketch::from_values(special).unwrap();
        let mut merged = PercentileSketch::default();
        merged.merge_encoded(&special.encode()).unwrap();
        assert_eq!(merged.encode(), special.encode());
    }

    #[test]
    fn merging_bytes_refuses_what_decoding_refuses() {
        let newest = PercentileSketch::from_values([1.0, 2.0, 3.0])
            .unwrap()
            .encode();
        let mut bytes = vec![PercentileSketch::MAGIC, 1];
        bytes.extend(DEFAULT_RELATIVE_ERROR.to_le_bytes());
        bytes.push(EXACT);
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend([1.0_f64, 2.0, 3.0].map(f64::to_le_bytes).concat());
        assert_eq!(PercentileSketch::decode(&bytes).unwrap().encode(), newest);
        let mut sketch = PercentileSketch::default();
        for bytes in [&newest, &bytes] {
            for end in 0..bytes.len() {
                assert!(sketch.clone().merge_encoded(&bytes[..end]).is_err());
            }
        }
        let with = |at: usize, value: f64| {
            let mut bytes = bytes.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            bytes
        };
        for bytes in [
            [&bytes[..], &[0]].concat(),
            with(15, 9.0),
            with(15, -0.0),
            with(31, -f64::NAN),
            with(2, 0.02),
            with(2, 0.9),
        ] {
            assert!(PercentileSketch::decode(&bytes).is_err() || bytes == with(2, 0.02));
            assert!(sketch.clone().merge_encoded(&bytes).is_err());
        }
        assert!(sketch.merge_encoded(&bytes).is_ok());
    }
}
