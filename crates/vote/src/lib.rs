//! The domain: a vote, its rules, its event; no async, no I/O.
