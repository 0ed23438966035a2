#!/bin/sh
# Installs what DIR/package-lock.json says, unless it is there. No package needs to run anything of its own for that. A
# package of this repository is linked, whatever the version of npm would do.
#   cmake/npm-install.sh DIR
set -eu
cd "$1"

done=node_modules/.package-lock.json # npm writes it last
[ "$done" -nt package-lock.json ] || npm ci --ignore-scripts --install-links=false --no-audit --no-fund --loglevel=error
