# Fails unless a changed bridge function compiles the C++ that uses it anew, in the same build, and a build without a
# change compiles nothing. Works on a copy of the sources in FOLDER.
set(ENV{CARGO_PROFILE_DEV_OPT_LEVEL} 0) # it is never run
set(ENV{CARGO_PROFILE_DEV_DEBUG} false)
set(_source "${FOLDER}/source")
set(_build "${FOLDER}/build")
file(REMOVE_RECURSE "${_source}" "${_build}")
file(COPY "${SOURCE}/CMakeLists.txt" "${SOURCE}/Cargo.toml" "${SOURCE}/Cargo.lock" "${SOURCE}/rust-toolchain.toml"
  "${SOURCE}/cmake" "${SOURCE}/rust" DESTINATION "${_source}" PATTERN target EXCLUDE)
file(COPY "${SOURCE}/Testing/Cxx" DESTINATION "${_source}/Testing")
set(_bridge "${_source}/rust/bridge/src/lib.rs")
file(TOUCH "${_bridge}") # cargo goes by time, and may know this file as an earlier run of this test changed it
execute_process(
  COMMAND "${CMAKE_COMMAND}" -S "${_source}" -B "${_build}" -G "${GENERATOR}" -D "CMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}"
    -D "CMAKE_CXX_COMPILER=${CXX}" -D CMAKE_BUILD_TYPE=Debug -D "SkullEffects_CARGO_TARGET_DIR=${FOLDER}/cargo"
    -D "CARGO_EXECUTABLE=${CARGO}"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

function(build object_hash)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${_build}" --target bridge_module
    OUTPUT_VARIABLE _output ERROR_VARIABLE _output RESULT_VARIABLE _failed)
  if(_failed)
    message(FATAL_ERROR "${_output}")
  endif()
  file(GLOB_RECURSE _object "${_build}/*/module.cxx.*")
  list(FILTER _object INCLUDE REGEX "\\.(o|obj)$")
  file(TIMESTAMP "${_object}" _when "%s%f")
  set(${object_hash} "${_when}" PARENT_SCOPE)
endfunction()

build(_first)
build(_unchanged)
if(NOT _unchanged STREQUAL _first)
  message(FATAL_ERROR "a build without a change compiled the module")
endif()

file(READ "${_bridge}" _text)
string(REPLACE "-> usize" "-> u16" _changed "${_text}")
string(REPLACE "self.pool.current_num_threads()" "self.pool.current_num_threads() as u16" _changed "${_changed}")
if(_changed STREQUAL _text)
  message(FATAL_ERROR "there is no function to change")
endif()
file(WRITE "${_bridge}" "${_changed}")
build(_changed_object)
if(_changed_object STREQUAL _first)
  message(FATAL_ERROR "a changed bridge function did not compile the module anew")
endif()
