#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# fetch-grpc-js.sh - gRPC for Node below build/grpc-js, for a client of the lab: what tests/lab/grpc_js names,
# in the versions and with the checksums of its lock file. No script of a package is run.
set -eu
cd "$(dirname "$0")/.."

from=tests/lab/grpc_js
dir=build/grpc-js
stamp=$dir/.fetched-$(cat "$0" "$from/package-lock.json" | cksum | cut -d ' ' -f 1)
[ -e "$stamp" ] && exit 0
command -v npm >/dev/null || { echo 'no npm: scripts/install-deps.sh test' >&2; exit 1; }

echo "fetching below $dir: grpc-js"
rm -rf "$dir"
mkdir -p "$dir"
cp "$from/package.json" "$from/package-lock.json" "$dir"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --cache "$PWD/cache") >"$log" 2>&1 || {
	cat "$log" >&2
	exit 1
}
rm -rf "$dir/cache"
touch "$stamp"
