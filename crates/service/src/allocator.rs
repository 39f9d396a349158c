//! One allocator for all binaries, so that no route has a faster allocator than another. The routes make many small
//! short-lived allocations.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator's name, for the effective configuration.
pub(crate) const NAME: &str = "mimalloc";
