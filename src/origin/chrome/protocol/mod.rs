//! The DevTools protocol: its client over a pipe or a websocket, and every command and event that is used, typed. No
//! method name and no JSON of DevTools is written elsewhere.

pub(crate) mod client;
pub(crate) mod commands;
pub(crate) mod evaluate;
pub(crate) mod events;
pub(crate) mod pipe;
pub(crate) mod websocket;
