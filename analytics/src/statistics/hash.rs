//! The hash behind sketches of distinct and of frequent values: XXH64 with seed 0.
//!
//! Stored sketches can be merged with later ones only as long as a value keeps its hash, so the function is fixed forever.
//! XXH64 (Collet, <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>) has a published specification and
//! implementations in every language; clients can thus make the same hashes.

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

const fn round(accumulator: u64, lane: u64) -> u64 {
    accumulator
        .wrapping_add(lane.wrapping_mul(PRIME_2))
        .rotate_left(31)
        .wrapping_mul(PRIME_1)
}

const fn merge_round(hash: u64, accumulator: u64) -> u64 {
    (hash ^ round(0, accumulator))
        .wrapping_mul(PRIME_1)
        .wrapping_add(PRIME_4)
}

const fn with_word(hash: u64, word: u64) -> u64 {
    (hash ^ round(0, word))
        .rotate_left(27)
        .wrapping_mul(PRIME_1)
        .wrapping_add(PRIME_4)
}

const fn avalanche(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

/// XXH64 of some bytes with seed 0.
#[inline]
#[must_use]
pub fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        PRIME_5
    } else {
        long(stripes)
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        hash = with_word(hash, u64::from_le_bytes(*word));
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        let half = u64::from(u32::from_le_bytes(*half));
        hash = (hash ^ half.wrapping_mul(PRIME_1))
            .rotate_left(23)
            .wrapping_mul(PRIME_2)
            .wrapping_add(PRIME_3);
    }
    for &byte in rest {
        hash = (hash ^ u64::from(byte).wrapping_mul(PRIME_5))
            .rotate_left(11)
            .wrapping_mul(PRIME_1);
    }
    avalanche(hash)
}

/// The four accumulators that run over inputs of 32 bytes and more.
fn long(stripes: &[[u8; 32]]) -> u64 {
    let mut accumulators = [
        PRIME_1.wrapping_add(PRIME_2),
        PRIME_2,
        0,
        0_u64.wrapping_sub(PRIME_1),
    ];
    for stripe in stripes {
        let (lanes, _) = stripe.as_chunks::<8>();
        for (accumulator, lane) in accumulators.iter_mut().zip(lanes) {
            *accumulator = round(*accumulator, u64::from_le_bytes(*lane));
        }
    }
    let [first, second, third, fourth] = accumulators;
    let hash = first
        .rotate_left(1)
        .wrapping_add(second.rotate_left(7))
        .wrapping_add(third.rotate_left(12))
        .wrapping_add(fourth.rotate_left(18));
    accumulators.into_iter().fold(hash, merge_round)
}

/// XXH64 of the eight bytes of an integer, little-endian: what [`xxh64`] gives for them, without the loops.
#[inline]
#[must_use]
pub const fn xxh64_of_integer(value: i64) -> u64 {
    avalanche(with_word(PRIME_5.wrapping_add(8), value.cast_unsigned()))
}

/// [`xxh64`] as the hasher of a map from texts.
#[derive(Debug, Default)]
pub(super) struct TextHasher(u64);

impl std::hash::Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ xxh64(bytes);
    }

    // The byte that ends a str.
    fn write_u8(&mut self, _end: u8) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        // Computed with the reference implementation through python-xxhash 4.1.0.
        for (text, hash) in VECTORS {
            assert_eq!(xxh64(text.as_bytes()), *hash, "{text}");
        }
    }

    #[test]
    fn integers_are_their_bytes() {
        for value in [0, 1, -1, i64::MIN, i64::MAX, 0x0123_4567_89AB_CDEF] {
            assert_eq!(xxh64_of_integer(value), xxh64(&value.to_le_bytes()));
        }
    }

    const VECTORS: &[(&str, u64)] = &[
        ("", 0xEF46_DB37_51D8_E999),
        ("a", 0xD24E_C4F1_A98C_6E5B),
        ("abc", 0x44BC_2CF5_AD77_0999),
        ("grill", 0x1BE4_CF7C_D786_807D),
        (
            "the quick brown fox jumps over the lazy dog",
            0xED71_4233_C5A9_A792,
        ),
        ("0123456789abcdef0123456789abcdef", 0x642A_9495_8E71_E6C5),
        (
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX",
            0x27ED_8202_933E_5BEF,
        ),
        ("Jalapeño-Käse 🌶", 0xEA37_20C4_AC98_8205),
    ];
}
