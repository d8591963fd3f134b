//! Feature values per window from histories of events.
