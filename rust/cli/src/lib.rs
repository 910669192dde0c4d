//! The command line of SkullEffects as a library.

pub mod preview;
