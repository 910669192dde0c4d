//! Builds the C++ cases with CMake, or says that there is none.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let sources = "../../Testing/Cxx/Bridge";
    for changed in [sources, "build.rs"] {
        println!("cargo::rerun-if-changed={changed}");
    }
    for variable in ["CMAKE", "CMAKE_GENERATOR"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rustc-check-cfg=cfg(without_cmake)");
    let cmake = env::var_os("CMAKE").unwrap_or_else(|| "cmake".into());
    if !Command::new(cmake).arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("cargo::rustc-cfg=without_cmake");
        return;
    }
    let include = env::var("DEP_SKULL_BRIDGE_INCLUDE").expect("skull-bridge says where its headers are");
    // CMake refuses a folder that another of its generators has used.
    let generator = env::var("CMAKE_GENERATOR").unwrap_or_else(|_| "default".into());
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to build")).join(generator);
    let built = cmake::Config::new(sources).out_dir(folder).define("BRIDGE_INCLUDE_DIR", include).build();
    println!("cargo::rustc-link-search=native={}", built.join("lib").display());
    // Whole: nothing but its own registration refers to a case.
    println!("cargo::rustc-link-lib=static:+whole-archive=bridge_cases");
}
