//! Programs to start from: each file beside this one is a cargo example.
