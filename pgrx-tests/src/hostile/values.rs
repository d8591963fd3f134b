//! Values that a careless or malicious caller passes, per type, as SQL expressions.

use super::scalars::scalar;

/// An SQL expression for an argument.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// The expression, with its cast.
    pub sql: String,
    /// A million elements or characters: costs a second where others cost a millisecond.
    pub large: bool,
}

/// How many elements or characters a large value has.
pub const LARGE: usize = 1_000_000;

/// The hostile values of a type that the server knows by itself; empty for a type that this page does not know. NULL is
/// always the first.
#[must_use]
pub fn of_type(type_name: &str) -> Vec<Hostile> {
    if let Some(element) = type_name.strip_suffix("[]") {
        return arrays(element);
    }
    let Some(scalar) = scalar(type_name) else {
        return Vec::new();
    };
    let mut values = vec![small(format!("NULL::{type_name}"))];
    values.extend(
        scalar
            .values
            .iter()
            .map(|value| small(format!("({value})::{type_name}"))),
    );
    match type_name {
        "text" => {
            values.push(large(format!("repeat('x', {LARGE})")));
            values.push(large(format!("repeat('\u{e9}', {LARGE})")));
        }
        "bytea" => values.push(large(format!("decode(repeat('53', {LARGE}), 'hex')"))),
        "jsonb" => {
            values.push(large(format!(
                "jsonb_build_object('options', repeat('x', {LARGE}))"
            )));
            values.push(large(format!(
                "(SELECT jsonb_object_agg('key ' || i, i) FROM generate_series(1, {}) AS i)",
                LARGE / 10
            )));
        }
        _ => {}
    }
    values
}

/// Hostile arrays of any element type.
#[must_use]
pub fn arrays_of(element: &str, elements: &[Hostile], series: &str) -> Vec<Hostile> {
    let ordinary = |count: usize| ordinary_array(element, series, &count.to_string());
    let mut values = vec![
        small(format!("NULL::{element}[]")),
        small(format!("'{{}}'::{element}[]")),
        small(format!("ARRAY[NULL]::{element}[]")),
        small(format!("ARRAY[NULL, NULL, NULL]::{element}[]")),
        small(format!("array_append({}, NULL)", ordinary(5))),
        small(format!("('[5:7]=' || {}::text)::{element}[]", ordinary(3))),
        small(format!(
            "('[-2147483648:-2147483646]=' || {}::text)::{element}[]",
            ordinary(3)
        )),
        small(format!("ARRAY[{0}, {0}]", ordinary(3))),
        small(format!("ARRAY[[{0}, {0}], [{0}, {0}]]", ordinary(2))),
        small(ordinary(1)),
        small(ordinary(2)),
        small(ordinary(1000)),
        large(ordinary(LARGE)),
        large(format!(
            "array_fill(({})::{element}, ARRAY[{LARGE}])",
            series.replace("{i}", "1")
        )),
        large(format!("array_fill(NULL::{element}, ARRAY[{LARGE}])")),
        large(format!(
            "array_fill(NULL::{element}, ARRAY[1000, 1000], ARRAY[-5, 7])"
        )),
    ];
    for value in elements.iter().skip(1).filter(|value| !value.large) {
        values.push(small(format!("ARRAY[{}]", value.sql)));
        // Among ordinary ones, and nothing but the hostile one.
        values.push(small(format!(
            "array_append({}, {})",
            ordinary(20),
            value.sql
        )));
        values.push(small(format!("array_fill({}, ARRAY[20])", value.sql)));
    }
    values
}

fn arrays(element: &str) -> Vec<Hostile> {
    scalar(element).map_or_else(Vec::new, |scalar| {
        arrays_of(element, &of_type(element), scalar.series)
    })
}

/// An expression in `i` for ordinary values of a type, where the type is known.
#[must_use]
pub fn series(type_name: &str) -> Option<String> {
    if let Some(element) = type_name.strip_suffix("[]") {
        let inner = scalar(element)?.series;
        return Some(ordinary_array(element, inner, "5 + i % 7"));
    }
    let inner = scalar(type_name)?.series;
    Some(format!("({})::{type_name}", inner.replace("{i}", "i")))
}

/// One ordinary value of a type, where the type is known.
#[must_use]
pub fn ordinary(type_name: &str) -> Option<String> {
    if let Some(element) = type_name.strip_suffix("[]") {
        return Some(ordinary_array(element, scalar(element)?.series, "20"));
    }
    let inner = scalar(type_name)?.series;
    Some(format!("({})::{type_name}", inner.replace("{i}", "7")))
}

/// An array of `count` ordinary elements.
fn ordinary_array(element: &str, series: &str, count: &str) -> String {
    format!(
        "(SELECT array_agg(({})::{element} ORDER BY j) FROM generate_series(1, {count}) AS j)",
        series.replace("{i}", "j")
    )
}

/// What each documented key of an `options` argument is given.
#[must_use]
pub fn option_values() -> Vec<&'static str> {
    vec![
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "0.5",
        "1e308",
        "-1e308",
        "1e-320",
        "1e400",
        "2147483648",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "\"\"",
        "\"x\"",
        "\"infinity\"",
        "\"-infinity\"",
        "\"2026-01-01\"",
        "\"294277-01-01\"",
        "\"4714-11-24 BC\"",
        "\"\\u0001\"",
        "{}",
        "[]",
        "[null]",
        "[0, 0, 0, 0]",
        "[-1, 1e308, 1e308, 1]",
        "[\"x\"]",
        "[\"x\", \"x\"]",
        "{\"x\": 1}",
        "{\"\": {}}",
        "{\"psi\": [0, 0, 0, 0]}",
        "{\"psi\": [4, 3, 2, 1]}",
        "{\"view\": -1}",
        "{\"view\": 1e308}",
    ]
}

const fn small(sql: String) -> Hostile {
    Hostile { sql, large: false }
}

const fn large(sql: String) -> Hostile {
    Hostile { sql, large: true }
}
