//! Training data: labels, weights, negatives, splits and content hashes.
