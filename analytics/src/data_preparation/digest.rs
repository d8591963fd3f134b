//! A name for a data set by its content.

use sha2::{Digest, Sha256};

/// The SHA-256 digest of one row.
pub type RowDigest = [u8; 32];

/// Builds the canonical bytes of a row and digests them.
///
/// Every field has a fixed length or is preceded by its length, so that different rows have different bytes.
#[derive(Debug, Clone, Default)]
pub struct RowHasher(Sha256);

impl RowHasher {
    /// Adds bytes of a fixed length.
    #[must_use]
    pub fn bytes<const N: usize>(mut self, bytes: [u8; N]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        let mut next = self.bytes((text.len() as u64).to_le_bytes());
        next.0.update(text.as_bytes());
        next
    }

    /// Adds a number or its absence. Both zeros are one value, and so are all NaNs.
    #[must_use]
    pub fn number(self, number: Option<f64>) -> Self {
        match number {
            None => self.bytes([0]),
            Some(number) => {
                let canonical = if number.is_nan() {
                    f64::NAN
                } else {
                    // -0.0 + 0.0 is 0.0; every other number stays itself.
                    number + 0.0
                };
                self.bytes([1]).bytes(canonical.to_bits().to_le_bytes())
            }
        }
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> RowDigest {
        self.0.finalize().into()
    }
}

/// The digest of a multiset of rows: equal for equal rows in any order, different for different multisets unless SHA-256
/// collides.
///
/// Rows come in groups (all rows of one person, say), so that only one group and one digest per group are in memory.
/// Whoever uses it puts rows that belong to one group into one call, and each group's key into its rows.
#[derive(Debug, Clone)]
pub struct ContentDigest {
    schema: RowDigest,
    groups: Vec<RowDigest>,
    rows: u64,
}

impl ContentDigest {
    /// For rows of a named shape; the name is part of the digest.
    #[must_use]
    pub fn new(schema: &str) -> Self {
        Self {
            schema: RowHasher::default().text(schema).finish(),
            groups: Vec::new(),
            rows: 0,
        }
    }

    /// Adds all rows of a group; their order does not matter. The list is emptied.
    pub fn add_group(&mut self, rows: &mut Vec<RowDigest>) {
        if rows.is_empty() {
            return;
        }
        self.rows += rows.len() as u64;
        self.groups.push(digest_sorted(rows));
        rows.clear();
    }

    /// How many rows were added.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest in hexadecimal digits.
    #[must_use]
    pub fn finish(mut self) -> String {
        let content = digest_sorted(&mut self.groups);
        let digest = RowHasher::default()
            .bytes(self.schema)
            .bytes(self.rows.to_le_bytes())
            .bytes(content)
            .finish();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn digest_sorted(digests: &mut [RowDigest]) -> RowDigest {
    digests.sort_unstable();
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(groups: &[Vec<f64>]) -> String {
        let mut content = ContentDigest::new("test");
        for group in groups {
            let mut rows = group
                .iter()
                .map(|value| RowHasher::default().number(Some(*value)).finish())
                .collect();
            content.add_group(&mut rows);
        }
        content.finish()
    }

    proptest! {
        #[test]
        fn order_of_rows_and_groups_does_not_matter_but_content_does(
            groups in proptest::collection::vec(proptest::collection::vec(-9.0_f64..9.0, 1..6), 1..6),
            turn in 0_usize..6,
        ) {
            let mut turned = groups.clone();
            for group in &mut turned {
                let by = turn % group.len();
                group.rotate_left(by);
                group.reverse();
            }
            let by = turn % groups.len();
            turned.rotate_left(by);
            prop_assert_eq!(digest(&groups), digest(&turned));
            turned[0][0] += 1.0;
            prop_assert_ne!(digest(&groups), digest(&turned));
            turned[0][0] -= 1.0;
            turned[0].push(0.5);
            prop_assert_ne!(digest(&groups), digest(&turned));
        }
    }

    #[test]
    fn a_repeated_row_counts_and_zeros_are_one_value() {
        assert_ne!(digest(&[vec![1.0]]), digest(&[vec![1.0, 1.0]]));
        assert_eq!(digest(&[vec![0.0]]), digest(&[vec![-0.0]]));
        assert_eq!(digest(&[vec![f64::NAN]]), digest(&[vec![-f64::NAN]]));
        assert_ne!(digest(&[]), digest(&[vec![0.0]]));
        assert_eq!(digest(&[]), digest(&[vec![]]));
    }

    #[test]
    fn is_sha_256() {
        // printf abc | sha256sum
        let digest = RowHasher::default().bytes(*b"abc").finish();
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
