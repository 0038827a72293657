# SPDX-License-Identifier: Apache-2.0
# add_module(NAME LAYER n SOURCES … HEADERS … DEPS … LIBRARIES … TESTS …): one static library per
# folder of src/, with explicit lists. A module may depend on lower layers only, and on modules of
# its own layer only where SAME_LAYER names them (kept for L0: json stands on base, as does all).
include_guard()
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

add_library(penstock_flags INTERFACE)
target_compile_options(penstock_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Wno-gnu-statement-expression
  -Wno-gnu-zero-variadic-macro-arguments -Wno-missing-field-initializers -Werror
  "$<$<CXX_COMPILER_ID:Clang>:-Wthread-safety;-Wno-missing-designated-field-initializers>")
target_compile_definitions(penstock_flags INTERFACE _GLIBCXX_ASSERTIONS)
if(PENSTOCK_SANITIZE)
  list(JOIN PENSTOCK_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
endif()

define_property(TARGET PROPERTY MODULE_LAYER BRIEF_DOCS "Layer of ARCHITECTURE.md" FULL_DOCS "0 is the lowest")

function(add_module name)
  cmake_parse_arguments(arg "" "LAYER" "SOURCES;HEADERS;DEPS;SAME_LAYER;LIBRARIES;TESTS;PROPERTY_TESTS" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT DEFINED arg_LAYER)
    message(FATAL_ERROR "add_module(${name}): LAYER is required; not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  profile_module(${name})
  set_target_properties(${name} PROPERTIES MODULE_LAYER ${arg_LAYER} LINKER_LANGUAGE CXX)
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${arg_HEADERS})
  target_link_libraries(${name} PRIVATE penstock_flags PUBLIC ${arg_LIBRARIES})
  foreach(dep IN LISTS arg_DEPS arg_SAME_LAYER)
    if(NOT TARGET ${dep})
      message(FATAL_ERROR "${name} depends on ${dep}, which is not defined above it in src/CMakeLists.txt: lower layers first")
    endif()
    get_target_property(layer ${dep} MODULE_LAYER)
    if(layer GREATER arg_LAYER OR (layer EQUAL arg_LAYER AND NOT dep IN_LIST arg_SAME_LAYER))
      message(FATAL_ERROR "${name} (layer ${arg_LAYER}) may not depend on ${dep} (layer ${layer}): only lower layers")
    endif()
    target_link_libraries(${name} PUBLIC ${dep})
  endforeach()
  if(BUILD_TESTING AND arg_TESTS)
    add_module_test(${name}_test unit ${name} ${arg_TESTS})
  endif()
  if(BUILD_TESTING AND arg_PROPERTY_TESTS)
    add_module_test(${name}_property_test property ${name} ${arg_PROPERTY_TESTS})
    target_link_libraries(${name}_property_test PRIVATE rapidcheck::rapidcheck)
  endif()
endfunction()

# add_module_test(target label module sources…): a GoogleTest program, one ctest entry, with a label.
function(add_module_test target label module)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE penstock_flags ${module} GTest::gtest GTest::gtest_main)
  add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${target} PROPERTIES LABELS ${label} TIMEOUT 120)
endfunction()
