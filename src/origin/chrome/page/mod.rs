//! One page: its tab and frames, what it waits for, its clock, and the scripts that are evaluated in it.

pub(crate) mod child_targets;
pub(crate) mod document;
pub(crate) mod failure;
pub(crate) mod filter_script;
pub(crate) mod frames;
pub(crate) mod freeze;
pub(crate) mod monitor;
pub(crate) mod navigation;
pub(crate) mod pending;
pub(crate) mod permissions;
pub(crate) mod prepare;
pub(crate) mod script;
pub(crate) mod tab;
pub(crate) mod tab_events;
pub(crate) mod waiting;
pub(crate) mod wanted_events;
