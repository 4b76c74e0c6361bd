//! Checks Nexa licences offline against an embedded key.
#![no_std]
