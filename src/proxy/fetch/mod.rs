//! Fetches from origins, shared by the requests that wait for them.

pub(crate) mod body;
pub(crate) mod bypass;
mod change_history;
mod collapse;
pub(crate) mod flight;
pub(crate) mod outcome;
pub(crate) mod prefetch;
mod refresh;
pub(crate) mod run;
pub(crate) mod shared_body;
