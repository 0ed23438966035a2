#!/bin/sh
# Builds Pillar and the page, installing what is missing, and runs the task board. Arguments go to the broker:
#   examples/run.sh --listen 127.0.0.1:9000
set -eu
cd "$(dirname "$0")/.."

sh cmake/install-packages.sh run build web
cmake -B build -DPILLAR_TESTS=OFF -DPILLAR_CLIENT=ON >/dev/null
cmake --build build --parallel "$(nproc)" --target all board >build/build.log 2>&1 || { cat build/build.log; exit 1; }

# Whoever has signed in stays so when the broker is started again.
[ -s build/task-board.secret ] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >build/task-board.secret)
: "${PILLAR_SECRET:=$(cat build/task-board.secret)}"
export PILLAR_SECRET

echo "Open the address below in two windows, and sign in as two people."
exec build/pillar run examples/pillar/app.lua --database sqlite:build/task-board.db "$@"
