//! What callers do wrong.
