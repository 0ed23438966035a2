#!/bin/sh
# Shows that the crash test can fail: puts one fault after the other into a copy of the source, builds the broker, runs
# the crash test on it, and expects that it fails. A fault is a file in crash/mutants: its first line names the file it
# changes, how many lines, and what is wrong then; the rest is for sed -E.
#   tests/e2e/crash_mutants.sh [NAME ...]     all of them, or those
# The status is 0 when every fault was found. Needs the release build, whose library ends brokers at exact instants.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
mutants=$source/tests/e2e/crash/mutants
preload=${PILLAR_CRASH_PRELOAD:-$source/build/tests/e2e/libcrash_preload.so}
kills=${PILLAR_CRASH_KILLS:-200}
work=$(mktemp -d /tmp/pillar-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT

[ -f "$preload" ] || { echo "build the release preset first: there is no $preload" >&2; exit 2; }

build() {
  cmake --build "$work/build" --target pillar --parallel 2 >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2; exit 2; }
}

# Puts the fault $1 into the copy; prints the file's name.
mutate() {
  head=$(head -n 1 "$mutants/$1.sed")
  file=$(echo "$head" | sed -E 's/^# ([^,]+), .*/\1/')
  lines=$(echo "$head" | sed -E 's/^# [^,]+, ([0-9]+) .*/\1/')
  sed -E -f "$mutants/$1.sed" "$source/$file" >"$work/source/$file"
  changed=$(diff "$source/$file" "$work/source/$file" | grep -c '^<' || true)
  if [ "$changed" != "$lines" ]; then
    echo "$1 changes $changed lines of $file, and not $lines: the source has changed, so change the fault too" >&2
    exit 2
  fi
  echo "$file"
}

# Runs the crash test; its status.
crash() {
  PILLAR_BINARY=$work/build/pillar PILLAR_CRASH_PRELOAD=$preload PILLAR_SOURCE=$source TMPDIR=$work \
    lua5.4 "$source/tests/e2e/crash.lua" --seed "${PILLAR_CRASH_SEED:-1}" --kills "$kills" >"$work/output" 2>&1
}

mkdir "$work/source"
(cd "$source" && git ls-files -z CMakeLists.txt cmake include lua src | xargs -0 tar cf -) | tar xf - -C "$work/source"
cmake -S "$work/source" -B "$work/build" -DPILLAR_TESTS=OFF >/dev/null
build
crash || { echo "the crash test fails without a fault:" >&2; cat "$work/output" >&2; exit 2; }
echo "no fault: all is well after $kills kills"

[ $# -gt 0 ] || set -- $(cd "$mutants" && ls *.sed | sed 's/\.sed$//')
survivors=0
for name in "$@"; do
  file=$(mutate "$name")
  build
  status=0
  crash || status=$?
  if [ "$status" = 1 ]; then
    echo "found     $name: $(grep -v '^seed' "$work/output" | head -n 1)"
  else
    survivors=$((survivors + 1))
    echo "NOT FOUND $name"
  fi
  cp "$source/$file" "$work/source/$file"; touch "$work/source/$file"
done
[ "$survivors" = 0 ]
