#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-size.sh - a file fits a reader: warned about above 500 lines (headers 150), refused above 800.
set -eu
cd "$(dirname "$0")/.."
git ls-files -- '*.c' '*.h' '*.py' '*.sh' 'scripts/*' ':!tests/data/*' | xargs -r awk '
	function judge(name, lines) {
		# A .bpf.h holds code: the kernel side has no other way to share it.
		warn = name ~ /\.h$/ && name !~ /\.bpf\.h$/ ? 150 : 500
		if (lines > 800) {
			printf "%s: error: %d lines, 800 at most\n", name, lines
			failed = 1
		} else if (lines > warn) {
			printf "%s: warning: %d lines, better below %d\n", name, lines, warn
		}
	}
	FNR == 1 && NR > 1 { judge(name, lines) }
	{ name = FILENAME; lines = FNR }
	END { if (NR) judge(name, lines); exit failed }' >&2
