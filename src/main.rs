//! tintype's command line.

fn main() {}
