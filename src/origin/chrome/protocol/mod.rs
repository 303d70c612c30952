//! The DevTools protocol: its client, over a pipe or a websocket.

pub(crate) mod client;
pub(crate) mod pipe;
pub(crate) mod websocket;
