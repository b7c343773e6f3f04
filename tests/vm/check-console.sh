#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-console.sh FILE: fail, and show the place, when a kernel log holds a complaint of the kernel about itself.
set -eu
complaints='WARNING:|BUG:|Oops|Kernel panic|general protection fault|detected stalls|self-detected stall|rcu.*stall'
complaints="$complaints|blocked for more than|hung_task|hung task|soft lockup|hard LOCKUP|refcount_t:|UBSAN:|KASAN:"
if grep -qE "$complaints" "$1"; then
	echo "the guest's kernel complained:" >&2
	grep -E -A 40 "$complaints" "$1" | head -n 200 >&2
	exit 1
fi
