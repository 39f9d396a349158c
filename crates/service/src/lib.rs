//! Process plumbing shared by every binary: boot, logging, metrics, admin port, listener, drain.
