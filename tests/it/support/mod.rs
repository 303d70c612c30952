//! Scripted origins and clients, for tests that need every byte under control.
//!
//! ```ignore
//! let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=60")).await;
//! let answer = Client::new().get(&origin.url("/a"), &[("Accept", "image/png")]).await;
//! assert_eq!((answer.status, answer.text().as_str()), (200, "picture"));
//! assert_eq!(origin.received(1).await[0].header("accept"), Some("image/png"));
//! ```
//!
//! Nothing here sleeps: a [`Gate`] holds a peer until the test opens it, `received` and its like wait for events, and
//! [`within`] turns a wait that never ends into a failure.
#![allow(dead_code, unused_imports, reason = "each test takes what it needs")]

pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod gate;
pub(crate) mod imports;
pub(crate) mod origin;
pub(crate) mod pictures;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod remote;
pub(crate) mod reply;
pub(crate) mod serving;
pub(crate) mod terminal;
pub(crate) mod tintype;
pub(crate) mod tls;

pub(crate) use self::tintype::{START, Tintype, glance, seen};
pub(crate) use client::{Answer, Client, Streaming};
pub(crate) use gate::{Gate, within, within_long};
pub(crate) use origin::{ReceivedRequest, ScriptedOrigin};
pub(crate) use pictures::{blank_picture, picture, picture_as};
pub(crate) use process::{Load, Process};
pub(crate) use raw::{RawClient, RawResponse};
pub(crate) use recorder::{Exact, Recorder};
pub(crate) use remote::{ask, read, remote_at, remote_config};
pub(crate) use reply::Reply;
pub(crate) use serving::Serving;
pub(crate) use tls::Identity;
