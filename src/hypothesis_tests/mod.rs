//! Tests of significance. Each returns exactly one row that begins with the same columns, of NULLs where there is no answer,
//! so that a group without one does not vanish from a SELECT list.

#[macro_use]
mod row;

mod contingency;
mod distributions;
mod multiple_testing;
mod proportions;
mod ranks;
mod resampling;
mod t_tests;
mod variance;
