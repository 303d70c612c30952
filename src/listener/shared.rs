//! Finds other processes that listen on the same address, in /proc/net.

use std::net::{IpAddr, SocketAddr};

/// Number of sockets of any process that listen on exactly `address`, as far as the system tells.
pub fn listeners_on(address: SocketAddr) -> usize {
    let table = if address.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    std::fs::read_to_string(table).map_or(0, |table| count(&table, address))
}

/// Number of lines in the kernel's socket table that are in the state LISTEN on `address`.
fn count(table: &str, address: SocketAddr) -> usize {
    // Words are in the byte order of the machine.
    let word = |octets: &[u8]| {
        let octets = <[u8; 4]>::try_from(octets).unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(octets))
    };
    let ip: String = match address.ip() {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
    };
    let local = format!("{ip}:{:04X}", address.port());
    let listens = |line: &&str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next() == Some(local.as_str()) && fields.nth(1) == Some("0A")
    };
    table.lines().filter(listens).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n\
             1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1\n\
             2: 0100007F:1F90 0100007F:9000 01 00000000:00000000 00:00000000 00000000     0        0 3 1\n\
             3: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1\n";
        for (address, expected) in
            [("127.0.0.1:8080", 2), ("0.0.0.0:8080", 1), ("127.0.0.1:8081", 0), ("[::1]:8080", 0)]
        {
            assert_eq!(count(table, address.parse().expect("an address")), expected, "{address}");
        }
        let six =
            "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0 0\n";
        assert_eq!(count(six, "[::1]:8080".parse().expect("an address")), 1);
    }

    #[test]
    fn our_own_sockets_are_seen() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        if cfg!(target_os = "linux") {
            assert_eq!(listeners_on(address), 1);
            drop(socket);
            assert_eq!(listeners_on(address), 0);
        }
    }
}
