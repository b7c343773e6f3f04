#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# install-deps.sh [test] - install by apt what is missing: the build's packages, with "test" the tests' too.
# None of them starts a service; name servers come through fetch-servers.sh. Quiet when all is there.
set -eu
cd "$(dirname "$0")/.."

# One list, kept in the Makefile: it must be readable before make is installed.
build=$(sed -n '/^BUILD_PACKAGES/,/[^\\]$/p' Makefile | sed 's/^BUILD_PACKAGES *:= *//; s/\\$//' | tr -s ' \t\n' ' ')

test_tools='bind9-dnsutils knot-dnsutils dnsperf musl-tools iproute2 procps curl
	python3 python3-pytest python3-dnspython python3-grpcio
	shellcheck clang-format libclang-rt-14-dev
	qemu-system-x86 cpio zstd xz-utils kmod'

want=$build
if [ "${1-}" = test ]; then
	want="$want $(echo "$test_tools" | tr -s ' \t\n' ' ')"
fi

missing=
for package in $want; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing, and only root can install:$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
install() {
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Old package lists name files that are gone: fetch new ones only if so.
install >"$log" 2>&1 || { apt-get update -qq >"$log" 2>&1 && install >"$log" 2>&1; } || {
	cat "$log" >&2
	exit 1
}
