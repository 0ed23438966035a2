#!/bin/sh
# What `cmake --install` puts elsewhere works there: the binary finds its libraries, tests of scripts theirs, and a C program
# the broker's. Where the browser's client was built, it is there for the broker and for npm.
#   tests/install.sh BUILD_DIR
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
prefix=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null || true; rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix" >/dev/null
mv "$prefix" "$prefix.moved"
prefix=$prefix.moved

cd /
"$prefix/bin/pillar" check "$source/examples/quickstart/app.lua"
"$prefix/bin/pillar" test "$source/examples/quickstart"
LUA_PATH="$prefix/share/lua/5.4/?.lua;$prefix/share/lua/5.4/?/init.lua;;" LUA_CPATH="$prefix/lib/lua/5.4/?.so;;" \
  lua5.4 "$(command -v busted)" "$source/examples/quickstart/app_spec.lua"

if [ -e "$build/client/pillar.js" ]; then
  cmp "$build/client/pillar.js" "$prefix/share/pillar/client/pillar.js"
  tar -xzf "$prefix/share/pillar/client/pillar-client.tgz" -C "$prefix"
  for file in package.json dist/index.js dist/index.d.ts dist/react.js dist/react.d.ts dist/pillar.js; do
    test -s "$prefix/package/$file"
  done
  "$prefix/bin/pillar" run "$source/examples/quickstart/app.lua" --listen 127.0.0.1:0 \
    --database "sqlite:$prefix/app.db" >"$prefix/output" 2>&1 &
  broker=$!
  until grep -q 'listening on' "$prefix/output"; do
    kill -0 "$broker" || { cat "$prefix/output"; exit 1; }
    sleep 0.05
  done
  curl -fsS "$(sed -n 's/.*listening on \(http[^ ;,]*\).*/\1/p' "$prefix/output")/pillar.js" |
    cmp - "$build/client/pillar.js"
  kill "$broker"
  wait "$broker"
fi

cat >"$prefix/program.c" <<'END'
#include <pillar/pillar.h>
#include <stdio.h>

int main(void)
{
    return puts(pillar_version()) < 0;
}
END
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name pillar.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc -Wall -Werror "$prefix/program.c" -o "$prefix/program" $(pkg-config --cflags --libs pillar) \
  "-Wl,-rpath,$(pkg-config --variable=libdir pillar)"
"$prefix/program"
