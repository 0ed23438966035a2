#!/bin/sh
# Installs what DIR/package-lock.json says, unless it is there. No package needs to run anything of its own for that.
#   cmake/npm-install.sh DIR
set -eu
cd "$1"

done=node_modules/.package-lock.json # npm writes it last
[ "$done" -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
