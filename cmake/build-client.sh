#!/bin/sh
# Builds src/client, and puts into OUT what the broker serves (pillar.js), and what npm installs (pillar-client.tgz).
#   cmake/build-client.sh OUT
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../src/client"

sh ../../cmake/npm-install.sh .
node build.mjs

# Whole files take the place of the old ones: a broker may be serving them.
new=$(mktemp -d "$out/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
npm pack --offline --ignore-scripts --loglevel=error --pack-destination "$new" >/dev/null
mv "$new"/*.tgz "$out/pillar-client.tgz"
cp dist/pillar.js "$new"
mv "$new/pillar.js" "$out"
