//! What a page may reach, by which way, and as which visitor.

pub mod address;
pub mod barred;
pub(crate) mod certificates;
pub(crate) mod egress_proxy;
pub(crate) mod exception;
pub(crate) mod filter;
pub mod guard;
pub(crate) mod identity;
pub(crate) mod intercept;
pub(crate) mod metered;
pub(crate) mod page_network;
pub mod resolver;
pub(crate) mod tls_bridge;
pub(crate) mod upstream_proxy;
pub(crate) mod visitor;
