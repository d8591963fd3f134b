//! The two mergeable states: adding values and merging states.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make public functions; a bench may fail loudly"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_analytics::codec::Codec;
use sop_analytics::hypothesis_tests::{Alternative, ks_two_sample};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::{PercentileSketch, StatsSummary};

/// Durations of a step: positive, skewed, three orders of magnitude.
fn durations(n: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..n)
        .map(|_| 60.0 * (2.0 * rng.random::<f64>() + rng.random::<f64>() - 1.5).exp())
        .collect()
}

fn push(criterion: &mut Criterion) {
    let values = durations(100_000);
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function("stats_summary", |bencher| {
        bencher.iter(|| StatsSummary::from_values(black_box(&values).iter().copied()).unwrap());
    });
    group.bench_function("percentile_sketch", |bencher| {
        bencher.iter(|| PercentileSketch::from_values(black_box(&values).iter().copied()).unwrap());
    });
    group.bench_function("sort", |bencher| {
        bencher.iter_batched(
            || values.clone(),
            |mut values| {
                values.sort_unstable_by(f64::total_cmp);
                values
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn merge(criterion: &mut Criterion) {
    let values = durations(100_000);
    let summaries: Vec<_> = values
        .chunks(1000)
        .map(|chunk| StatsSummary::from_values(chunk.iter().copied()).unwrap())
        .collect();
    let sketches: Vec<_> = values
        .chunks(1000)
        .map(|chunk| PercentileSketch::from_values(chunk.iter().copied()).unwrap())
        .collect();
    let stored: Vec<_> = sketches.iter().map(Codec::encode).collect();
    let mut group = criterion.benchmark_group("merge 100 states");
    group.bench_function("stats_summary", |bencher| {
        bencher.iter(|| {
            let mut whole = StatsSummary::default();
            for summary in black_box(&summaries) {
                whole.merge(summary).unwrap();
            }
            whole
        });
    });
    group.bench_function("percentile_sketch", |bencher| {
        bencher.iter(|| {
            let mut whole = PercentileSketch::default();
            for sketch in black_box(&sketches) {
                whole.merge(sketch).unwrap();
            }
            whole
        });
    });
    group.bench_function("percentile_sketch, stored", |bencher| {
        bencher.iter(|| {
            let mut whole = PercentileSketch::default();
            for bytes in black_box(&stored) {
                whole
                    .merge(&PercentileSketch::decode(bytes).unwrap())
                    .unwrap();
            }
            whole
        });
    });
    group.finish();
}

fn kolmogorov_smirnov(criterion: &mut Criterion) {
    let values = durations(4000);
    let (first, second) = values.split_at(1990);
    criterion.bench_function("exact KS, 1990 and 2010 values", |bencher| {
        bencher.iter(|| {
            ks_two_sample(
                black_box(first),
                second,
                Alternative::TwoSided,
                &mut Uninterruptible,
            )
            .unwrap()
        });
    });
}

criterion_group!(benches, push, merge, kolmogorov_smirnov);
criterion_main!(benches);
