#!/bin/sh
# Measures Pillar against what the kernel alone costs, and against what a user would take in its place.
#   tests/bench/run.sh [--repeat N] [--write] [WORKLOAD ...]
# Installs what is missing, builds, and runs the workloads (all of them, or those named) side by side, N times in turn, 5 by
# default. README.md beside this file tells of the workloads, and holds the results that --write puts there.
set -eu
cd "$(dirname "$0")/../.."

sh cmake/install-packages.sh run build web test bench
cmake --preset release >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target pillar bench-load bench-floor bench-commits >build-bench.log 2>&1 ||
  { cat build-bench.log; exit 1; }
rm -f build-bench.log
exec env LUA_PATH="tests/bench/?.lua;tests/e2e/?.lua;tests/?.lua;;" lua5.4 tests/bench/run.lua "$@"
