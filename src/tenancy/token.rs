//! Signed tokens: a JWT is believed when one of the public keys of `sop_ml.jwks` verifies it.
//!
//! Only asymmetric algorithms (EdDSA, ES256, RS256), so that no secret lies in the database; the algorithm comes from the
//! key, never from the token alone. Verified signatures are remembered by this backend: a pooled connection sees the same
//! few tokens again and again.

use std::cell::RefCell;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header, Validation, decode, decode_header,
};
use serde::Deserialize;
use serde_json::Value;

use super::claims::Claims;

/// A longer token is refused before any work is done on it.
const MAX_TOKEN_BYTES: usize = 8_192;

/// RSA keys below this size can be broken (NIST SP 800-131A).
const MIN_RSA_BYTES: usize = 256;

/// How far the issuer's clock may be ahead of ours before its tokens are not yet valid.
const NOT_BEFORE_LEEWAY_SECONDS: f64 = 30.0;

/// How many verified tokens a backend remembers.
const REMEMBERED: usize = 32;

/// A public key and the one algorithm it is for.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// The keys of `sop_ml.jwks`.
pub(crate) struct KeySet(Vec<Key>);

/// A token whose signature holds.
#[derive(Clone)]
pub(crate) struct Verified {
    /// What it says about its bearer.
    pub(crate) claims: Claims,
    /// `exp`, in seconds since 1970.
    pub(crate) expires_at: f64,
    not_before: f64,
}

/// The claims that decide whether a token is valid at all.
#[derive(Deserialize)]
struct Validity {
    exp: f64,
    nbf: Option<f64>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517); an empty text is a set without keys.
    ///
    /// # Errors
    /// What is wrong with it, for the administrator who sets it: not a key set, a key of another kind than the three, a
    /// private or symmetric key, an RSA key below 2048 bits.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        refuse_secrets(text)?;
        let set: JwkSet =
            serde_json::from_str(text).map_err(|error| format!("not a JWK set: {error}"))?;
        set.keys
            .iter()
            .map(Key::new)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The keys that may have signed a token with this header.
    fn candidates<'a>(&'a self, header: &'a Header) -> impl Iterator<Item = &'a Key> {
        self.0.iter().filter(|key| {
            key.algorithm == header.alg
                && (header.kid.is_none() || key.id.is_none() || key.id == header.kid)
        })
    }
}

/// Members that only private (RSA, EC, Ed25519) and symmetric keys have.
fn refuse_secrets(text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let keys = value.get("keys").and_then(Value::as_array);
    let secret = keys.into_iter().flatten().any(|key| {
        ["d", "k", "p", "q"]
            .iter()
            .any(|member| key.get(member).is_some())
    });
    if secret {
        return Err("it contains a private or symmetric key; give public keys only".to_owned());
    }
    Ok(())
}

impl Key {
    fn new(jwk: &Jwk) -> Result<Self, String> {
        let id = jwk.common.key_id.clone();
        let name = id.as_deref().unwrap_or("without kid");
        if matches!(&jwk.common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature) {
            return Err(format!("key {name} is not for signatures"));
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            _ => {
                return Err(format!(
                    "key {name} is of another kind than Ed25519, P-256 and RSA"
                ));
            }
        };
        let declared = jwk
            .common
            .key_algorithm
            .map(|declared| declared.to_string());
        if declared.is_some_and(|declared| declared != format!("{algorithm:?}")) {
            return Err(format!(
                "key {name} is declared for another algorithm than {algorithm:?}"
            ));
        }
        let decoding =
            DecodingKey::from_jwk(jwk).map_err(|error| format!("key {name}: {error}"))?;
        if let DecodingKeyKind::RsaModulusExponent { n, .. } = decoding.kind()
            && n.len() < MIN_RSA_BYTES
        {
            return Err(format!("key {name} has fewer than 2048 bits"));
        }
        Ok(Self {
            id,
            algorithm,
            decoding,
        })
    }

    /// The claims, when this key has signed them. Times and audience are judged by [`verify`], with its own clock.
    fn payload(&self, token: &[u8]) -> Option<Value> {
        let mut signature_only = Validation::new(self.algorithm);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        decode(token, &self.decoding, &signature_only)
            .ok()
            .map(|token| token.claims)
    }
}

/// Verifies a token at a moment (seconds since 1970); `None` for every reason, so that nobody learns which.
pub(crate) fn verify(token: &[u8], keys: &[u8], audience: &[u8], now: f64) -> Option<Verified> {
    let verified = remembered(token, keys, audience).or_else(|| {
        let verified = check_signature(token, keys, audience)?;
        remember(token, keys, audience, &verified);
        Some(verified)
    })?;
    let is_valid =
        verified.not_before <= now + NOT_BEFORE_LEEWAY_SECONDS && now < verified.expires_at;
    is_valid.then_some(verified)
}

fn check_signature(token: &[u8], keys: &[u8], audience: &[u8]) -> Option<Verified> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let header = decode_header(token).ok()?;
    // RFC 7515, 4.1.11: what has to be understood and is not makes the token invalid.
    if header.crit.is_some() {
        return None;
    }
    let keys = KeySet::parse(std::str::from_utf8(keys).ok()?).ok()?;
    let payload = keys
        .candidates(&header)
        .find_map(|key| key.payload(token))?;
    let validity = Validity::deserialize(&payload).ok()?;
    if !validity.is_for(std::str::from_utf8(audience).ok()?) {
        return None;
    }
    Some(Verified {
        claims: Claims::from_json(payload)?,
        expires_at: validity.exp,
        not_before: validity.nbf.unwrap_or(f64::NEG_INFINITY),
    })
}

impl Validity {
    fn is_for(&self, audience: &str) -> bool {
        audience.is_empty()
            || match &self.aud {
                None => false,
                Some(Audience::One(one)) => one == audience,
                Some(Audience::Several(several)) => several.iter().any(|one| one == audience),
            }
    }
}

struct Memory {
    keys: Vec<u8>,
    audience: Vec<u8>,
    tokens: Vec<(Vec<u8>, Verified)>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = const {
        RefCell::new(Memory { keys: Vec::new(), audience: Vec::new(), tokens: Vec::new() })
    };
}

fn remembered(token: &[u8], keys: &[u8], audience: &[u8]) -> Option<Verified> {
    MEMORY.with_borrow(|memory| {
        if memory.keys != keys || memory.audience != audience {
            return None;
        }
        let found = memory.tokens.iter().find(|(known, _)| known == token);
        found.map(|(_, verified)| verified.clone())
    })
}

/// Remembers a token whose signature held under these keys; the oldest of too many is forgotten.
fn remember(token: &[u8], keys: &[u8], audience: &[u8], verified: &Verified) {
    MEMORY.with_borrow_mut(|memory| {
        if memory.keys != keys || memory.audience != audience {
            *memory = Memory {
                keys: keys.to_vec(),
                audience: audience.to_vec(),
                tokens: Vec::new(),
            };
        }
        if memory.tokens.len() >= REMEMBERED {
            memory.tokens.remove(0);
        }
        memory.tokens.push((token.to_vec(), verified.clone()));
    });
}
