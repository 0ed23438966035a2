#!/bin/sh
# Installs what package-lock.json says, unless it is there. No package needs to run anything of its own for that.
set -eu
cd "$(dirname "$0")"

done=node_modules/.package-lock.json # npm writes it last
[ "$done" -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
