//! Names to addresses. A literal is read as a browser reads it, in every notation; only a name is looked up, once
//! for a capture, by a resolver that tests can script.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Host;

use super::barred::Barred;

/// Time that one name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses of one name that are looked at; they are tried in turn, so more would only take time.
const MAX_ADDRESSES: usize = 64;

/// Finds the addresses of a name.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of `name`, which is no literal.
    ///
    /// # Errors
    /// If there is no such name, or nobody who knows.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of this system.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Resolver for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|socket: SocketAddr| socket.ip()).collect())
        })
    }
}

/// The addresses of `host` as it stands in a URL: a literal's own, or those that `resolver` finds.
pub(crate) async fn resolve(resolver: &dyn Resolver, host: &str) -> Result<Vec<IpAddr>, Barred> {
    let unresolved = || Barred::Unresolved { host: host.to_owned() };
    // The notations of RFC 3986 and of inet_aton, as the URL standard reads them. What is no valid host could
    // mean one thing here and another to the resolver.
    let name = match literal(host).map_err(|_| unresolved())? {
        Host::Ipv4(address) => return Ok(vec![address.into()]),
        Host::Ipv6(address) => return Ok(vec![address.into()]),
        Host::Domain(name) => name,
    };
    let lookup = tokio::time::timeout(RESOLVE_TIMEOUT, resolver.resolve(&name));
    let mut addresses = lookup.await.map_err(|_| unresolved())?.map_err(|_| unresolved())?;
    addresses.dedup();
    // Every one of them is vetted, also those that are not tried.
    if addresses.is_empty() || addresses.len() > MAX_ADDRESSES { Err(unresolved()) } else { Ok(addresses) }
}

/// A host, which may be an IPv6 literal without its brackets, as the URL standard reads it.
pub(crate) fn literal(host: &str) -> Result<Host, url::ParseError> {
    match host.parse() {
        Ok(address) => Ok(Host::Ipv6(address)),
        Err(_) => Host::parse(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[derive(Debug)]
    struct Script(Mutex<Vec<Vec<&'static str>>>);

    impl Resolver for Script {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let next = self.0.lock().pop();
            let addresses = next.map(|list| list.iter().map(|a| a.parse().unwrap()).collect());
            Box::pin(std::future::ready(addresses.ok_or_else(|| io::ErrorKind::NotFound.into())))
        }
    }

    #[tokio::test]
    async fn literals_of_every_notation_need_no_lookup() {
        let nobody = Script(Mutex::default());
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0X7F.1", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("0x7f.0x0.0.1", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("１２７.０.０.１", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("①27.0.0.1", "127.0.0.1"),
            ("0xA9FEA9FE", "169.254.169.254"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::127.0.0.1]", "::127.0.0.1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
            ("[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"),
            ("[2002:7f00:1::]", "2002:7f00:1::"),
        ] {
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(resolve(&nobody, host).await, Ok(vec![expected]), "{host}");
        }
    }

    #[tokio::test]
    async fn what_is_no_host_is_not_looked_up() {
        for host in
            ["", "127.0.0.256", "0x100000000", "1.2.3.4.5", "a.08", "[::1", "[fe80::1%25lo]", "a b", "a%00b"]
        {
            let willing = Script(Mutex::new(vec![vec!["1.1.1.1"]]));
            assert_eq!(
                resolve(&willing, host).await,
                Err(Barred::Unresolved { host: host.into() }),
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn names_have_the_addresses_that_are_found() {
        let script = Script(Mutex::new(vec![vec![], vec!["::1", "::1", "1.1.1.1"]]));
        let found = resolve(&script, "a.example").await;
        assert_eq!(found, Ok(vec!["::1".parse().unwrap(), "1.1.1.1".parse().unwrap()]));
        let none = Err(Barred::Unresolved { host: "a.example".into() });
        assert_eq!(resolve(&script, "a.example").await, none);
        assert_eq!(resolve(&script, "a.example").await, none);
        let many = Script(Mutex::new(vec![
            (0..65).map(|n| if n % 2 == 0 { "1.1.1.1" } else { "1.1.1.2" }).collect(),
        ]));
        assert_eq!(resolve(&many, "a.example").await, none);
    }
}
