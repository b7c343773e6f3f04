#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-dmesg.sh mark NAME   write a mark into the kernel's log
# check-dmesg.sh since NAME  fail when the kernel reported a warning or a bug after the mark
set -eu
bad='WARNING:|BUG:|Oops|general protection|Call Trace|stall|hung task|KASAN|UBSAN|lockdep|refcount_t'
# A system call that snooperd makes and snooper/io/confine.c does not know.
bad="$bad|type=1326 .*comm=\"snooperd\""
case ${1-} in
mark)
	echo "$2" >/dev/kmsg
	;;
since)
	# Has the log turned over, and the mark is gone, then all of it is newer.
	! dmesg | awk -v mark="$2" 'index($0, mark) { n = 0; next } { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }' | grep -E "$bad"
	;;
*)
	echo 'usage: check-dmesg.sh mark|since NAME' >&2
	exit 2
	;;
esac
