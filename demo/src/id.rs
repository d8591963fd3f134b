//! Identifiers that depend on names alone.

use sha2::{Digest, Sha256};
use std::fmt;

/// A UUID, printed as PostgreSQL prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

impl Id {
    /// The nil UUID: no particular SOP, or the shared tenant.
    pub const NIL: Self = Self(0);

    /// A constant.
    pub const fn fixed(value: u128) -> Self {
        Self(value)
    }

    /// A name within a space: version 8 of RFC 9562, made as version 5 is, but with SHA-256.
    pub fn named(space: Id, name: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(space.0.to_be_bytes())
            .chain_update(name)
            .finalize();
        let value = digest
            .iter()
            .take(16)
            .fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
        let version = value & !(0xf << 76) | 0x8 << 76;
        Self(version & !(0x3 << 62) | 0x2 << 62)
    }

    /// The number behind the UUID.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        for (index, digit) in hex.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn a_named_id_is_a_valid_version_8_uuid_and_depends_on_space_and_name() {
        let id = Id::named(Id::NIL, "margherita").to_string();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "8");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        assert_eq!(id, Id::named(Id::NIL, "margherita").to_string());
        assert_ne!(id, Id::named(Id::fixed(1), "margherita").to_string());
        assert_ne!(id, Id::named(Id::NIL, "marinara").to_string());
        assert_eq!(Id::NIL.to_string(), "00000000-0000-0000-0000-000000000000");
    }
}
