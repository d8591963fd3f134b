//! How many distinct values, from any number of values, in bounded memory.
//!
//! HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, 2007) over 64-bit hashes with the sparse form of HyperLogLog++
//! (Heule, Nunkesser and Hall, 2013): few values are kept as 32-bit tokens, which count almost exactly, many in `2^p`
//! registers. Counts come from Ertl's improved raw estimator ("New cardinality estimation algorithms for HyperLogLog
//! sketches", 2017, algorithm 6), which needs neither tables of empirical bias nor a switch between two formulas.
//!
//! A token is the register index and value at [`TOKEN_BITS`] index bits, from which those at any smaller precision follow.
//! The form depends on the number of tokens alone, hence a sketch on the set of hashes alone: any split, any order and any
//! merge tree end in the same sketch, byte for byte.

use super::collector::Collected;
use super::hash::{xxh64, xxh64_of_integer};
use super::sketch_error::SketchError;
use tokens::Tokens;

mod codec;
mod estimate;
mod tokens;

/// The number of index bits of a sketch that was not told another: a standard error of 0.81 %.
pub const DEFAULT_PRECISION_BITS: u8 = 14;

pub(super) const SMALLEST_PRECISION: u8 = 4;
pub(super) const LARGEST_PRECISION: u8 = 18;

/// Index bits of a token; the other 6 of its 32 bits hold the rank.
pub(super) const TOKEN_BITS: u32 = 26;

/// The largest rank of a token: all of the `64 - TOKEN_BITS` bits behind the index are zero.
pub(super) const LARGEST_TOKEN_RANK: u32 = 64 - TOKEN_BITS + 1;

/// A mergeable sketch of a set.
#[derive(Debug, Clone)]
pub struct DistinctSketch {
    precision: u8,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Sparse(Tokens),
    /// One register a byte; six bits are used.
    Dense(Box<[u8]>),
}

/// Equal sets at equal precision are equal.
impl PartialEq for DistinctSketch {
    fn eq(&self, other: &Self) -> bool {
        use crate::codec::Codec;
        self.encode() == other.encode()
    }
}

impl Eq for DistinctSketch {}

impl Default for DistinctSketch {
    fn default() -> Self {
        Self::empty(DEFAULT_PRECISION_BITS)
    }
}

/// So many tokens at most, where they take as many bytes as the registers would; never more than 48 KB.
const fn most_tokens(precision: u8) -> usize {
    let equal_size = (1_usize << precision) * 6 / 8 / size_of::<u32>();
    if equal_size < 12_288 {
        equal_size
    } else {
        12_288
    }
}

impl DistinctSketch {
    const fn empty(precision: u8) -> Self {
        Self {
            precision,
            form: Form::Sparse(Tokens::new()),
        }
    }

    /// An empty sketch with `2^precision_bits` registers and a standard error of `1.04 / sqrt(2^precision_bits)`.
    ///
    /// # Errors
    /// [`SketchError::PrecisionBits`] unless `4 <= precision_bits <= 18`.
    pub fn with_precision(precision_bits: i32) -> Result<Self, SketchError> {
        match u8::try_from(precision_bits) {
            Ok(precision @ SMALLEST_PRECISION..=LARGEST_PRECISION) => Ok(Self::empty(precision)),
            _ => Err(SketchError::PrecisionBits(precision_bits)),
        }
    }

    /// The number of index bits; only sketches that share it can be merged.
    #[must_use]
    pub const fn precision_bits(&self) -> u8 {
        self.precision
    }

    /// Adds the bytes of a text or a uuid.
    #[inline]
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.add_hash(xxh64(bytes));
    }

    /// Adds an integer: its eight bytes, little-endian.
    #[inline]
    pub fn add_integer(&mut self, value: i64) {
        self.add_hash(xxh64_of_integer(value));
    }

    /// Adds a 64-bit hash with evenly distributed bits.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) {
        if let Form::Dense(registers) = &mut self.form {
            let precision = u32::from(self.precision);
            let index = (hash >> (64 - precision)) as usize;
            // The bit behind the last one of the hash ends a run of zeros.
            let rest = (hash << precision) | (1 << (precision - 1));
            raise(registers, index, rest.leading_zeros() as u8 + 1);
        } else {
            let index = (hash >> (64 - TOKEN_BITS)) as u32;
            let rest = (hash << TOKEN_BITS) | (1 << (TOKEN_BITS - 1));
            self.add_token((index << 6) | (rest.leading_zeros() + 1));
        }
    }

    fn add_token(&mut self, token: u32) {
        match &mut self.form {
            Form::Dense(registers) => {
                let (index, rank) = register_of(token, self.precision);
                raise(registers, index, rank);
            }
            Form::Sparse(tokens) => {
                tokens.insert(token);
                if tokens.len() > most_tokens(self.precision) {
                    self.registers();
                }
            }
        }
    }

    /// The registers of this sketch, which takes on the dense form.
    fn registers(&mut self) -> &mut [u8] {
        if let Form::Sparse(tokens) = &self.form {
            let mut registers = vec![0; 1 << self.precision].into_boxed_slice();
            for token in tokens.iter() {
                let (index, rank) = register_of(token, self.precision);
                raise(&mut registers, index, rank);
            }
            self.form = Form::Dense(registers);
        }
        match &mut self.form {
            Form::Dense(registers) => registers,
            Form::Sparse(_) => &mut [],
        }
    }

    /// Adds all values of another sketch.
    ///
    /// # Errors
    /// [`SketchError::PrecisionMismatch`] when the sketches were made with different precisions.
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        self.check_precision(other.precision)?;
        match &other.form {
            Form::Sparse(tokens) => tokens.iter().for_each(|token| self.add_token(token)),
            Form::Dense(theirs) => {
                for (mine, &theirs) in self.registers().iter_mut().zip(theirs) {
                    *mine = theirs.max(*mine);
                }
            }
        }
        Ok(())
    }

    fn check_precision(&self, other: u8) -> Result<(), SketchError> {
        if self.precision == other {
            Ok(())
        } else {
            Err(SketchError::PrecisionMismatch {
                left: self.precision,
                right: other,
            })
        }
    }

    /// The estimated number of distinct values; 0 of nothing.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        match &self.form {
            Form::Sparse(tokens) => estimate::linear_count(tokens.len()),
            Form::Dense(registers) => estimate::of_registers(registers, self.precision),
        }
    }

    /// [`DistinctSketch::estimate`], rounded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.estimate().round() as u64
    }

    /// The relative standard error of [`DistinctSketch::estimate`] in the present form: two of three estimates are nearer
    /// to the truth than this, 95 % nearer than twice this.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        match &self.form {
            Form::Sparse(_) => estimate::linear_count_error(),
            Form::Dense(registers) => 1.04 / (registers.len() as f64).sqrt(),
        }
    }
}

/// The register and its value that a token stands for at a smaller precision.
const fn register_of(token: u32, precision: u8) -> (usize, u8) {
    let left_over = TOKEN_BITS - precision as u32;
    let index = token >> 6 >> left_over;
    // The index bits that the smaller precision does not use come first among those whose zeros are counted.
    let rest = (token >> 6) << (32 - left_over);
    let rank = if rest == 0 {
        left_over + (token & 63)
    } else {
        rest.leading_zeros() + 1
    };
    (index as usize, rank as u8)
}

#[inline]
fn raise(registers: &mut [u8], index: usize, rank: u8) {
    if let Some(register) = registers.get_mut(index)
        && *register < rank
    {
        *register = rank;
    }
}

impl Collected for DistinctSketch {
    /// A hash.
    type Value = u64;
    type Parameter = u8;
    type Error = SketchError;

    fn empty_with(precision_bits: u8) -> Self {
        Self::empty(precision_bits)
    }

    fn parameter(&self) -> u8 {
        self.precision
    }

    fn add_all(&mut self, hashes: &[u64]) -> Result<(), SketchError> {
        hashes.iter().for_each(|&hash| self.add_hash(hash));
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        self.merge(other)
    }

    fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), SketchError> {
        self.merge_encoded(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_give_the_registers_of_their_hashes() {
        let mut hashes: Vec<u64> = (0..100_000).map(xxh64_of_integer).collect();
        hashes.extend((0..64).flat_map(|bit| [1 << bit, u64::MAX >> bit, !0 << bit]));
        hashes.push(0);
        for precision in [4, 5, 11, 14, 17, 18] {
            let mut direct = DistinctSketch::empty(precision);
            direct.registers();
            let mut by_token = direct.clone();
            for &hash in &hashes {
                direct.add_hash(hash);
                let mut single = DistinctSketch::empty(precision);
                single.add_hash(hash);
                by_token.merge(&single).unwrap();
            }
            assert!(direct == by_token, "precision {precision}");
        }
    }

    #[test]
    fn estimates_are_good_over_all_sizes() {
        let mut sketch = DistinctSketch::default();
        let mut fine = DistinctSketch::with_precision(18).unwrap();
        let mut worst: f64 = 0.0;
        let mut next = 1_i64;
        for value in 1..=10_000_000_i64 {
            sketch.add_integer(value);
            fine.add_integer(value);
            if value == next || value == 10_000_000 {
                next = next + next / 20 + 1;
                let error = |sketch: &DistinctSketch| sketch.estimate() / value as f64 - 1.0;
                worst = worst.max(error(&sketch).abs());
                assert!(error(&sketch).abs() < 0.02, "{value}: {}", error(&sketch));
                assert!(error(&fine).abs() < 0.006, "{value}: {}", error(&fine));
                if value <= 1000 {
                    assert_eq!(sketch.count(), value as u64);
                }
            }
        }
        assert!(worst > 0.002, "suspiciously good: {worst}");
    }

    #[test]
    fn the_error_is_that_of_the_form() {
        let mut sketch = DistinctSketch::default();
        assert_eq!(sketch.count(), 0);
        assert!(sketch.relative_error() < 1e-4);
        (0..3072).for_each(|value| sketch.add_integer(value));
        assert!(matches!(sketch.form, Form::Sparse(_)));
        sketch.add_integer(-1);
        assert!(matches!(sketch.form, Form::Dense(_)));
        assert_eq!(sketch.relative_error(), 1.04 / 128.0);
    }

    #[test]
    fn the_standard_error_is_as_promised() {
        // 200 independent sketches of 20,000 values each at 10 bits.
        let mut squares = 0.0;
        for round in 0..200_i64 {
            let mut sketch = DistinctSketch::with_precision(10).unwrap();
            for value in 0..20_000 {
                sketch.add_integer(value + (round << 32));
            }
            squares += (sketch.estimate() / 20_000.0 - 1.0).powi(2);
        }
        let found = (squares / 200.0_f64).sqrt();
        let promised = 1.04 / 32.0;
        assert!(found < promised * 1.15 && found > promised * 0.8, "{found}");
    }

    #[test]
    fn precision_is_checked() {
        for bad in [i32::MIN, -1, 0, 3, 19, 260, i32::MAX] {
            assert_eq!(
                DistinctSketch::with_precision(bad),
                Err(SketchError::PrecisionBits(bad))
            );
        }
        let mut fine = DistinctSketch::with_precision(18).unwrap();
        assert_eq!(
            fine.merge(&DistinctSketch::default()),
            Err(SketchError::PrecisionMismatch {
                left: 18,
                right: 14
            })
        );
    }
}
