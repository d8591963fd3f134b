use super::*;
use crate::error::Classify;
use crate::progress::Uninterruptible;

fn plan(method: &str, threshold: i32) -> Downsample {
    DownsampleOptions { method, threshold }.check().unwrap()
}

fn times(n: usize) -> Vec<i64> {
    (0..n as i64).collect()
}

#[test]
fn parameters_are_checked() {
    let refused = |method, threshold| {
        let options = DownsampleOptions { method, threshold };
        options.check().unwrap_err()
    };
    assert_eq!(
        refused("mean", 100).to_string(),
        "unknown downsampling method \"mean\""
    );
    assert_eq!(
        refused("mean", 100).hint().unwrap(),
        "The methods are lttb, min_max."
    );
    assert_eq!(
        refused("lttb", 2).to_string(),
        "threshold must be at least 3 for method lttb, not 2"
    );
    assert_eq!(
        refused("min_max", 3).to_string(),
        "threshold must be at least 4 for method min_max, not 3"
    );
    assert!(matches!(
        refused("lttb", i32::MIN),
        DownsampleError::Threshold { .. }
    ));
}

#[test]
fn points_are_checked() {
    let plan = plan("lttb", 3);
    let refused = |times: &[i64], values: &[f64]| {
        downsample(times, values, &plan, &mut Uninterruptible).unwrap_err()
    };
    assert_eq!(
        refused(&[1, 2], &[1.0]),
        DownsampleError::LengthMismatch {
            times: 2,
            values: 1
        }
    );
    assert_eq!(
        refused(&[1, 3, 2], &[1.0; 3]),
        DownsampleError::Unsorted { position: 3 }
    );
    assert_eq!(
        refused(&[1, 2], &[1.0, f64::NEG_INFINITY]),
        DownsampleError::Infinite { position: 2 }
    );
}

/// Six points, four kept: the buckets are {1, 2} and {3, 4}.
///
/// With A = (0, 0) and the mean of the second bucket C = (3.5, 2): point 1 = (1, 1) spans |−3.5·1 + 1·2| = 1.5, point 2 =
/// (2, 5) spans |−3.5·5 + 2·2| = 13.5. With A = (2, 5) and C = (5, 0): point 3 = (3, 0) spans |−3·(−5) + 1·(−5)| = 10,
/// point 4 = (4, 4) spans |−3·(−1) + 2·(−5)| = 7.
#[test]
fn an_example_by_hand() {
    let values = [0.0, 1.0, 5.0, 0.0, 4.0, 0.0];
    let kept = downsample(&times(6), &values, &plan("lttb", 4), &mut Uninterruptible);
    assert_eq!(kept, Ok(vec![0, 2, 3, 5]));
    let kept = downsample(
        &times(6),
        &values,
        &plan("min_max", 4),
        &mut Uninterruptible,
    );
    assert_eq!(kept, Ok(vec![0, 2, 3, 5]));
    let kept = downsample(
        &times(6),
        &values,
        &plan("min_max", 6),
        &mut Uninterruptible,
    );
    assert_eq!(kept, Ok(vec![0, 1, 2, 3, 4, 5]));
}

#[test]
fn few_points_are_all_kept() {
    for n in 0..=4 {
        let values = vec![1.0; n];
        for method in ["lttb", "min_max"] {
            let kept = downsample(&times(n), &values, &plan(method, 4), &mut Uninterruptible);
            assert_eq!(kept, Ok((0..n).collect()));
        }
    }
    assert_eq!(
        downsample(
            &times(3),
            &[f64::NAN; 3],
            &plan("lttb", 3),
            &mut Uninterruptible
        ),
        Ok(vec![])
    );
}

#[test]
fn a_constant_gives_the_first_of_each_bucket() {
    let kept = downsample(&times(8), &[2.0; 8], &plan("lttb", 5), &mut Uninterruptible);
    assert_eq!(kept, Ok(vec![0, 1, 3, 5, 7]));
    let kept = downsample(
        &times(8),
        &[2.0; 8],
        &plan("min_max", 8),
        &mut Uninterruptible,
    );
    assert_eq!(kept, Ok((0..8).collect()));
    let kept = downsample(
        &[7; 8],
        &[2.0; 8],
        &plan("min_max", 4),
        &mut Uninterruptible,
    );
    assert_eq!(kept, Ok(vec![0, 1, 7]));
}

#[test]
fn the_largest_numbers_do_not_disturb_the_count() {
    let times: Vec<i64> = vec![i64::MIN, i64::MIN, -1, 0, 0, 1, i64::MAX, i64::MAX];
    let values = [
        f64::MAX,
        f64::MIN,
        0.0,
        f64::MAX,
        f64::MIN,
        1.0,
        f64::MAX,
        0.0,
    ];
    let kept = downsample(&times, &values, &plan("lttb", 5), &mut Uninterruptible).unwrap();
    assert_eq!(kept.len(), 5);
}
