//! Tests of significance. Each returns exactly one row of the same columns, of NULLs where there is no answer, so that a
//! group without one does not vanish from a SELECT list.

mod multiple_testing;
