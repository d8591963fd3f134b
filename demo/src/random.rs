//! Random numbers from a seed and a purpose, so that a change in one part of the demo leaves the others as they were.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream of one purpose under one seed.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(purpose)
            .finalize();
        Self(ChaCha8Rng::from_seed(digest.into()))
    }

    /// Uniform on [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 random bits fill the mantissa of a double exactly.
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform on [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Normally distributed (Box and Muller).
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        mean + deviation * radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A factor with median 1 whose logarithm has the given deviation.
    pub(crate) fn factor(&mut self, deviation: f64) -> f64 {
        self.normal(0.0, deviation).exp()
    }

    /// A count with the given mean: Poisson for small means, its normal approximation for large ones.
    pub(crate) fn count(&mut self, mean: f64) -> u32 {
        if mean > 50.0 {
            return self.normal(mean, mean.sqrt()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut events) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            events += 1;
        }
        events
    }

    /// The index of one of the weights, drawn in proportion to them.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return index;
            }
        }
        weights.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn one_seed_and_purpose_give_one_stream() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..8).map(|_| random.unit()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn moments_are_those_asked_for() {
        let mut random = Random::new(7, "moments");
        let n = 20_000;
        let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len() as f64;
        let normal: Vec<f64> = (0..n).map(|_| random.normal(5.0, 2.0)).collect();
        let centre = mean(&normal);
        let variance = mean(
            &normal
                .iter()
                .map(|x| (x - centre).powi(2))
                .collect::<Vec<_>>(),
        );
        assert!(
            (centre - 5.0).abs() < 0.06 && (variance - 4.0).abs() < 0.2,
            "{centre} {variance}"
        );
        for rate in [0.7, 12.0, 80.0] {
            let counts: Vec<f64> = (0..n).map(|_| f64::from(random.count(rate))).collect();
            assert!((mean(&counts) / rate - 1.0).abs() < 0.04, "{rate}");
        }
        let picked = (0..n).filter(|_| random.weighted(&[1.0, 3.0]) == 1).count() as f64;
        assert!((picked / f64::from(n) - 0.75).abs() < 0.02);
        assert_eq!(random.below(0), 0);
    }
}
