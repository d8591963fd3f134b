//! Permutation, bootstrap, and many p-values.

use sop_analytics::hypothesis_tests::{self as tests, Adjustment, PermutationPlan, Statistic};
use sop_analytics::progress::Uninterruptible;

use super::{TOLERANCE, alternative, cases, close, number, numbers};

#[test]
fn permutations() {
    for (index, case) in cases("permutation").iter().enumerate() {
        let plan = PermutationPlan {
            statistic: Statistic::named(case["statistic"].as_str().unwrap(), 0.1).unwrap(),
            alternative: alternative(case),
            permutations: 9999,
            level: 0.95,
            seed: 0,
        };
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let found = tests::permutation_test(&first, &second, plan, &mut Uninterruptible)
            .unwrap()
            .unwrap();
        let what = format!("case {index}");
        assert_eq!(found.outcome.method, "exact");
        close(
            &what,
            found.outcome.p_value,
            number(&case["p_value"]),
            TOLERANCE,
        );
        let difference = number(&case["difference"]);
        assert!((found.difference - difference).abs() < 1e-12, "{what}");
    }
}

#[test]
fn bias_corrected_intervals() {
    for (index, case) in cases("bca").iter().enumerate() {
        let statistic = Statistic::named(case["statistic"].as_str().unwrap(), 0.1).unwrap();
        let found = tests::bootstrap::bca_of_replicates(
            &numbers(&case["sample"]),
            statistic,
            &numbers(&case["replicates"]),
            number(&case["level"]),
            &mut Uninterruptible,
        )
        .unwrap()
        .unwrap();
        close(
            &format!("case {index} lower"),
            found.lower,
            number(&case["lower"]),
            TOLERANCE,
        );
        close(
            &format!("case {index} upper"),
            found.upper,
            number(&case["upper"]),
            TOLERANCE,
        );
    }
}

#[test]
fn adjusted_p_values() {
    for (index, case) in cases("adjustments").iter().enumerate() {
        let method = Adjustment::named(case["method"].as_str().unwrap()).unwrap();
        let p: Vec<Option<f64>> = numbers(&case["p"]).into_iter().map(Some).collect();
        let found = tests::adjust_p_values(&p, method, &mut Uninterruptible).unwrap();
        for (found, expected) in found.iter().zip(numbers(&case["adjusted"])) {
            let what = format!("case {index} {}", method.name());
            close(&what, found.unwrap(), expected, TOLERANCE);
        }
    }
}
