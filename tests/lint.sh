#!/bin/sh
# Formatting and linters, over everything that git knows. Changes nothing.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$1"; }

say "clang-format"
git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

say "luacheck"
luacheck --quiet lua examples tests

say "tsc, biome"
sh cmake/build-client.sh build-clang/client # other packages need its types
for package in $(git ls-files '*/package.json' | xargs -n 1 dirname); do
  sh cmake/npm-install.sh "$package"
  npm --prefix "$package" run --silent lint
done
sh tests/web/biome.sh check

say "clang: build without a warning, clang-tidy"
cmake -B build-clang -DCMAKE_C_COMPILER=clang -DCMAKE_C_FLAGS=-Werror -DCMAKE_BUILD_TYPE=Debug -DPILLAR_CLIENT=OFF \
  >/dev/null
cmake --build build-clang --parallel "$(nproc)" >build-clang/build.log 2>&1 || { cat build-clang/build.log; exit 1; }
git ls-files 'src/**.c' 'tests/**.c' |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build-clang --quiet 2>/dev/null
