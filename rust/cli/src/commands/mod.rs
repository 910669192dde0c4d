//! The commands, one per file.

pub mod info;
pub mod mask;
pub mod run;
pub mod sample;
pub mod skin;
pub mod surface;
pub mod thin_bone;
pub mod threshold;
