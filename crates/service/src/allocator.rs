//! One allocator for all binaries: the routes make many small short-lived allocations, and a different allocator must not
//! be a difference between them.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator's name, for the effective configuration.
pub(crate) const NAME: &str = "mimalloc";
