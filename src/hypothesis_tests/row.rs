//! The row that every test returns: declared once, because pgrx reads columns from signatures.

use sop_analytics::hypothesis_tests::Outcome;
use sop_analytics::statistics::Interval;

/// The common columns, in their order.
pub(super) type Common = (
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<&'static str>,
    Option<i64>,
);

/// The common columns of an answer, or NULLs for none.
pub(super) fn common(outcome: Option<&Outcome>) -> Common {
    let Some(outcome) = outcome else {
        return Default::default();
    };
    let interval = outcome.effect.and_then(|effect| effect.interval);
    (
        Some(outcome.statistic),
        outcome.df,
        Some(outcome.p_value),
        outcome.effect.map(|effect| effect.size),
        interval.map(|interval| interval.lower),
        interval.map(|interval| interval.upper),
        Some(outcome.method),
        Some(i64::try_from(outcome.n).unwrap_or(i64::MAX)),
    )
}

/// A difference with its interval, as the further columns of the tests that have one.
pub(super) fn difference(difference: f64, interval: Interval) -> [Option<f64>; 3] {
    [Some(difference), Some(interval.lower), Some(interval.upper)]
}

/// A function that answers with one row: the common columns, then its own (all `float8`).
///
/// The body gives `PgResult<Option<(Outcome, [Option<f64>; …])>>`.
macro_rules! test_function {
    (
        $(#[$attribute:meta])*
        fn $name:ident($($arguments:tt)*) -> [$($own:ident),*] $body:block
    ) => {
        $(#[$attribute])*
        #[allow(
            clippy::too_many_arguments,
            reason = "SQL callers name them, and most have a default"
        )]
        fn $name($($arguments)*) -> Result<
            TableIterator<
                'static,
                (
                    name!(statistic, Option<f64>),
                    name!(df, Option<f64>),
                    name!(p_value, Option<f64>),
                    name!(effect_size, Option<f64>),
                    name!(effect_lower, Option<f64>),
                    name!(effect_upper, Option<f64>),
                    name!(method, Option<&'static str>),
                    name!(n, Option<i64>),
                    $(name!($own, Option<f64>),)*
                ),
            >,
            ::pgrx::pg_sys::panic::ErrorReport,
        > {
            let answer = || -> $crate::error::PgResult<
                Option<(sop_analytics::hypothesis_tests::Outcome, [Option<f64>; _])>,
            > { $body };
            let found = answer()?;
            let (statistic, df, p_value, effect_size, effect_lower, effect_upper, method, n) =
                $crate::hypothesis_tests::row::common(found.as_ref().map(|(outcome, _)| outcome));
            let [$($own),*] = found.map(|(_, own)| own).unwrap_or_default();
            Ok(TableIterator::once((
                statistic, df, p_value, effect_size, effect_lower, effect_upper, method, n, $($own,)*
            )))
        }
    };
}
