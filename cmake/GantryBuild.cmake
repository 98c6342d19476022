# Compiler settings, and the three functions that every directory uses:
#   gantry_library(NAME SOURCES... LINKS...)   one library per directory
#   gantry_program(NAME [STATIC] SOURCES... LINKS...)   into <build>/bin
#   gantry_test(NAME SOURCES... LINKS... [LABELS...])   one GoogleTest executable per module
# A directory may set GANTRY_PRECOMPILED to std or async for itself and those below it; see the end of this file.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(GANTRY_BUILD_TESTS "build the unit tests and the programs the integration tests need" ON)
option(GANTRY_BUILD_BENCH "build the benchmarks" ON)
set(GANTRY_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them")
option(GANTRY_WERROR "treat warnings as errors" OFF)
# Halves the time of a build from nothing, and hides a missing #include: so the dev preset builds without.
option(GANTRY_PRECOMPILE "precompile the headers that most files include" OFF)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(GANTRY_CCACHE ccache)
if(GANTRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${GANTRY_CCACHE}")
  if(GANTRY_PRECOMPILE)
    list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros)
  endif()
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(gantry_options INTERFACE)
target_include_directories(gantry_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(gantry_options INTERFACE _GNU_SOURCE GANTRY_VERSION="${PROJECT_VERSION}")
target_compile_options(gantry_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wno-missing-field-initializers -fno-omit-frame-pointer)
# What g++ 12 sees in optimised strings, coroutines and Result is not there; the dev
# preset keeps these warnings.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(gantry_options INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
                         -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()
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
  gantry_precompiled(gantry_${name} "${GANTRY_PRECOMPILED}")
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
  # What is tested is optimised; the tests themselves only take longer to build.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
  if(GANTRY_PRECOMPILED)
    gantry_precompiled(${name} "tests_${GANTRY_PRECOMPILED}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 120)
endfunction()

# --- precompiled headers
# g++ takes one only where all options and definitions are those it was made with, hence one for each combination:
# std (no Boost), async (what links gantry_async), and the same two for tests.

set(gantry_headers_std <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <string> <string_view>
    <utility> <variant> <vector> <fmt/format.h> "${CMAKE_SOURCE_DIR}/base/log.hpp" "${CMAKE_SOURCE_DIR}/base/result.hpp")
set(gantry_headers_async ${gantry_headers_std} "${CMAKE_SOURCE_DIR}/async/scope.hpp")

function(gantry_make_precompiled kind headers links)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/precompiled/${kind}.cpp" CONTENT "// Carries the precompiled header.\n")
  add_library(gantry_precompiled_${kind} OBJECT "${CMAKE_BINARY_DIR}/precompiled/${kind}.cpp")
  target_link_libraries(gantry_precompiled_${kind} PRIVATE gantry_options ${links})
  target_compile_options(gantry_precompiled_${kind} PRIVATE -fpch-preprocess)
  if(kind MATCHES "^tests_")
    target_compile_options(gantry_precompiled_${kind} PRIVATE $<$<CONFIG:Release>:-O0>)
  endif()
  target_precompile_headers(gantry_precompiled_${kind} PRIVATE ${headers})
endfunction()

function(gantry_precompiled target kind)
  if(GANTRY_PRECOMPILE AND kind)
    target_compile_options(${target} PRIVATE -fpch-preprocess)
    target_precompile_headers(${target} REUSE_FROM gantry_precompiled_${kind})
  endif()
endfunction()

if(GANTRY_PRECOMPILE)
  gantry_make_precompiled(std "${gantry_headers_std}" "")
  gantry_make_precompiled(async "${gantry_headers_async}" gantry_async)
  if(GANTRY_BUILD_TESTS)
    find_package(GTest REQUIRED)
    gantry_make_precompiled(tests_std "${gantry_headers_std};<gtest/gtest.h>" GTest::gtest)
    gantry_make_precompiled(tests_async "${gantry_headers_async};<gtest/gtest.h>" "GTest::gtest;gantry_async")
  endif()
endif()
