//! Tokens for tests, signed with the keys in `pgrx-tests/keys` (made by `openssl genpkey` and `openssl genrsa` for these
//! tests and used nowhere else).

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// A private key and the name that its public half has in the key set.
pub struct Signer {
    /// `kid`.
    pub id: &'static str,
    /// What it signs with.
    pub algorithm: Algorithm,
    key: EncodingKey,
}

/// One key of each kind that the database accepts.
#[must_use]
pub fn signers() -> [Signer; 3] {
    [
        Signer {
            id: "ed",
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(include_bytes!("../keys/ed25519.der")),
        },
        Signer {
            id: "ec",
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(include_bytes!("../keys/p256.der")),
        },
        Signer {
            id: "rsa",
            algorithm: Algorithm::RS256,
            key: EncodingKey::from_rsa_der(include_bytes!("../keys/rsa2048.der")),
        },
    ]
}

/// A key that the database does not know.
#[must_use]
pub fn stranger() -> Signer {
    Signer {
        id: "ed",
        algorithm: Algorithm::EdDSA,
        key: EncodingKey::from_ed_der(include_bytes!("../keys/stranger.der")),
    }
}

/// An RSA key that is too short to be accepted.
#[must_use]
pub fn weak() -> Signer {
    Signer {
        id: "weak",
        algorithm: Algorithm::RS256,
        key: EncodingKey::from_rsa_der(include_bytes!("../keys/rsa1024.der")),
    }
}

impl Signer {
    /// The public half.
    ///
    /// # Panics
    /// When the key cannot be read.
    #[must_use]
    pub fn public(&self) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("the key is valid");
        jwk.common.key_id = Some(self.id.to_owned());
        jwk
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.to_owned());
        encode(&header, claims, &self.key).expect("claims can be signed")
    }
}

/// The public keys of signers as `sop_ml.jwks` wants them.
///
/// # Panics
/// When a key cannot be read.
#[must_use]
pub fn key_set(signers: &[Signer]) -> String {
    let keys = signers.iter().map(Signer::public).collect();
    serde_json::to_string(&JwkSet { keys }).expect("keys are JSON")
}

/// Claims of somebody at a restaurant that expire in so many seconds.
///
/// # Panics
/// When the clock is before 1970.
#[must_use]
pub fn claims(restaurant: &str, role: &str, seconds: i64) -> Value {
    json!({ "sub": "somebody", "restaurant": restaurant, "role": role, "exp": now() + seconds })
}

/// Seconds since 1970.
///
/// # Panics
/// When the clock is before 1970.
#[must_use]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("it is before the year 292e9")
}
