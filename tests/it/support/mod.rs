//! Scripted origins and clients.
