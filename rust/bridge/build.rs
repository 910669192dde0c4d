//! Compiles the C++ half of the bridge, and puts its two headers where C++ finds them: in `SKULL_INCLUDE_DIR` if that
//! is set (by CMake), and in cargo's own folder in any case.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/lib.rs");
    println!("cargo::rerun-if-env-changed=SKULL_INCLUDE_DIR");
    cxx_build::bridge("src/lib.rs").std("c++17").compile("skull_bridge_cxx");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let include = out.join("include");
    for folder in [Some(include.clone()), env::var_os("SKULL_INCLUDE_DIR").map(PathBuf::from)].into_iter().flatten() {
        for (generated, header) in [("skull-bridge/src/lib.rs.h", "skull/bridge.h"), ("rust/cxx.h", "rust/cxx.h")] {
            let header = folder.join(header);
            fs::create_dir_all(header.parent().ok_or("no folder")?)?;
            fs::copy(out.join("cxxbridge/include").join(generated), header)?;
        }
    }
    println!("cargo::metadata=include={}", include.display());
    Ok(())
}
