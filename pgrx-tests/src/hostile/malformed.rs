//! Damaged forms of a type's values: binary ones cut, extended and with other bits, text ones with other members.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Bytes as an SQL literal of type bytea.
#[must_use]
pub fn literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{digits}'::bytea")
}

/// One row of one column in the format of `COPY … WITH (FORMAT binary)`.
#[must_use]
pub fn copied(bytes: &[u8]) -> Vec<u8> {
    let mut data = b"PGCOPY\n\xff\r\n\0".to_vec();
    data.extend([0; 8]);
    data.extend(1_i16.to_be_bytes());
    data.extend(i32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    data.extend(bytes);
    data.extend((-1_i16).to_be_bytes());
    data
}

/// Damaged copies of a binary form: every cut, extensions, every bit of the beginning and `count` other changes.
#[must_use]
pub fn binary(valid: &[u8], count: usize, random: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = (0..valid.len().min(64))
        .map(|length| valid.iter().copied().take(length).collect())
        .collect();
    let shorter = valid.len().saturating_sub(1);
    found.push(valid.iter().copied().take(shorter).collect());
    for tail in [&[0_u8][..], &[0xff; 9], &[0; 1000]] {
        found.push([valid, tail].concat());
    }
    found.push([valid, valid].concat());
    for (at, byte) in valid.iter().enumerate().take(24) {
        for bit in 0..8 {
            found.push(with(valid, at, &[byte ^ (1 << bit)]));
        }
    }
    for at in (0..valid.len()).take(160) {
        // What a length, a count or a number may be.
        for bytes in [
            u64::MAX.to_le_bytes(),
            i64::MAX.to_le_bytes(),
            f64::NAN.to_le_bytes(),
            f64::NEG_INFINITY.to_le_bytes(),
            1e308_f64.to_le_bytes(),
            5e-324_f64.to_le_bytes(),
            (u64::from(u32::MAX) >> 1).to_le_bytes(),
            [0; 8],
        ] {
            found.push(with(valid, at, &bytes));
        }
    }
    while found.len() > count.max(100) {
        found.swap_remove(random.random_range(0..found.len()));
    }
    for _ in 0..count / 4 {
        let mut damaged = valid.to_vec();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..damaged.len());
            damaged = with(&damaged, at, &[random.random()]);
        }
        found.push(damaged);
        found.push(
            (0..random.random_range(0..200))
                .map(|_| random.random())
                .collect(),
        );
    }
    found
}

fn with(valid: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = valid.to_vec();
    for (place, byte) in damaged.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
    damaged
}

/// Damaged copies of a text form: no JSON, other JSON, and each member missing, renamed or with another value.
#[must_use]
pub fn text(valid: &str) -> Vec<String> {
    let mut found: Vec<String> = [
        "",
        " ",
        "null",
        "[]",
        "{}",
        "0",
        "\"\"",
        "{\"a\":1}",
        "{",
        "\u{1}",
        "{\"\\ud800\":1}",
        "{\"\\u0000\":1}",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    found.push("[".repeat(100_000));
    found.push("{\"a\":".repeat(100_000));
    found.extend(
        (0..valid.len())
            .step_by(7)
            .filter_map(|end| valid.get(..end).map(ToOwned::to_owned)),
    );
    found.push(format!("{valid}x"));
    found.push(valid.replacen('{', "{\"unknown\":1,", 1));
    let Ok(value) = serde_json::from_str::<Value>(valid) else {
        return found;
    };
    let mut paths = Vec::new();
    leaves(&value, &mut Vec::new(), &mut paths);
    for path in paths {
        for other in [
            Value::Null,
            json!(0),
            json!(-1),
            json!(0.5),
            json!(1e308),
            json!(-1e308),
            json!(5e-324),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(9_007_199_254_740_993_i64),
            json!("NaN"),
            json!("Infinity"),
            json!("-Infinity"),
            json!("x"),
            json!([]),
            json!({}),
            json!([[1, 2], [3, 4]]),
        ] {
            let mut damaged = value.clone();
            if let Some(place) = damaged.pointer_mut(&path) {
                *place = other;
                found.push(damaged.to_string());
            }
        }
    }
    found
}

/// JSON pointers of the members of objects, and of the first elements of arrays.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<String>) {
    let mut visit = |name: String, inner: &Value| {
        path.push(name);
        found.push(format!("/{}", path.join("/")));
        leaves(inner, path, found);
        path.pop();
    };
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                visit(name.clone(), inner);
            }
        }
        Value::Array(elements) => {
            for (at, inner) in elements.iter().enumerate().take(3) {
                visit(at.to_string(), inner);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn damaged_forms_differ_from_the_valid_one() {
        let valid: Vec<u8> = (0..200).collect();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let found = binary(&valid, 400, &mut random);
        assert!(found.len() >= 400, "{}", found.len());
        assert!(found.iter().filter(|bytes| **bytes != valid).count() > 390);
        let texts = text("{\"n\": 3, \"bins\": [[1, 2]]}");
        assert!(
            texts.iter().any(|text| text.contains("\"n\":-1")),
            "{texts:?}"
        );
        assert!(
            texts.contains(&"{\"bins\":[[null,2]],\"n\":3}".to_owned()),
            "{texts:?}"
        );
    }
}
