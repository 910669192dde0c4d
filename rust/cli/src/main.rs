//! The command line of SkullEffects.

fn main() {}
