//! The binary and the text form of a profile, both read through one validation.

use serde::Deserialize;
use serde_json::Value;

use super::checked_total;
use super::{CAPACITY, CategoryProfile, DistributionProfile, LONGEST_CATEGORY, NumericProfile};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};
use crate::statistics::percentile_sketch::{PROFILE_RELATIVE_ERROR, PercentileSketch};
use crate::statistics::stats_summary::StatsSummary;

/// Kinds.
const NUMERIC: u8 = 1;
const TEXT: u8 = 2;

/// The version of our own layout and of the text form, whose parts print and read themselves.
const LAYOUT: u8 = 1;
const TEXT_VERSION: u8 = 1;

impl NumericProfile {
    /// Whether the parts can belong to one multiset of rows.
    fn check(self) -> Result<Self, &'static str> {
        checked_total(&[
            self.nulls,
            self.nan,
            self.negative_infinity,
            self.positive_infinity,
            self.summary.n(),
        ])
        .map_err(|_| "more than 2^53 rows")?;
        let (summary, sketch) = (&self.summary, &self.sketch);
        if summary.version() != 1 {
            return Err("the values of a profile have no weights");
        }
        if sketch.target_relative_error().to_bits() != PROFILE_RELATIVE_ERROR.to_bits() {
            return Err("the sketch does not have the relative_error of profiles");
        }
        if summary.n() != sketch.n() {
            return Err("summary and sketch do not have the same number of values");
        }
        for (own, other) in [(summary.min(), sketch.min()), (summary.max(), sketch.max())] {
            if own.map(f64::to_bits) != other.map(f64::to_bits) {
                return Err("summary and sketch do not have the same extremes");
            }
            if own.is_some_and(|extreme| !extreme.is_finite()) {
                return Err("values that are not finite are only counted");
            }
        }
        Ok(self)
    }
}

/// A profile of texts from its parts.
fn checked_text(
    nulls: u64,
    rest: u64,
    categories: Vec<(String, u64)>,
) -> Result<CategoryProfile, &'static str> {
    if categories.len() > CAPACITY {
        return Err("more than 1000 categories");
    }
    if !categories.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("categories are not ascending");
    }
    if categories.iter().any(|(_, count)| *count == 0) {
        return Err("a category without a row");
    }
    if categories
        .iter()
        .any(|(name, _)| name.contains('\0') || name.chars().count() > LONGEST_CATEGORY)
    {
        return Err("a category with a NUL or more than 200 characters");
    }
    // The first row of the rest comes with one of each category at least.
    if rest > 0 && rest <= CAPACITY as u64 {
        return Err("a rest of fewer rows than there are categories");
    }
    let values = categories
        .iter()
        .try_fold(rest, |sum, (_, count)| sum.checked_add(*count))
        .ok_or("more than 2^53 rows")?;
    checked_total(&[values, nulls]).map_err(|_| "more than 2^53 rows")?;
    Ok(CategoryProfile {
        nulls,
        rest,
        counts: categories.into_iter().collect(),
        values,
    })
}

/// The version grows with that of the sketch, so that values of one version have one form; the summary has no weights and
/// keeps its first layout.
///
/// Layout: the kind as a byte (1 numbers, 2 text), NULLs as u64. Numbers: counts of NaN, -Infinity and Infinity
/// as u64; the layout version of a stats_summary as a byte and its fields; the same of a percentile_sketch. Text: the rest
/// as u64, the number of categories as u32, and each, ascending by bytes: count as u64, length as u32, name in UTF-8.
impl Codec for DistributionProfile {
    const TYPE_NAME: &'static str = "distribution_profile";
    const MAGIC: u8 = 0x56;
    const VERSION: u8 = LAYOUT + (PercentileSketch::VERSION - 1);

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Numeric(profile) => {
                out.push(NUMERIC);
                for count in [
                    profile.nulls,
                    profile.nan,
                    profile.negative_infinity,
                    profile.positive_infinity,
                ] {
                    out.extend_from_slice(&count.to_le_bytes());
                }
                write_part(&profile.summary, out);
                write_part(&profile.sketch, out);
            }
            Self::Text(profile) => {
                out.push(TEXT);
                out.extend_from_slice(&profile.nulls.to_le_bytes());
                out.extend_from_slice(&profile.rest.to_le_bytes());
                out.extend_from_slice(&(profile.counts.len() as u32).to_le_bytes());
                for (name, count) in &profile.counts {
                    out.extend_from_slice(&count.to_le_bytes());
                    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
                    out.extend_from_slice(name.as_bytes());
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
        match reader.u8()? {
            NUMERIC => NumericProfile {
                nulls: reader.u64()?,
                nan: reader.u64()?,
                negative_infinity: reader.u64()?,
                positive_infinity: reader.u64()?,
                summary: read_part(reader)?,
                sketch: read_part(reader)?,
            }
            .check()
            .map(Self::Numeric)
            .map_err(|reason| reader.invalid(reason)),
            TEXT => {
                let (nulls, rest) = (reader.u64()?, reader.u64()?);
                let length = reader.length(12)?;
                let categories = (0..length)
                    .map(|_| {
                        let count = reader.u64()?;
                        Ok((read_name(reader)?, count))
                    })
                    .collect::<Result<Vec<_>, CodecError>>()?;
                checked_text(nulls, rest, categories)
                    .map(Self::Text)
                    .map_err(|reason| reader.invalid(reason))
            }
            _ => Err(reader.invalid("neither a profile of numbers nor of text")),
        }
    }
}

fn write_part<S: Codec>(part: &S, out: &mut Vec<u8>) {
    out.push(part.version());
    part.write(out);
}

fn read_part<S: Codec>(reader: &mut Reader<'_>) -> Result<S, CodecError> {
    let version = reader.u8()?;
    if version == 0 || version > S::VERSION {
        return Err(reader.invalid(format!(
            "a {} of layout version {version}, this library reads up to {}",
            S::TYPE_NAME,
            S::VERSION
        )));
    }
    S::read(reader, version)
}

fn read_name(reader: &mut Reader<'_>) -> Result<String, CodecError> {
    let length = reader.length(1)?;
    let bytes = (0..length)
        .map(|_| reader.u8())
        .collect::<Result<Vec<u8>, _>>()?;
    String::from_utf8(bytes).map_err(|_| reader.invalid("a category that is not UTF-8"))
}

/// The keys of the text form, which begin with the kind.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Text {
    Numbers {
        version: u8,
        nulls: u64,
        nan: u64,
        negative_infinity: u64,
        positive_infinity: u64,
        summary: Value,
        sketch: Value,
    },
    Text {
        version: u8,
        nulls: u64,
        rest: u64,
        categories: Vec<(String, u64)>,
    },
}

impl TextForm for DistributionProfile {
    fn to_text(&self) -> String {
        match self {
            // The parts print themselves.
            Self::Numeric(profile) => format!(
                r#"{{"kind":"numbers","version":{},"nulls":{},"nan":{},"negative_infinity":{},"positive_infinity":{},"summary":{},"sketch":{}}}"#,
                TEXT_VERSION,
                profile.nulls,
                profile.nan,
                profile.negative_infinity,
                profile.positive_infinity,
                profile.summary.to_text(),
                profile.sketch.to_text()
            ),
            Self::Text(profile) => {
                // Pairs of strings and numbers always have a JSON form.
                let categories: Vec<(&String, &u64)> = profile.counts.iter().collect();
                format!(
                    r#"{{"kind":"text","version":{},"nulls":{},"rest":{},"categories":{}}}"#,
                    TEXT_VERSION,
                    profile.nulls,
                    profile.rest,
                    serde_json::to_string(&categories).unwrap_or_default()
                )
            }
        }
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let text: Text = serde_json::from_str(text).map_err(|error| TextError::Json {
            type_name: Self::TYPE_NAME,
            reason: error.to_string(),
        })?;
        let (Text::Numbers { version, .. } | Text::Text { version, .. }) = &text;
        if *version != TEXT_VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: TEXT_VERSION,
                found: *version,
            }));
        }
        let checked = match text {
            Text::Numbers {
                nulls,
                nan,
                negative_infinity,
                positive_infinity,
                summary,
                sketch,
                ..
            } => NumericProfile {
                nulls,
                nan,
                negative_infinity,
                positive_infinity,
                summary: StatsSummary::from_text(&summary.to_string())?,
                sketch: PercentileSketch::from_text(&sketch.to_string())?,
            }
            .check()
            .map(Self::Numeric),
            Text::Text {
                nulls,
                rest,
                categories,
                ..
            } => checked_text(nulls, rest, categories).map(Self::Text),
        };
        checked.map_err(|reason| {
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

    fn numbers(values: &[Option<f64>]) -> DistributionProfile {
        let mut profile = DistributionProfile::Numeric(NumericProfile::default());
        for value in values {
            profile.push_number(*value).unwrap();
        }
        profile
    }

    #[test]
    fn the_text_form_is_an_api() {
        assert_eq!(
            numbers(&[Some(2.0), None]).to_text(),
            r#"{"kind":"numbers","version":1,"nulls":1,"nan":0,"negative_infinity":0,"positive_infinity":0,"summary":{"version":1,"n":1,"sum":2.0,"sum_low":0.0,"m2":0.0,"m3":0.0,"m4":0.0,"min":2.0,"max":2.0},"sketch":{"version":1,"relative_error":0.0005,"exact":[2.0]}}"#
        );
        let mut text = DistributionProfile::Text(CategoryProfile::default());
        for value in [Some("b"), None, Some("a\"ä"), Some("b")] {
            text.push_text(value).unwrap();
        }
        assert_eq!(
            text.to_text(),
            r#"{"kind":"text","version":1,"nulls":1,"rest":0,"categories":[["a\"ä",1],["b",2]]}"#
        );
        assert_eq!(
            DistributionProfile::from_text(&text.to_text()).unwrap(),
            text
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let text = |nulls: &str, rest: &str, categories: &str| {
            DistributionProfile::from_text(&format!(
                r#"{{"kind":"text","version":1,"nulls":{nulls},"rest":{rest},"categories":{categories}}}"#
            ))
        };
        assert!(text("0", "0", r#"[["a",1],["b",2]]"#).is_ok());
        assert!(text("0", "1001", "[]").is_ok());
        let long = format!(r#"[["{}",1]]"#, "x".repeat(201));
        let many: Vec<String> = (0..1001).map(|i| format!(r#"["{i:04}",1]"#)).collect();
        let many = format!("[{}]", many.join(","));
        for (nulls, rest, categories) in [
            ("0", "0", r#"[["b",1],["a",2]]"#),
            ("0", "0", r#"[["a",1],["a",2]]"#),
            ("0", "0", r#"[["a",0]]"#),
            ("0", "0", "[[\"a\\u0000\",1]]"),
            ("0", "0", long.as_str()),
            ("0", "0", many.as_str()),
            ("0", "1", r#"[["a",1]]"#),
            ("9007199254740992", "0", r#"[["a",1]]"#),
            ("0", "18446744073709551615", r#"[["a",1]]"#),
            ("-1", "0", "[]"),
        ] {
            assert!(text(nulls, rest, categories).is_err(), "{categories:.40}");
        }
        // The summary of one value with the sketch of another, NaN inside, another accuracy.
        let one = numbers(&[Some(1.0)]).to_text();
        for (from, to) in [
            (r#""exact":[1.0]"#, r#""exact":[2.0]"#),
            (r#""exact":[1.0]"#, r#""exact":[1.0,1.0]"#),
            (r#""relative_error":0.0005"#, r#""relative_error":0.01"#),
            (r#""version":1,"nulls""#, r#""version":2,"nulls""#),
            (r#""kind":"numbers""#, r#""kind":"text""#),
            (r#""nan":0"#, r#""nan":0,"other":0"#),
        ] {
            let other = one.replace(from, to);
            assert_ne!(other, one, "{from}");
            assert!(DistributionProfile::from_text(&other).is_err(), "{to}");
        }
    }
}
