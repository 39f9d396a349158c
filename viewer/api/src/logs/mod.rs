//! The log of votes in MongoDB. Only this module queries it; `follow` opens its change streams.

mod band_filter;
mod cursor;
mod export;
mod filter;
mod key_range;
mod page;
mod search;
mod store;
mod time_parameter;
mod vote;

pub(crate) use band_filter::BandFilter;
pub(crate) use export::{ExportSlots, export};
pub(crate) use filter::{ROUTES, parse_route};
pub(crate) use page::page;
pub(crate) use store::Logs;
pub(crate) use vote::{Vote, format_time};
