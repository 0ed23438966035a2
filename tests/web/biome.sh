#!/bin/sh
# Formatter and linter for all TypeScript that git knows.
#   tests/web/biome.sh check            looks
#   tests/web/biome.sh check --write    mends what it can
set -eu
cd "$(dirname "$0")/../.."

git ls-files '*.ts' '*.tsx' '*.mjs' 'tests/*.js' |
  xargs tests/web/node_modules/.bin/biome "$@" --config-path=tests/web/lint.json --max-diagnostics=none
