#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-format.sh - every tracked C file is as clang-format would write it; those that are not are named.
set -eu
cd "$(dirname "$0")/.."
wrong=$(git ls-files -z -- '*.c' '*.h' ':!tests/data/*' |
	xargs -0 -r clang-format --dry-run 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:.*clang-format-violations.*/\1/p' |
	sort | uniq -c)
[ -z "$wrong" ] && exit 0
echo 'not as clang-format -i would write them (places, file):' >&2
echo "$wrong" >&2
exit 1
