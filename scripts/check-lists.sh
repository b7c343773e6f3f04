#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-lists.sh          - README.md's tables of reasons and counters are the lists of bpf/snp_stat.h, word for word.
# check-lists.sh --print  - write these tables, to be put between the marks in README.md.
set -eu
cd "$(dirname "$0")/.."

# The compiler reads the lists, as everybody else does: a row each, name and text.
# shellcheck disable=SC2016 # the backquotes are Markdown's
table() {
	echo '| name | what it counts |'
	echo '|---|---|'
	printf '#include "bpf/snp_stat.h"\n#define ROW(n, name, text) @ name | text @\n%s(ROW)\n' "$1" |
		${CC:-gcc} -iquote . -E -P -x c - | tr '\n' ' ' | tr '@' '\n' |
		sed -nE 's/^ *"([a-z0-9_]+)" \| "(.*)" *$/| `\1` | \2 |/p' | sed 's/" *"//g'
}
# What stands in README.md between <!-- list NAME --> and <!-- end -->.
written() {
	awk -v begin="<!-- list $1 -->" '$0 == begin { on = 1; next } $0 == "<!-- end -->" { on = 0 } on' README.md
}

status=0
for list in SNP_REFUSALS SNP_COUNTERS; do
	if [ "${1-}" = --print ]; then
		printf '<!-- list %s -->\n%s\n<!-- end -->\n' "$list" "$(table "$list")"
		continue
	fi
	wanted=$(table "$list")
	[ "$(printf '%s\n' "$wanted" | wc -l)" -gt 10 ] || { echo "check-lists.sh: cannot read $list" >&2; exit 1; }
	if [ "$(written "$list")" != "$wanted" ]; then
		echo "README.md: the table of $list is not that of bpf/snp_stat.h; scripts/check-lists.sh --print writes it" >&2
		status=1
	fi
done
exit $status
