#!/bin/sh
# Measures Pillar against what the kernel alone costs, and against what a user would take in its place. README.md beside
# this file tells of the workloads, and holds the results that --write puts there.
set -eu
cd "$(dirname "$0")/../.."

usage() {
  cat <<'END'
Usage: tests/bench/run.sh [--repeat N] [--write] [WORKLOAD ...]

Installs what is missing, builds, and runs the workloads side by side: all of them, or those named.

  --repeat N   how often each is measured, in turn with those that it is compared with; default 5
  --write      puts the results into tests/bench/README.md, results.json and charts; those of other workloads stay
  --help       prints this

Workloads:
END
  # Each has its name and its title at a beginning of its own.
  awk '
    match($0, /^(fan_out|add_curve)\("[^"]*", "[^"]*"/) { split($0, part, "\""); printf "  %-15s %s\n", part[2], part[4] }
    /^  name = "/ { split($0, part, "\""); name = part[2] }
    /^  title = "/ && name != "" { split($0, part, "\""); printf "  %-15s %s\n", name, part[2]; name = "" }
  ' tests/bench/bench/workloads.lua
}

fail() {
  echo "$1" >&2
  exit 2
}

check_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --repeat)
        case ${2-} in
          '' | *[!0-9]* | 0) fail "--repeat takes a number from 1 on." ;;
        esac
        shift
        ;;
      --write) ;;
      -*) fail "There is no option $1; --help tells of those that there are." ;;
      *) usage | grep -q "^  $1 " || fail "There is no workload $1; --help tells of those that there are." ;;
    esac
    shift
  done
}

check_arguments "$@"

if [ "$(nproc)" -lt 2 ]; then
  echo "Warning: there is one processor, which client and server have to share. The figures mean little." >&2
fi

# Servers and client have up to 19,000 streams open each.
descriptors=20000
hard=$(ulimit -H -n)
if [ "$hard" != unlimited ] && [ "$hard" -lt $descriptors ]; then
  echo "Warning: a process may have $hard files open; workloads with more streams fail. Allow it $descriptors: as root" \
    "'ulimit -n $descriptors' in this shell, 'hard nofile $descriptors' in /etc/security/limits.conf," \
    "LimitNOFILE=$descriptors for a systemd service, or --ulimit nofile=$descriptors for a container." >&2
  descriptors=$hard
fi
ulimit -S -n "$descriptors"

if [ "$(stat -f -c %T "${TMPDIR:-/tmp}")" = tmpfs ]; then
  echo "Warning: ${TMPDIR:-/tmp} is in memory, where a commit costs nothing. For the workloads tasks-*, set TMPDIR to a folder" \
    "on a disk." >&2
fi

sh cmake/install-packages.sh run build web test bench
cmake --preset release >/dev/null
cmake --build --preset release --parallel "$(nproc)" --target pillar bench-load bench-floor bench-commits >build-bench.log 2>&1 ||
  { cat build-bench.log; exit 1; }
rm -f build-bench.log
exec env LUA_PATH="tests/bench/?.lua;tests/e2e/?.lua;tests/?.lua;;" lua5.4 tests/bench/run.lua "$@"
