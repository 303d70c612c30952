//! Checks the guard. A page that tries many ways to reach this machine must reach nothing, and
//! captures of metadata services must be refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tintype::origin::chrome::{AllowedHost, AllowedRange, Config, Engine};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::engine::{fetch, thrown_json};
use super::finding::Finding;

const CHECK: &str = "guard";
const ROADS: &str = include_str!("roads.js");
/// Addresses where clouds keep the credentials of a machine.
const METADATA: [(&str, &str); 3] = [
    ("169.254.169.254", "http://169.254.169.254/latest/meta-data/"),
    ("100.100.100.200", "http://100.100.100.200/latest/meta-data/"),
    ("fd00:ec2::254", "http://[fd00:ec2::254]/latest/meta-data/"),
];
/// The port of metadata services.
const HTTP: u16 = 80;
/// Time for a refusal, which needs no browser.
const REFUSAL: Duration = Duration::from_secs(5);

pub(super) async fn check(engine: &Engine, config: &Config) -> Vec<Finding> {
    if !config.remote.is_empty() {
        return vec![Finding::warning(
            CHECK,
            "pages in remote browsers reach whatever those browsers' network lets them reach",
            "keep those browsers in a network that has no secrets, or let tintype run its own",
        )];
    }
    vec![metadata(engine, config).await, loopback(engine, config).await]
}

/// Checks that captures of metadata services are refused, unless the operator allows them.
async fn metadata(engine: &Engine, config: &Config) -> Finding {
    let mut allowed = Vec::new();
    for (address, url) in METADATA {
        if address.parse().is_ok_and(|address| opens_address(&config.allow_ranges, address, HTTP)) {
            allowed.push(address);
            continue;
        }
        let answer = tokio::time::timeout(REFUSAL, fetch(engine, json!({ "url": url }))).await;
        match answer {
            Ok(Ok(answer)) if answer.status() == StatusCode::FORBIDDEN => {}
            _ => {
                let says = format!("a capture of {address} is not refused");
                return Finding::failure(
                    CHECK,
                    says,
                    "do not serve captures; report this as a security fault of tintype",
                );
            }
        }
    }
    if allowed.is_empty() {
        return Finding::good(CHECK, format!("captures of {} metadata services are refused", METADATA.len()));
    }
    let says = format!("allow_ranges lets pages reach the metadata service at {}", allowed.join(", "));
    Finding::warning(CHECK, says, "narrow allow_ranges: whoever asks for captures can read what is there")
}

async fn loopback(engine: &Engine, config: &Config) -> Finding {
    let trap = match Trap::set().await {
        Ok(trap) => trap,
        Err(error) => {
            return Finding::warning(
                CHECK,
                format!("cannot listen on loopback to look: {error}"),
                "try again",
            );
        }
    };
    let script = ROADS.replacen("PORT = 0", &format!("PORT = {}", trap.port), 1);
    let tried = match thrown_json(engine, "<p>roads</p>", &script).await {
        Ok(said) => said["roads"].as_u64().unwrap_or_default(),
        Err(why) => {
            return Finding::failure(CHECK, format!("the page of roads did not run: {why}"), "try again");
        }
    };
    let arrived = match trap.arrived().await {
        Ok(arrived) => arrived,
        Err(error) => {
            return Finding::failure(
                CHECK,
                format!("the listener on loopback heard nothing: {error}"),
                "try again",
            );
        }
    };
    judge(tried, arrived, is_open(&config.allow_hosts, &config.allow_ranges, trap.port))
}

fn judge(tried: u64, arrived: usize, is_open: bool) -> Finding {
    match (arrived, is_open) {
        (0, false) => {
            Finding::good(CHECK, format!("a page tried {tried} roads to this machine and reached nothing"))
        }
        (_, true) => Finding::warning(
            CHECK,
            format!(
                "allow_hosts or allow_ranges lets pages reach this machine itself: {arrived} roads of {tried} arrived"
            ),
            "take loopback out of them, unless no service here trusts who comes from this machine",
        ),
        (_, false) => Finding::failure(
            CHECK,
            format!("{arrived} roads of {tried} from a page to this machine arrived"),
            "do not serve captures; report this as a security fault of tintype",
        ),
    }
}

fn opens_address(ranges: &[AllowedRange], address: IpAddr, port: u16) -> bool {
    ranges.iter().any(|range| range.opens(address, port))
}

/// Whether the operator lets pages reach `port` of this machine. An exception for another port does
/// not.
fn is_open(hosts: &[AllowedHost], ranges: &[AllowedRange], port: u16) -> bool {
    let addresses: [IpAddr; 5] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(127, 0, 0, 2).into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    let names = ["localhost", "tintype.localhost", "127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"];
    addresses.into_iter().any(|address| opens_address(ranges, address, port))
        || hosts.iter().any(|rule| names.into_iter().any(|name| rule.opens_host(name, port)))
}

/// TCP and UDP listeners on one port of the loopback interface, which only the doctor may reach.
struct Trap {
    tcp: Vec<TcpListener>,
    udp: UdpSocket,
    port: u16,
}

impl Trap {
    async fn set() -> std::io::Result<Trap> {
        // Only on loopback, because other machines in the network may scan its ports.
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = first.local_addr()?.port();
        // An address that cannot be bound, such as IPv6, cannot be reached either.
        let other = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await;
        let sixth = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await;
        let tcp = [Ok(first), other, sixth].into_iter().flatten().collect();
        Ok(Trap { tcp, udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?, port })
    }

    /// Number of connections before our own ones, which prove that the listeners work.
    async fn arrived(&self) -> std::io::Result<usize> {
        let heard = async {
            let mut arrived = 0;
            for listener in &self.tcp {
                let own = TcpStream::connect(listener.local_addr()?).await?;
                while listener.accept().await?.1 != own.local_addr()? {
                    arrived += 1;
                }
            }
            let own = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            own.send_to(b"x", self.udp.local_addr()?).await?;
            while self.udp.recv_from(&mut [0; 1]).await?.1 != own.local_addr()? {
                arrived += 1;
            }
            Ok(arrived)
        };
        tokio::time::timeout(REFUSAL, heard)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn what_arrives_is_a_failure_unless_it_was_allowed() {
        for (arrived, is_open, expected) in [
            (0, false, Mark::Good),
            (1, false, Mark::Failure),
            (1, true, Mark::Warning),
            (0, true, Mark::Warning),
        ] {
            assert_eq!(judge(20, arrived, is_open).mark, expected);
        }
    }

    #[test]
    fn only_exceptions_for_the_port_open_it() {
        for (host, range, expected) in [
            ("", "", false),
            ("localhost", "", true),
            ("*.localhost:9", "", true),
            ("localhost:8", "", false),
            ("", "127.0.0.0/8", true),
            ("", "127.0.0.1:9", true),
            ("", "127.0.0.1:8", false),
            ("", "10.0.0.0/8", false),
        ] {
            let hosts: Vec<_> = host.parse().into_iter().collect();
            let ranges: Vec<_> = range.parse().into_iter().collect();
            assert_eq!(is_open(&hosts, &ranges, 9), expected, "{host} {range}");
        }
    }

    #[tokio::test]
    async fn a_trap_counts_everybody_but_us() {
        let trap = Trap::set().await.unwrap();
        assert_eq!(trap.arrived().await.unwrap(), 0);
        let _one = TcpStream::connect(("127.0.0.1", trap.port)).await.unwrap();
        UdpSocket::bind("127.0.0.1:0")
            .await
            .unwrap()
            .send_to(b"stun", ("127.0.0.1", trap.port))
            .await
            .unwrap();
        assert_eq!(trap.arrived().await.unwrap(), 2);
    }
}
