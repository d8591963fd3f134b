//! What kind of failure an error is, so that the caller can choose how to report it.

/// The classes of failure that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A parameter has a value outside its documented domain.
    InvalidParameter,
    /// A result or an intermediate value does not fit its type.
    OutOfRange,
    /// Text input of a type cannot be parsed.
    InvalidText,
    /// Stored or received bytes are not a valid encoding.
    InvalidBinary,
    /// The input is larger than the configured memory bound.
    LimitExceeded,
    /// The caller asked to stop through [`crate::progress::Progress`].
    Interrupted,
}

/// Errors of this crate say what kind they are and, where there is one, how to mend the call.
pub trait Classify: std::error::Error {
    /// The class of this failure.
    fn kind(&self) -> ErrorKind;

    /// What the caller can do about it, in one sentence.
    fn hint(&self) -> Option<String> {
        None
    }
}
