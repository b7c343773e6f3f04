#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# install-deps.sh [demo|test] - install by apt what is missing: for the build, and for the demo or the tests.
# None of them starts a service; name servers come through fetch-servers.sh. Quiet when all is there.
set -eu
cd "$(dirname "$0")/.."

# One list, kept in the Makefile: it must be readable before make is installed.
build=$(sed -n '/^BUILD_PACKAGES/,/[^\\]$/p' Makefile | sed 's/^BUILD_PACKAGES *:= *//; s/\\$//' | tr -s ' \t\n' ' ')

demo_tools='python3 iproute2 procps'
test_tools='git bind9-dnsutils knot-dnsutils dnsperf musl-tools curl iputils-ping strace systemd openssl
	python3-pytest python3-pytest-xdist python3-dnspython python3-grpcio valgrind libc6-dbg
	shellcheck clang-format libclang-rt-14-dev
	qemu-system-x86 busybox-static cpio zstd xz-utils kmod'

# npm may have come with a Node from elsewhere, which Debian's would replace.
command -v npm >/dev/null || test_tools="$test_tools nodejs npm"

case ${1-} in
demo) want="$build $demo_tools" ;;
test) want="$build $demo_tools $test_tools" ;;
*) want=$build ;;
esac

# shellcheck disable=SC2086 # a list of words
installed=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' $want 2>/dev/null || true)"
missing=
for package in $want; do
	case $installed in
	*" $package=installed "*) ;;
	*) missing="$missing $package" ;;
	esac
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
