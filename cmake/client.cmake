# The browser's side, src/client, which is built with Node.js. A machine without Node.js builds the rest. The build downloads
# nothing that nobody has asked for: npm packages are there because cmake/npm-install.sh was run, or PILLAR_CLIENT is ON.

set(PILLAR_CLIENT AUTO CACHE STRING "Build the browser client: ON, OFF, or AUTO, where its npm packages are installed")
set_property(CACHE PILLAR_CLIENT PROPERTY STRINGS AUTO ON OFF)

set(client_dir ${CMAKE_SOURCE_DIR}/src/client)

# What keeps the client from being built; empty: nothing does.
function(find_client_problem problem)
  find_program(NODE node)
  find_program(NPM npm)
  set(version "")
  if(NODE)
    execute_process(COMMAND ${NODE} --version OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE v "" version "${version}")
  endif()
  set(${problem} "" PARENT_SCOPE)
  if(NOT NPM OR version VERSION_LESS 18)
    set(${problem} "it needs Node.js 18 or later, and npm" PARENT_SCOPE)
  elseif(client_mode STREQUAL AUTO AND NOT EXISTS ${client_dir}/node_modules/.package-lock.json)
    set(${problem} "it needs its npm packages: sh cmake/npm-install.sh src/client, or -DPILLAR_CLIENT=ON" PARENT_SCOPE)
  endif()
endfunction()

if(PILLAR_CLIENT STREQUAL AUTO)
  set(client_mode AUTO)
elseif(PILLAR_CLIENT)
  set(client_mode ON)
else()
  set(client_mode OFF)
endif()
if(client_mode STREQUAL OFF)
  message(STATUS "Browser client: not built (PILLAR_CLIENT is OFF)")
  return()
endif()
find_client_problem(problem)
if(problem AND client_mode STREQUAL ON)
  message(FATAL_ERROR "PILLAR_CLIENT is ON, and ${problem}")
elseif(problem)
  message(STATUS "Browser client: not built; ${problem}")
  return()
endif()
message(STATUS "Browser client: built")

set(client_files ${CMAKE_BINARY_DIR}/client/pillar.js ${CMAKE_BINARY_DIR}/client/pillar-client.tgz)
file(GLOB_RECURSE client_sources CONFIGURE_DEPENDS ${client_dir}/src/*)
add_custom_command(
  OUTPUT ${client_files} ${client_dir}/dist/index.js
  COMMAND sh ${CMAKE_SOURCE_DIR}/cmake/build-client.sh ${CMAKE_BINARY_DIR}/client
  DEPENDS ${client_sources} ${client_dir}/build.mjs ${client_dir}/package.json ${client_dir}/package-lock.json
          ${client_dir}/tsconfig.json ${CMAKE_SOURCE_DIR}/cmake/build-client.sh
  COMMENT "Building the browser client"
  VERBATIM)
add_custom_target(client ALL DEPENDS ${client_files})
install(FILES ${client_files} DESTINATION ${CMAKE_INSTALL_DATADIR}/pillar/client)

# The page of the task board: made for the example and the tests, not installed.
set(board_dir ${CMAKE_SOURCE_DIR}/examples/pillar/web)
set(board_files ${CMAKE_SOURCE_DIR}/examples/pillar/public/index.html)
file(GLOB_RECURSE board_sources CONFIGURE_DEPENDS ${board_dir}/src/* ${board_dir}/static/*)
file(GLOB board_settings CONFIGURE_DEPENDS ${board_dir}/*.html ${board_dir}/*.json ${board_dir}/*.ts)
add_custom_command(
  OUTPUT ${board_files}
  COMMAND sh ${CMAKE_SOURCE_DIR}/cmake/npm-install.sh ${board_dir}
  COMMAND ${NPM} --prefix ${board_dir} run --silent build
  DEPENDS ${board_sources} ${board_settings} ${client_files}
  COMMENT "Building the task board"
  VERBATIM)
if(PILLAR_WEB_TESTS)
  set(all ALL)
endif()
add_custom_target(board ${all} DEPENDS ${board_files})
add_dependencies(board client) # else make builds the client for each of them, at once
