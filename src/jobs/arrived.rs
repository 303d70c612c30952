//! Where a request for jobs came from, as far as the links in its answers depend on it.

use http::{Request, header};

use crate::message::body::Body;
use crate::message::peer::Peer;
use crate::policy::public_url::{PublicUrl, Said, Scheme, Seen};

/// The listener that a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// That of clients.
    Data,
    /// The control plane's.
    Control,
}

/// Where a request for jobs came from, as far as links depend on it. Travels with the request head.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The listener that it came to.
    pub plane: Plane,
    /// What a client elsewhere cannot use may be given to this one.
    pub is_local: bool,
    /// What links to this listener begin with, as the client or a trusted proxy sees it.
    pub base: Option<PublicUrl>,
    /// The host that the request names, with its port.
    pub named: Option<PublicUrl>,
}

impl Arrived {
    /// At `plane`, from the client at `peer`.
    pub fn new(plane: Plane, request: &Request<Body>, peer: Peer) -> Self {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = request.uri().authority().map(http::uri::Authority::as_str).or(host);
        let seen = Seen {
            said: request.extensions().get::<Said>(),
            secure: peer.tls,
            authority,
            client: peer.address.ip(),
        };
        Arrived {
            plane,
            is_local: seen.is_local(),
            base: crate::policy::public_url::base(None, &seen),
            named: authority.and_then(|host| PublicUrl::of_authority(Scheme::of(peer.tls), host)),
        }
    }
}
