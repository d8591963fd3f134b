//! Monotone trends and robust slopes.
