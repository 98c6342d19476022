# Compiler settings, and the three functions that every directory uses:
#   gantry_library(NAME SOURCES... LINKS...)   one library per directory
#   gantry_program(NAME [STATIC] SOURCES... LINKS...)   into <build>/bin
#   gantry_test(NAME SOURCES... LINKS... [LABELS...])   one GoogleTest executable per module

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(GANTRY_BUILD_TESTS "build the unit tests and the programs the integration tests need" ON)
option(GANTRY_BUILD_BENCH "build the benchmarks" ON)
set(GANTRY_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them")
option(GANTRY_WERROR "treat warnings as errors" OFF)

find_program(GANTRY_CCACHE ccache)
if(GANTRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${GANTRY_CCACHE}")
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(gantry_options INTERFACE)
target_include_directories(gantry_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(gantry_options INTERFACE _GNU_SOURCE GANTRY_VERSION="${PROJECT_VERSION}")
target_compile_options(gantry_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wno-missing-field-initializers -fno-omit-frame-pointer)
if(GANTRY_WERROR)
  target_compile_options(gantry_options INTERFACE -Werror)
endif()
if(GANTRY_SANITIZE)
  target_compile_options(gantry_options INTERFACE -fsanitize=${GANTRY_SANITIZE})
  target_link_options(gantry_options INTERFACE -fsanitize=${GANTRY_SANITIZE})
  # Asio keeps freed coroutine frames for reuse, which hides them from the sanitizers.
  target_compile_definitions(gantry_options INTERFACE BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)
endif()

function(gantry_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(gantry_${name} STATIC ${arg_SOURCES})
  target_link_libraries(gantry_${name} PUBLIC gantry_options ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.hpp")
  target_sources(gantry_${name} PUBLIC FILE_SET HEADERS BASE_DIRS "${CMAKE_SOURCE_DIR}" FILES ${headers})
  set_target_properties(gantry_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ${GANTRY_BUILD_TESTS})
endfunction()

# STATIC is ignored under sanitizers, which need their shared run-time.
function(gantry_program name)
  cmake_parse_arguments(arg "STATIC" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gantry_options ${arg_LINKS})
  if(arg_STATIC AND NOT GANTRY_SANITIZE)
    target_link_options(${name} PRIVATE -static)
  endif()
endfunction()

# LABELS: unit (no privilege, seconds; the default), kernel (needs root), slow.
function(gantry_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE gantry_options ${arg_LINKS} GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 120)
endfunction()
