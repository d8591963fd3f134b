//! Mergeable summaries, intervals and tests of significance.
