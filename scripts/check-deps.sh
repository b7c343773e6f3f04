#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-deps.sh PKGCONFIG-NAMES APT-PACKAGES - name what the build lacks, with its apt line.
set -u
[ $# = 2 ] || {
	echo "usage: scripts/check-deps.sh 'PKGCONFIG-NAME...' 'APT-PACKAGE...' (make calls it)" >&2
	exit 2
}
missing=
for tool in clang bpftool llvm-strip pkg-config protoc protoc-c gcc; do
	command -v "$tool" >/dev/null 2>&1 || [ -x "/usr/sbin/$tool" ] || missing="$missing $tool"
done
for lib in $1 cmocka; do
	pkg-config --exists "$lib" 2>/dev/null || missing="$missing $lib"
done
[ -e /usr/include/uthash.h ] || missing="$missing uthash.h"
[ -z "$missing" ] && exit 0
echo "missing:$missing" >&2
echo "  apt install $2" >&2
exit 1
