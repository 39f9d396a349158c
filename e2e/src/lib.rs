//! What the end-to-end tests share: the routes as their clients see them.

pub mod cases;
pub mod doors;
pub mod edge;
pub mod load;
pub mod records;
pub mod wire;
