//! The outcome of a fetch, and what each request that waited for it gets.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use super::shared_body::{Reader, SharedBody};
use crate::message::body::Body;
use crate::message::outcome::StaleReason;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::policy::stored::StoredResponse;
use crate::policy::vary::{self, Selecting};
use crate::proxy::cache::stored::Stored;
use crate::proxy::request::CacheRequest;
use crate::store::{CacheKey, Handle};

/// The outcome of a fetch, for all requests that wait for it. Known when the response head has been
/// decided on.
#[derive(Clone)]
pub(crate) enum FetchOutcome {
    /// The response is in the store, whole.
    Stored(Stored, Arrival),
    /// The response is arriving and will be stored if it ends whole.
    Arriving(Arc<Arriving>),
    /// The fetch failed, and a stale response covers that.
    Covered(Stored, Cause),
    Failed(OriginError),
    /// The response is for the leader alone. Each follower fetches for itself.
    NotShared,
}

/// How a response came into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// As a new response.
    Fetched,
    /// As a stored response that the origin confirmed.
    Validated,
}

/// What went wrong at the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    NoAnswer(OriginError),
    /// An error status.
    Status(StatusCode),
    /// A picture of a page that was not loaded, where a complete one is stored.
    Incomplete,
}

impl Cause {
    /// Whether the origin answered at all.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Cause::Status(_) | Cause::Incomplete)
    }

    /// Why a stale response is served.
    pub(crate) fn stale_reason(&self) -> StaleReason {
        match self {
            Cause::Status(_) => StaleReason::IfError,
            Cause::Incomplete => StaleReason::Incomplete,
            Cause::NoAnswer(error) => StaleReason::OriginFailed(error.failure()),
        }
    }
}

/// A response whose body is arriving.
pub(crate) struct Arriving {
    /// The head as it will be stored.
    pub(crate) head: StoredResponse,
    pub(crate) body: Arc<SharedBody>,
    /// The handles by which a purge finds the response.
    pub(crate) handles: Vec<Handle>,
}

/// What the leader of a fetch gets beside its outcome.
pub(super) enum LeaderShare {
    /// A response that is not shared, and why it is not stored.
    Whole(Response<Body>, NotStored),
    /// The stored response, confirmed by a 304 after which it may not be stored.
    Confirmed(Stored),
    /// A reader of the shared body, and the fields that only the leader may have.
    Reader(Reader, HeaderMap),
    /// The fields of a stored response that only the leader may have.
    Withheld(HeaderMap),
}

/// What one request gets from a fetch.
pub(crate) struct Fetched {
    pub(crate) delivery: Delivery,
    /// Whether it waited for the fetch of another request.
    pub(crate) collapsed: bool,
    /// Fields that only the leader may have, such as cookies.
    pub(crate) withheld: HeaderMap,
}

/// The response in [`Fetched`].
pub(crate) enum Delivery {
    /// Another request's fetch stored it just before this one would have begun.
    Landed(Stored),
    /// A new response, stored.
    Stored(Stored),
    /// A new response, on its way into the store.
    Arriving(Arc<Arriving>, Reader),
    /// A stored response that the origin confirmed; `stored` says whether the update was stored.
    Confirmed {
        response: Stored,
        stored: bool,
    },
    /// A stale response in place of an origin error.
    Covered(Stored, Cause),
    /// A new response that is not stored.
    NotStored(Response<Body>, NotStored),
    /// The origin's response to a request that bypassed the cache.
    Bypassed(Result<Response<Body>, OriginError>),
    Failed(OriginError),
}

impl Delivery {
    /// What `outcome` gives to any request that waited for it; `None` if it is for the leader
    /// alone.
    pub(super) fn of(outcome: FetchOutcome) -> Option<Self> {
        Some(match outcome {
            FetchOutcome::Stored(stored, Arrival::Fetched) => Delivery::Stored(stored),
            FetchOutcome::Stored(response, Arrival::Validated) => {
                Delivery::Confirmed { response, stored: true }
            }
            FetchOutcome::Arriving(arriving) => {
                // No reader can join a body that has turned out too large to be kept.
                let reader = arriving.body.reader()?;
                Delivery::Arriving(arriving, reader)
            }
            FetchOutcome::Covered(stored, cause) => Delivery::Covered(stored, cause),
            FetchOutcome::Failed(error) => Delivery::Failed(error),
            FetchOutcome::NotShared => return None,
        })
    }

    /// An internal fault: what was announced to the leader is not there.
    pub(super) fn lost() -> Self {
        Delivery::Failed(OriginError::BadResponse("the response was gone".into()))
    }
}

/// The key that a follower selects, if that is another variant than the one that the leader's
/// request brought.
pub(super) fn other_variant(
    outcome: &FetchOutcome,
    follower: &CacheRequest,
    leader: &Parts,
) -> Option<CacheKey> {
    let head = match outcome {
        FetchOutcome::Stored(stored, _) | FetchOutcome::Covered(stored, _) => stored.head(),
        FetchOutcome::Arriving(arriving) => &arriving.head,
        FetchOutcome::Failed(_) | FetchOutcome::NotShared => return None,
    };
    let Selecting::Fields(names) = vary::selecting(&head.fields) else { return None };
    let key_of = |request: &Parts| {
        CacheKey::new(vary::variant_key(follower.primary.as_bytes(), &names, &request.headers))
    };
    let key = key_of(&follower.head);
    (key != key_of(leader)).then_some(key)
}
