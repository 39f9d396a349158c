//! The order in which brokers are asked: the broker that responded most recently is the first, and brokers that failed
//! move to the end.

use std::collections::VecDeque;

/// The brokers, in the order in which to ask them.
#[derive(Debug)]
pub(crate) struct BrokerOrder {
    /// The brokers of the option. They always remain candidates: they may be names of new brokers.
    configured: Vec<String>,
    brokers: VecDeque<String>,
}

impl BrokerOrder {
    /// `brokers` as host:port, comma-separated.
    pub(crate) fn new(brokers: &str) -> Self {
        let brokers = brokers.split(',').map(str::trim);
        let configured: Vec<String> = brokers
            .filter(|broker| !broker.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            brokers: configured.clone().into(),
            configured,
        }
    }

    /// The number of brokers.
    pub(crate) fn len(&self) -> usize {
        self.brokers.len()
    }

    /// The broker to ask next.
    pub(crate) fn first(&self) -> Option<&str> {
        self.brokers.front().map(String::as_str)
    }

    /// Records that the first broker did not respond: it is asked last.
    pub(crate) fn first_failed(&mut self) {
        if !self.brokers.is_empty() {
            self.brokers.rotate_left(1);
        }
    }

    /// Sets the brokers that the cluster consists of, as the first broker has just returned them.
    pub(crate) fn set_discovered(&mut self, discovered: Vec<String>) {
        let is_known = |broker: &String| self.configured.contains(broker) || discovered.contains(broker);
        let mut brokers = std::mem::take(&mut self.brokers);
        brokers.retain(is_known);
        self.brokers = brokers;
        for broker in discovered {
            if !self.brokers.contains(&broker) {
                self.brokers.push_back(broker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(brokers: &BrokerOrder) -> Vec<&str> {
        brokers.brokers.iter().map(String::as_str).collect()
    }

    #[test]
    fn failed_broker_is_asked_last() {
        let mut brokers = BrokerOrder::new("a:1, b:2,,c:3");
        brokers.first_failed();
        assert_eq!(order(&brokers), ["b:2", "c:3", "a:1"]);
    }

    #[test]
    fn discovered_brokers_are_asked_after_the_known_ones_until_they_leave_the_cluster() {
        let mut brokers = BrokerOrder::new("bootstrap:1");
        brokers.set_discovered(vec!["a:1".to_owned(), "b:1".to_owned()]);
        assert_eq!(order(&brokers), ["bootstrap:1", "a:1", "b:1"]);
        brokers.first_failed();
        brokers.set_discovered(vec!["c:1".to_owned(), "a:1".to_owned()]);
        assert_eq!(order(&brokers), ["a:1", "bootstrap:1", "c:1"]);
        BrokerOrder::new("").first_failed();
    }
}
