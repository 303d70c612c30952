//! [`Crowd`]: the number of connections from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;

/// Connections by client network: an IPv4 address, or the first 64 bits of an IPv6 address. The map
/// is locked twice for each connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection counted in the [`Crowd`], until dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(Crowd, IpAddr)>);

impl Crowd {
    /// Counts a connection from `address`, of which `most` are allowed. Addresses in `exempt` are
    /// not counted.
    pub(super) fn enter(&self, address: IpAddr, most: usize, exempt: &[IpNet]) -> Option<Place> {
        let address = address.to_canonical();
        if exempt.iter().any(|range| range.contains(&address)) {
            return Some(Place(None));
        }
        let party = party(address);
        let mut counts = self.0.lock();
        let count = counts.get(&party).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        counts.insert(party, count + 1);
        Some(Place(Some((self.clone(), party))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((crowd, party)) = self.0.take() else { return };
        let mut counts = crowd.0.lock();
        match counts.get_mut(&party) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&party)),
        }
    }
}

fn party(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_has_so_many_places_and_no_more() {
        let crowd = Crowd::default();
        let exempt = ["10.0.0.0/8".parse().expect("a range")];
        let enter = |address: &str| crowd.enter(address.parse().expect("an address"), 2, &exempt);
        let first = [enter("192.0.2.1"), enter("::ffff:192.0.2.1")];
        assert!(first.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        let other = enter("192.0.2.2");
        assert!(other.is_some());
        let six = [enter("2001:db8::1"), enter("2001:db8::2:3")];
        assert!(six.iter().all(Option::is_some));
        assert!(enter("2001:db8::4").is_none());
        // One client has the whole second half of an IPv6 address.
        assert!(enter("2001:db8::1:0:0:4").is_none() && enter("2001:db8::ffff:ffff:ffff:ffff").is_none());
        let next = enter("2001:db8:0:1::4");
        assert!(next.is_some());
        let trusted: Vec<_> = (0..5).map(|_| enter("10.1.2.3")).collect();
        assert!(trusted.iter().all(Option::is_some));
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        drop((other, six, next, trusted));
        assert_eq!(crowd.0.lock().len(), 0);
    }
}
