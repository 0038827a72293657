# SPDX-License-Identifier: Apache-2.0
# What a token call runs through is compiled by a profile of such calls (docs/adr/0016): the compiler lays out first what is taken
# most. The profile is kept in packaging/profile and made anew by tools/profile_release.
include_guard()
set(PENSTOCK_PROFILE "" CACHE STRING "empty: none is used; use: that of packaging/profile; make: programs write one when they end")
set_property(CACHE PENSTOCK_PROFILE PROPERTY STRINGS "" use make)

set(PENSTOCK_PROFILED base json io http telemetry routing gateway relay)
set(PENSTOCK_PROFILE_OPTIONS "")
if(PENSTOCK_PROFILE AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "PENSTOCK_PROFILE=${PENSTOCK_PROFILE} needs Clang, whose profile is kept; with ${CMAKE_CXX_COMPILER_ID} configure with -DPENSTOCK_PROFILE=")
elseif(PENSTOCK_PROFILE STREQUAL "use")
  set(archive ${PROJECT_SOURCE_DIR}/packaging/profile/penstock.profdata.tar.xz)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${archive})
  # Its digest stands in the path, so that another profile compiles anew.
  file(SHA256 ${archive} digest)
  string(SUBSTRING ${digest} 0 12 digest)
  set(profile ${PROJECT_BINARY_DIR}/profile/${digest})
  file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${profile})
  # Functions that have changed since are compiled as if there were no profile of them.
  set(PENSTOCK_PROFILE_OPTIONS -fprofile-use=${profile}/penstock.profdata -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled
    -Wno-backend-plugin -ffunction-sections -fsplit-machine-functions)
  # What is taken most stands together, without the parts of its functions that were not: a call that comes after a pause finds fewer
  # pages of code cold.
  add_link_options(-Wl,-z,keep-text-section-prefix)
elseif(PENSTOCK_PROFILE STREQUAL "make")
  set(PENSTOCK_PROFILE_OPTIONS -fprofile-generate)
  add_link_options(-fprofile-generate)
elseif(PENSTOCK_PROFILE)
  message(FATAL_ERROR "PENSTOCK_PROFILE=${PENSTOCK_PROFILE}: expected nothing, use or make")
endif()

# Of add_module(): the options of a module, if calls run through it.
function(profile_module name)
  if(name IN_LIST PENSTOCK_PROFILED)
    target_compile_options(${name} PRIVATE ${PENSTOCK_PROFILE_OPTIONS})
  endif()
endfunction()
