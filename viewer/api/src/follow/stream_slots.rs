//! The limits on open streams, in total and per client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

use crate::client::Client;
use crate::problem::Problem;

/// The slots of all streams. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct StreamSlots {
    used: Arc<Mutex<HashMap<Client, u32>>>,
    max: u32,
    max_per_client: u32,
    open: IntGauge,
}

/// The slot of one stream, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamSlot {
    slots: StreamSlots,
    client: Client,
}

impl StreamSlots {
    /// All slots are free. `open` shows how many are in use.
    pub(crate) fn new(max: u32, max_per_client: u32, open: IntGauge) -> Self {
        Self {
            used: Arc::default(),
            max,
            max_per_client,
            open,
        }
    }

    /// Takes a slot, if one is free for this client.
    pub(super) fn acquire(&self, client: Client) -> Result<StreamSlot, Problem> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let own = used.get(&client).copied().unwrap_or_default();
        if own >= self.max_per_client || used.values().sum::<u32>() >= self.max {
            return Err(Problem::TooMany {
                detail: "too many streams are open",
                retry_after_s: 10,
            });
        }
        used.insert(client, own + 1);
        self.open.inc();
        Ok(StreamSlot {
            slots: self.clone(),
            client,
        })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut used = self.slots.used.lock().unwrap_or_else(PoisonError::into_inner);
        // The entry is removed with the client's last stream, so that the map does not grow with past clients.
        match used.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(used.remove(&self.client)),
        }
        self.slots.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(last: u8) -> Client {
        Client::at(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[test]
    fn one_client_cannot_take_all_slots_and_dropped_slots_are_free_again() {
        let open = IntGauge::new("open", "streams").unwrap();
        let slots = StreamSlots::new(3, 2, open.clone());
        let first = [
            slots.acquire(client(1)).unwrap(),
            slots.acquire(client(1)).unwrap(),
        ];
        assert!(slots.acquire(client(1)).is_err());
        let other = slots.acquire(client(2)).unwrap();
        assert!(slots.acquire(client(3)).is_err());
        assert_eq!(open.get(), 3);
        drop(first);
        assert!(slots.acquire(client(3)).is_ok());
        drop(other);
        assert_eq!(open.get(), 0);
        assert!(slots.used.lock().unwrap().is_empty());
    }
}
