# Sets CARGO_EXECUTABLE to the cargo of this machine or, where it has none, to that of the pinned toolchain, which is
# unpacked into the build folder: no installer, and nothing outside the build folder changes. RUST_ENVIRONMENT is what
# cargo needs in its environment then.

option(SkullEffects_DOWNLOAD_RUST "Where no cargo is found, unpack a pinned Rust toolchain into the build folder" ON)
set(RUST_ENVIRONMENT)
find_program(CARGO_EXECUTABLE cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin" DOC "Builds the Rust side")
set(_prefix "${CMAKE_BINARY_DIR}/rust-toolchain")
set(_cargo "${_prefix}/bin/cargo${CMAKE_EXECUTABLE_SUFFIX}")
if(CARGO_EXECUTABLE AND NOT CARGO_EXECUTABLE STREQUAL _cargo)
  return()
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(_machine x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(_machine aarch64)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(_triple "${_machine}-unknown-linux-gnu")
endif()
# As the channel's manifest says (dist/channel-rust-1.95.0.toml).
set(_version 1.95.0)
set(_sha256_x86_64-unknown-linux-gnu 2e0338f18ecbaa4a0f631b9e80e8b8e26bb6fe77dd5454fba8a70cf96c1e84a1)
set(_sha256_aarch64-unknown-linux-gnu 094c9c36531911c5cc7dd6ab2d3069ab8dcd744d6239b0bda1387b243dfc391e)
if(NOT SkullEffects_DOWNLOAD_RUST OR NOT DEFINED _sha256_${_triple})
  message(FATAL_ERROR "No cargo was found. Install Rust ${_version} (rustup.rs) and set CARGO_EXECUTABLE, or set "
    "SkullEffects_BRIDGE_DIR to a bridge that was built elsewhere.")
endif()

set(_name "rust-${_version}-${_triple}")
if(NOT EXISTS "${_prefix}/complete")
  message(STATUS "No cargo was found: unpacking ${_name} into the build folder")
  set(_archive "${CMAKE_BINARY_DIR}/${_name}.tar.xz")
  file(DOWNLOAD "https://static.rust-lang.org/dist/${_name}.tar.xz" "${_archive}"
    EXPECTED_HASH SHA256=${_sha256_${_triple}} STATUS _status)
  list(GET _status 0 _failed)
  if(_failed)
    message(FATAL_ERROR "The Rust toolchain cannot be downloaded: ${_status}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${_archive}" DESTINATION "${CMAKE_BINARY_DIR}"
    PATTERNS "${_name}/rustc/*" "${_name}/cargo/*" "${_name}/rust-std-${_triple}/*")
  foreach(_component IN ITEMS rustc cargo "rust-std-${_triple}")
    file(COPY "${CMAKE_BINARY_DIR}/${_name}/${_component}/" DESTINATION "${_prefix}")
  endforeach()
  file(REMOVE_RECURSE "${_archive}" "${CMAKE_BINARY_DIR}/${_name}")
  file(TOUCH "${_prefix}/complete")
endif()
set(CARGO_EXECUTABLE "${_cargo}" CACHE FILEPATH "Builds the Rust side" FORCE)
set(RUST_ENVIRONMENT "RUSTC=${_prefix}/bin/rustc${CMAKE_EXECUTABLE_SUFFIX}" "CARGO_HOME=${CMAKE_BINARY_DIR}/cargo-home")
