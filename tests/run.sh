#!/bin/sh
# Installs what is missing, builds, and runs every suite.
#   tests/run.sh        the release build: unit tests in C and Lua, end-to-end tests against the binary
#   tests/run.sh --ci   besides: the same under AddressSanitizer and ThreadSanitizer, with valgrind, built with clang, and
#                       the formatters and linters
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
'') ci=false ;;
--ci) ci=true ;;
*) sed -n '3,5p' "$0"; exit 2 ;;
esac

say() { printf '\n== %s\n' "$1"; }

# Builds a preset and runs its suites; further arguments go to ctest.
suites() {
  preset=$1
  shift
  say "$preset: build"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --parallel "$(nproc)" >"build-$preset.log" 2>&1 || { cat "build-$preset.log"; exit 1; }
  rm -f "build-$preset.log"
  say "$preset: suites"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}

if ! $ci; then
  sh cmake/install-packages.sh run build web test
  suites release
  exit 0
fi

sh cmake/install-packages.sh run build web test ci
sh tests/lint.sh
suites release
suites asan
suites tsan
say "valgrind"
PILLAR_VALGRIND=1 ctest --preset release -R e2e/leak
