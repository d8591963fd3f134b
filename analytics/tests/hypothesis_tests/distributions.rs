//! Whole distributions: Kolmogorov-Smirnov and Anderson-Darling.

use sop_analytics::hypothesis_tests::distributions::Family;
use sop_analytics::hypothesis_tests::{self as tests, Alternative, KsMethod};
use sop_analytics::progress::Uninterruptible;

use super::{TOLERANCE, alternative, cases, check, close, number, numbers, older_cases};

#[test]
fn kolmogorov_smirnov_of_two_samples() {
    let progress = &mut Uninterruptible;
    for (index, case) in older_cases("kolmogorov_smirnov").iter().enumerate() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let found = tests::ks_two_sample(&first, &second, Alternative::TwoSided, progress)
            .unwrap()
            .unwrap();
        assert_eq!(found.method, KsMethod::Exact);
        close(
            "statistic",
            found.statistic,
            number(&case["statistic"]),
            TOLERANCE,
        );
        close(
            &format!("case {index}"),
            found.p_value,
            number(&case["exact"]),
            TOLERANCE,
        );
    }
    for (index, case) in cases("ks_two").iter().enumerate() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let alternative = alternative(case);
        for (method, key) in [
            (KsMethod::Exact, "exact"),
            (KsMethod::Asymptotic, "asymptotic"),
        ] {
            let found = tests::ks_two_sample_by(&first, &second, alternative, method, progress)
                .unwrap()
                .unwrap();
            close(
                "statistic",
                found.statistic,
                number(&case["statistic"]),
                TOLERANCE,
            );
            let what = format!("case {index} {key}");
            close(&what, found.p_value, number(&case[key]), TOLERANCE);
        }
    }
    let many: Vec<f64> = (0..10_001).map(f64::from).collect();
    let large = tests::ks_two_sample(&many, &many[..50], Alternative::TwoSided, progress);
    assert_eq!(large.unwrap().unwrap().method, KsMethod::Asymptotic);
}

/// A sample whose distance from the uniform distribution is `d`, on the upper side alone or on both.
fn shifted(n: usize, d: f64) -> Vec<f64> {
    // F_n jumps to (i + 1) / n at the values: moved down by d from there, and nothing below 0.
    (0..n)
        .map(|i| ((i + 1) as f64 / n as f64 - d).max(0.0))
        .collect()
}

#[test]
fn kolmogorov_smirnov_of_one_sample() {
    let progress = &mut Uninterruptible;
    for (index, case) in cases("ks_one").iter().enumerate() {
        let family = Family::named(case["family"].as_str().unwrap()).unwrap();
        let distribution = family.with(Some(&numbers(&case["parameters"]))).unwrap();
        let sample = numbers(&case["sample"]);
        let found = tests::ks_one_sample(&sample, &distribution, alternative(case), progress)
            .unwrap()
            .unwrap();
        let what = format!("case {index}");
        close(
            &what,
            found.statistic,
            number(&case["statistic"]),
            TOLERANCE,
        );
        // scipy leaves out the second side beyond n d² = 2.2 for more than 140 values, 4 below: 4 · 10⁻¹¹.
        close(&what, found.p_value, number(&case["p_value"]), TOLERANCE);
    }
    let uniform = Family::Uniform.with(None).unwrap();
    for (name, alternative) in [
        ("kolmogorov_tails", Alternative::TwoSided),
        ("one_sided_tails", Alternative::Greater),
    ] {
        for case in cases(name) {
            let n = usize::try_from(case["n"].as_u64().unwrap()).unwrap();
            let sample = shifted(n, number(&case["d"]));
            let found = tests::ks_one_sample(&sample, &uniform, alternative, progress)
                .unwrap()
                .unwrap();
            let what = format!("{name} n = {n} d = {}", case["d"]);
            close(&what, found.statistic, number(&case["d"]), 1e-12);
            close(&what, found.p_value, number(&case["p_value"]), TOLERANCE);
        }
    }
}

#[test]
fn anderson_darling() {
    for (index, case) in cases("anderson").iter().enumerate() {
        let family = Family::named(case["family"].as_str().unwrap()).unwrap();
        let parameters = (!case["parameters"].is_null()).then(|| numbers(&case["parameters"]));
        let sample = numbers(&case["sample"]);
        let found = tests::anderson_darling_test(
            &sample,
            family,
            parameters.as_deref(),
            &mut Uninterruptible,
        )
        .unwrap()
        .unwrap();
        // The sum cancels against n; a sample on an offset of 10⁶ has ten digits in its deviations.
        let tolerance = if sample[0].abs() > 1e5 {
            1e-7
        } else {
            TOLERANCE
        };
        check(&format!("case {index}"), case, &found, tolerance, tolerance);
    }
    // The limit itself: a sample of ten million would have it; the correction for n is then below 10⁻⁹ of it.
    for case in cases("anderson_limits") {
        let x = number(&case["x"]);
        let found = tests::anderson_darling::limit_upper(x);
        // Imhof's integral was cut off at 512 and has absolute accuracy.
        assert!(
            (found - number(&case["p_value"])).abs() < 1e-9,
            "{x}: {found}"
        );
    }
}

#[test]
fn normal_tails_and_their_inverse() {
    use sop_analytics::statistics::special::{normal_upper, normal_upper_quantile};
    for case in cases("normal_tails") {
        let (z, p) = (number(&case["z"]), number(&case["p_value"]));
        close(&format!("tail of {z}"), normal_upper(z), p, 1e-12);
        // Where the tail is nearly everything, it no longer tells z.
        if z > -1.5 {
            let back = normal_upper_quantile(p);
            assert!((back - z).abs() <= 1e-13 + 1e-12 * z.abs(), "{z}: {back}");
        }
    }
}
