//! Stored values of every base type and version: `analytics/tests/golden`.

use serde_json::Value;

use crate::workspace;

/// What a type stored when the extension was younger.
#[derive(Debug)]
pub struct Golden {
    /// The type, with its schema.
    pub kind: String,
    /// What the value is.
    pub name: String,
    /// The binary form in hexadecimal digits.
    pub bytes: String,
    /// The text form.
    pub text: String,
    /// The version of its layout.
    pub version: u64,
}

/// The values of all files.
///
/// # Panics
/// When a file is not what `golden.rs` of the analytics writes.
#[must_use]
pub fn read() -> Vec<Golden> {
    let folder = workspace().join("analytics/tests/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("a folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("a file can be read");
        let file: Value = serde_json::from_str(&text).expect("a golden file is JSON");
        let text_of = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_else(|| panic!("{}: no {name}", path.display()))
                .to_owned()
        };
        let kind = format!("sop_ml.{}", text_of(&file, "type"));
        let version = file.get("version").and_then(Value::as_u64);
        let values = file.get("values").and_then(Value::as_array);
        for value in values.expect("a golden file has values") {
            found.push(Golden {
                kind: kind.clone(),
                name: text_of(value, "name"),
                bytes: text_of(value, "bytes"),
                text: text_of(value, "text"),
                version: version.expect("a golden file has a version"),
            });
        }
    }
    assert!(found.len() >= 12, "{} golden values", found.len());
    found
}
