//! Socket activation: takes over listening sockets that systemd holds, so that no connection is
//! refused between two processes.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The sockets that this process was started with (`LISTEN_FDS`), by plane.
#[derive(Debug, Default)]
pub struct Inherited {
    /// The socket of the data plane.
    pub data: Option<TcpListener>,
    /// The socket of the control plane.
    pub control: Option<TcpListener>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plane {
    Data,
    Control,
}

impl Inherited {
    /// Takes over the sockets. Call it once, before there are threads, because it removes the
    /// variables from the environment.
    ///
    /// # Errors
    /// A descriptor is no TCP socket, or there are too many.
    pub fn take() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut given = ListenFd::from_env();
        let mut inherited = Inherited::default();
        for (at, plane) in planes(given.len(), &names)?.into_iter().enumerate() {
            let socket = given.take_tcp_listener(at)?;
            match plane {
                Plane::Data => inherited.data = socket,
                Plane::Control => inherited.control = socket,
            }
        }
        Ok(inherited)
    }
}

/// The plane of each of `count` sockets. A name that contains `admin` or `control` is one of the
/// control plane. Otherwise the first socket is that of the data plane, the second that of the
/// control plane.
fn planes(count: usize, names: &str) -> io::Result<Vec<Plane>> {
    let mut planes = Vec::new();
    let mut names = names.split(':');
    for _ in 0..count {
        let name = names.next().unwrap_or_default();
        let plane = if name.contains("admin") || name.contains("control") || planes.contains(&Plane::Data) {
            Plane::Control
        } else {
            Plane::Data
        };
        if planes.contains(&plane) {
            return Err(io::Error::other("more sockets were handed over than one for each plane"));
        }
        planes.push(plane);
    }
    Ok(planes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Plane::{Control, Data};

    #[test]
    fn names_tell_what_a_socket_is_for_and_order_where_they_do_not() {
        for (count, names, expected) in [
            (0, "", Some(&[][..])),
            (1, "", Some(&[Data])),
            (2, "", Some(&[Data, Control])),
            (2, "tintype.socket:tintype.socket", Some(&[Data, Control])),
            (2, "tintype-admin.socket:tintype.socket", Some(&[Control, Data])),
            (1, "control", Some(&[Control])),
            (3, "", None),
            (2, "admin:control", None),
        ] {
            assert_eq!(planes(count, names).ok().as_deref(), expected, "{names}");
        }
    }
}
