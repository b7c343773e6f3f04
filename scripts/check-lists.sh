#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-lists.sh          - README.md's tables of reasons and counters are the lists of bpf/snp_stat.h, word for word.
# check-lists.sh --write  - put these tables between their marks in README.md.
set -eu
cd "$(dirname "$0")/.."

made=$(mktemp -d)
trap 'rm -r "$made"' EXIT

# The compiler reads the lists, as everybody else does: a row each, name and text.
# shellcheck disable=SC2016 # the backquotes are Markdown's
table() {
	echo '| name | what it counts |'
	echo '|---|---|'
	printf '#include "bpf/snp_stat.h"\n#define ROW(n, name, text) @ name | text @\n%s(ROW)\n' "$1" |
		${CC:-gcc} -iquote . -E -P -x c - | tr '\n' ' ' | tr '@' '\n' |
		sed -nE 's/^ *"([a-z0-9_]+)" \| "(.*)" *$/| `\1` | \2 |/p' | sed 's/" *"//g'
}

for list in SNP_REFUSALS SNP_COUNTERS; do
	table "$list" >"$made/$list"
	if [ "$(wc -l <"$made/$list")" -le 10 ] || ! grep -qxF "<!-- list $list -->" README.md; then
		echo "check-lists.sh: $list is not in bpf/snp_stat.h, or has no mark in README.md" >&2
		exit 1
	fi
done
awk -v made="$made" '
	/^<!-- list [A-Z_]+ -->$/ { print; while ((getline row < (made "/" $3)) > 0) print row; inside = 1 }
	/^<!-- end -->$/ { inside = 0 }
	!inside' README.md >"$made/README.md"
if [ "${1-}" = --write ]; then
	cat "$made/README.md" >README.md
elif ! diff -u README.md "$made/README.md" >&2; then
	echo 'README.md: a table is not that of bpf/snp_stat.h; scripts/check-lists.sh --write makes it so' >&2
	exit 1
fi
