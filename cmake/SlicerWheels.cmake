# Builds the module's logic without Slicer, against the libraries of the Python packages vtk, slicer-core and
# slicer-core-sdk: SlicerMacroBuildModuleLogic and slicerMacroConfigureModuleCxxTestDriver with the same arguments as
# Slicer's own.
#
# SkullEffects_WHEELS_PYTHON is the interpreter that has the packages. They hold no VTK headers and wrapping tools; those
# are below SkullEffects_VTK_DEV, where fetch_vtk_dev.sh puts them. The Python package is made in <build>/python.

set(SkullEffects_VTK_DEV "" CACHE PATH "VTK's headers and wrapping tools (include/ and bin/), of the wheel's version")
set(Python3_EXECUTABLE "${SkullEffects_WHEELS_PYTHON}")
find_package(Python3 REQUIRED COMPONENTS Interpreter Development.Module)
execute_process(COMMAND "${Python3_EXECUTABLE}" -c "import sysconfig; print(sysconfig.get_path('platlib'))"
  OUTPUT_VARIABLE _site OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(_sdk "${_site}/slicer_core_sdk/content")
foreach(_needed IN ITEMS "${_sdk}/include/vtkSlicerModuleLogic.h" "${SkullEffects_VTK_DEV}/include/vtkObject.h"
    "${SkullEffects_VTK_DEV}/bin/vtkWrapPython")
  if(NOT EXISTS "${_needed}")
    message(FATAL_ERROR "The wheel build needs ${_needed}")
  endif()
endforeach()

set(_wheel_include_dirs "${_sdk}/include" "${_sdk}/third_party/include/vtkAddon" "${_sdk}/third_party/include"
  "${_sdk}/third_party/include/ITK-5.4" "${SkullEffects_VTK_DEV}/include")
set(_wheel_lib_dirs "${_site}/slicer_core" "${_site}/slicer_core/third_party.libs" "${_site}/vtkmodules")
set(SkullEffects_WHEELS_PACKAGE_DIR "${CMAKE_BINARY_DIR}/python/SkullEffects")

add_library(SlicerWheels INTERFACE)
target_compile_features(SlicerWheels INTERFACE cxx_std_17)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT WIN32)
  # VTK's wheel is built with the older of libstdc++'s two layouts of std::string.
  target_compile_definitions(SlicerWheels INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
endif()
target_include_directories(SlicerWheels SYSTEM INTERFACE ${_wheel_include_dirs})
target_link_directories(SlicerWheels INTERFACE ${_wheel_lib_dirs})
foreach(_dir IN LISTS _wheel_lib_dirs)
  target_link_options(SlicerWheels INTERFACE "LINKER:-rpath-link,${_dir}")
endforeach()
target_link_options(SlicerWheels INTERFACE LINKER:--as-needed)
target_link_libraries(SlicerWheels INTERFACE
  vtkSlicerBaseLogic MRMLLogic MRMLCore vtkSegmentationCore vtkAddon
  vtkImagingCore vtkImagingGeneral vtkCommonExecutionModel vtkCommonDataModel vtkCommonTransforms vtkCommonMath
  vtkCommonCore vtksys)

include(GenerateExportHeader)

macro(SlicerMacroBuildModuleLogic)
  cmake_parse_arguments(_logic "" "NAME;EXPORT_DIRECTIVE" "INCLUDE_DIRECTORIES;SRCS;TARGET_LIBRARIES" ${ARGN})
  add_library(${_logic_NAME} SHARED ${_logic_SRCS})
  generate_export_header(${_logic_NAME}
    EXPORT_MACRO_NAME ${_logic_EXPORT_DIRECTIVE} EXPORT_FILE_NAME ${_logic_NAME}Export.h)
  target_include_directories(${_logic_NAME}
    PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_BINARY_DIR}" ${_logic_INCLUDE_DIRECTORIES})
  target_link_libraries(${_logic_NAME} PUBLIC SlicerWheels ${_logic_TARGET_LIBRARIES})
  target_compile_options(${_logic_NAME} PRIVATE -Wall -Wextra)
  target_link_options(${_logic_NAME} PRIVATE LINKER:-z,defs)
  set_target_properties(${_logic_NAME} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

  set(_includes "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_BINARY_DIR}" ${_wheel_include_dirs})
  list(TRANSFORM _includes PREPEND -I)
  set(_classes)
  set(_headers)
  set(_hierarchy_lines)
  foreach(_source IN LISTS _logic_SRCS)
    get_source_file_property(_excluded "${_source}" WRAP_EXCLUDE)
    if(_source MATCHES "^(.*)\\.cxx$" AND NOT _excluded)
      set(_class "${CMAKE_MATCH_1}")
      list(APPEND _classes "${_class}")
      list(APPEND _headers "${CMAKE_CURRENT_SOURCE_DIR}/${_class}.h")
      string(APPEND _hierarchy_lines "${CMAKE_CURRENT_SOURCE_DIR}/${_class}.h;${_logic_NAME}\n")
    endif()
  endforeach()
  set(_hierarchy "${CMAKE_CURRENT_BINARY_DIR}/${_logic_NAME}-hierarchy.txt")
  set(_hierarchy_data "${CMAKE_CURRENT_BINARY_DIR}/hierarchy.data")
  file(CONFIGURE OUTPUT "${_hierarchy_data}" CONTENT "${_hierarchy_lines}")
  # That of the Segmentations module lists the whole of what it depends on, VTK included.
  add_custom_command(OUTPUT "${_hierarchy}"
    COMMAND "${SkullEffects_VTK_DEV}/bin/vtkWrapHierarchy" ${_includes} -o "${_hierarchy}" "${_hierarchy_data}"
      "${_sdk}/hierarchy/vtkSlicerSegmentationsModuleLogic-hierarchy.txt"
    DEPENDS ${_headers} "${_hierarchy_data}" VERBATIM)
  set(_wrapped)
  foreach(_class _header IN ZIP_LISTS _classes _headers)
    add_custom_command(OUTPUT "${_class}Python.cxx"
      COMMAND "${SkullEffects_VTK_DEV}/bin/vtkWrapPython" ${_includes} --types "${_hierarchy}" -o "${_class}Python.cxx"
        "${_header}"
      DEPENDS "${_header}" "${_hierarchy}" VERBATIM)
    list(APPEND _wrapped "${_class}Python.cxx")
  endforeach()
  list(JOIN _classes "\n" _class_lines)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/init.data" CONTENT "${_logic_NAME}Python\n${_class_lines}\n")
  add_custom_command(OUTPUT "${_logic_NAME}PythonInit.cxx"
    COMMAND "${SkullEffects_VTK_DEV}/bin/vtkWrapPythonInit" "${CMAKE_CURRENT_BINARY_DIR}/init.data"
      "${_logic_NAME}PythonInit.cxx"
    DEPENDS "${CMAKE_CURRENT_BINARY_DIR}/init.data" VERBATIM)
  Python3_add_library(${_logic_NAME}Python MODULE WITH_SOABI ${_wrapped} ${_logic_NAME}PythonInit.cxx)
  target_link_libraries(${_logic_NAME}Python PRIVATE
    ${_logic_NAME} "vtkWrappingPythonCore${Python3_VERSION_MAJOR}.${Python3_VERSION_MINOR}")
  set_target_properties(${_logic_NAME} ${_logic_NAME}Python PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${SkullEffects_WHEELS_PACKAGE_DIR}"
    BUILD_RPATH "$ORIGIN;${_wheel_lib_dirs}"
    INSTALL_RPATH "$ORIGIN;$ORIGIN/../slicer_core;$ORIGIN/../slicer_core/third_party.libs;$ORIGIN/../vtkmodules")
endmacro()

# The libraries of slicer-core leave it to an interpreter to bring CPython's symbols, so a test is a library that Python
# loads and calls.
macro(slicerMacroConfigureModuleCxxTestDriver)
  cmake_parse_arguments(_driver "WITH_VTK_DEBUG_LEAKS_CHECK;WITH_VTK_ERROR_OUTPUT_CHECK" "NAME" "SOURCES;TARGET_LIBRARIES" ${ARGN})
  set(_driver_target ${_driver_NAME}CxxTests)
  set(_entries)
  foreach(_source IN LISTS _driver_SOURCES)
    get_filename_component(_test "${_source}" NAME_WE)
    set(_entry "${CMAKE_CURRENT_BINARY_DIR}/${_test}Entry.cxx")
    file(CONFIGURE OUTPUT "${_entry}" @ONLY CONTENT
      "int @_test@(int, char*[]);\nextern \"C\" int run_@_test@()\n{\n  return @_test@(0, nullptr);\n}\n")
    list(APPEND _entries "${_entry}")
  endforeach()
  add_library(${_driver_target} MODULE ${_driver_SOURCES} ${_entries})
  target_link_libraries(${_driver_target} PRIVATE ${_driver_TARGET_LIBRARIES})
  set_target_properties(${_driver_target} PROPERTIES
    BUILD_RPATH "${SkullEffects_WHEELS_PACKAGE_DIR};${_wheel_lib_dirs}")
  add_dependencies(SkullEffectsPython ${_driver_target})
endmacro()

macro(simple_test _test)
  add_test(NAME ${_test}
    COMMAND "${CMAKE_COMMAND}" -E env "PYTHONPATH=${CMAKE_BINARY_DIR}/python" "${Python3_EXECUTABLE}" -c
      "import ctypes, sys, SkullEffects; sys.exit(ctypes.CDLL(sys.argv[1])['run_' + sys.argv[2]]())"
      "$<TARGET_FILE:${_driver_target}>" ${_test})
endmacro()
