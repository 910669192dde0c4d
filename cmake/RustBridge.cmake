# The target SkullEffects::bridge: the kernels as a static library, with the two C++ headers that go with it. It is built
# here, or taken from SkullEffects_BRIDGE_DIR (include/ and lib/) if that is set.
#
# Cargo decides what is stale, so it runs in every build. Its headers go to one folder and are copied from there only
# where they differ: C++ that includes a changed header is compiled anew in the same build, and nothing is otherwise.

set(SkullEffects_CARGO_TARGET_DIR "${CMAKE_BINARY_DIR}/cargo" CACHE PATH "Where cargo builds")
set(SkullEffects_BRIDGE_DIR "" CACHE PATH "A bridge that was built elsewhere, of the same version; empty builds it here")

set(_archive "${CMAKE_STATIC_LIBRARY_PREFIX}skull_bridge${CMAKE_STATIC_LIBRARY_SUFFIX}")
if(SkullEffects_BRIDGE_DIR)
  set(_include "${SkullEffects_BRIDGE_DIR}/include")
  set(_release "${SkullEffects_BRIDGE_DIR}/lib/${_archive}")
  set(_debug "${_release}")
  add_custom_target(skull_bridge_build)
else()
  set(_include "${CMAKE_BINARY_DIR}/bridge-include")
  set(_staged "${SkullEffects_CARGO_TARGET_DIR}/bridge-include")
  set(_headers skull/bridge.h rust/cxx.h)
  set(_copies)
  set(_copy_commands)
  foreach(_header IN LISTS _headers)
    list(APPEND _copies "${_include}/${_header}")
    list(APPEND _copy_commands
      COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${_staged}/${_header}" "${_include}/${_header}")
  endforeach()
  foreach(_folder IN ITEMS skull rust)
    file(MAKE_DIRECTORY "${_include}/${_folder}")
  endforeach()

  set(_release "${SkullEffects_CARGO_TARGET_DIR}/release/${_archive}")
  set(_debug "${SkullEffects_CARGO_TARGET_DIR}/debug/${_archive}")
  set(_environment ${RUST_ENVIRONMENT} "SKULL_INCLUDE_DIR=${_staged}" "CXX=${CMAKE_CXX_COMPILER}")
  if(CMAKE_OSX_DEPLOYMENT_TARGET)
    list(APPEND _environment "MACOSX_DEPLOYMENT_TARGET=${CMAKE_OSX_DEPLOYMENT_TARGET}")
  endif()

  add_custom_target(skull_bridge_build
    COMMAND "${CMAKE_COMMAND}" -E env ${_environment}
      "${CARGO_EXECUTABLE}" build --locked --package skull-bridge --profile $<IF:$<CONFIG:Debug>,dev,release>
      --target-dir "${SkullEffects_CARGO_TARGET_DIR}"
    ${_copy_commands}
    BYPRODUCTS ${_copies} $<IF:$<CONFIG:Debug>,${_debug},${_release}>
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
    COMMENT "The bridge to the kernels"
    VERBATIM)
endif()

find_package(Threads REQUIRED)
add_library(skull_bridge STATIC IMPORTED GLOBAL)
add_library(SkullEffects::bridge ALIAS skull_bridge)
add_dependencies(skull_bridge skull_bridge_build)
set_target_properties(skull_bridge PROPERTIES
  IMPORTED_LOCATION "${_release}"
  IMPORTED_LOCATION_DEBUG "${_debug}"
  INTERFACE_INCLUDE_DIRECTORIES "${_include}"
  INTERFACE_COMPILE_FEATURES cxx_std_17)
target_link_libraries(skull_bridge INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
if(WIN32)
  target_link_libraries(skull_bridge INTERFACE kernel32 ntdll userenv ws2_32 dbghelp)
elseif(NOT APPLE)
  target_link_libraries(skull_bridge INTERFACE gcc_s rt m)
  # Else a module would export some 3000 symbols of Rust's own, which another module's could be bound to.
  target_link_options(skull_bridge INTERFACE LINKER:--exclude-libs,${_archive} LINKER:--gc-sections)
else()
  target_link_options(skull_bridge INTERFACE LINKER:-dead_strip)
endif()
