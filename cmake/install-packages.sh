#!/bin/sh
# Installs what is missing of the packages in packages.txt for the purposes given: run, build, web, test, ci.
set -eu

list=$(dirname "$0")/packages.txt
# By their own names, and by those that they stand for: NodeSource's nodejs is npm too.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' 2>/dev/null |
  sed -n 's/^installed //p' | tr ',' '\n' | sed 's/ *(.*//; s/ //g')
missing=
for purpose in "$@"; do
  for package in $(awk -v purpose="$purpose" '$1 == purpose { print $2 }' "$list"); do
    printf '%s\n' "$installed" | grep -qxF "$package" || missing="$missing $package"
  done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "This script installs packages with apt-get, which this system has not. Install what matches:$missing" >&2
  exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Run this as root, or install by hand:$missing" >&2; exit 1; }
  sudo=sudo
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
