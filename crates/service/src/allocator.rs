//! The allocator of the routes: the same for all, so that no route has a faster one than another. The routes make many small
//! short-lived allocations, and mimalloc is fast for them. The other programs use the allocator of the system, which returns
//! memory sooner: at full speed, the consumer takes half as much.

/// The allocator of the routes. Each of their binaries installs it.
pub type RouteAllocator = mimalloc::MiMalloc;

/// The value of [`RouteAllocator`].
pub const ROUTE_ALLOCATOR: RouteAllocator = mimalloc::MiMalloc;

/// The allocator's name, for the effective configuration.
pub(crate) const NAME: &str = "mimalloc";
