//! How many followers there may be, in all and of one client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

use crate::guard::Client;
use crate::problem::Problem;

/// The places of all followers.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<Client, u32>>>,
    most: u32,
    most_per_client: u32,
    open: IntGauge,
}

/// A follower's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    client: Client,
}

impl Places {
    /// None is taken. `open` shows how many are.
    pub(crate) fn new(most: u32, most_per_client: u32, open: IntGauge) -> Self {
        Self {
            taken: Arc::default(),
            most,
            most_per_client,
            open,
        }
    }

    /// A place, if there is one for this client.
    pub(super) fn take(&self, client: Client) -> Result<Place, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&client).copied().unwrap_or_default();
        if own >= self.most_per_client || taken.values().sum::<u32>() >= self.most {
            return Err(Problem::TooMany {
                detail: "too many streams are open",
                retry_after_s: 10,
            });
        }
        taken.insert(client, own + 1);
        self.open.inc();
        Ok(Place {
            places: self.clone(),
            client,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one takes the entry with it: clients come and go.
        match taken.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.client)),
        }
        self.places.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(last: u8) -> Client {
        Client::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[test]
    fn one_client_cannot_take_all_places_and_places_come_back() {
        let open = IntGauge::new("open", "streams").unwrap();
        let places = Places::new(3, 2, open.clone());
        let first = [places.take(client(1)).unwrap(), places.take(client(1)).unwrap()];
        assert!(places.take(client(1)).is_err());
        let other = places.take(client(2)).unwrap();
        assert!(places.take(client(3)).is_err());
        assert_eq!(open.get(), 3);
        drop(first);
        assert!(places.take(client(3)).is_ok());
        drop(other);
        assert_eq!(open.get(), 0);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
