#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-lists.sh          - README.md's tables of reasons and counters are the lists of the headers, word for word.
# check-lists.sh --write  - put these tables between their marks in README.md.
set -eu
cd "$(dirname "$0")/.."

made=$(mktemp -d)
trap 'rm -r "$made"' EXIT

# table HEADER LIST COLUMN: the compiler reads the list, as everybody else does: a row each, name and text.
# shellcheck disable=SC2016 # the backquotes are Markdown's
table() {
	echo "| name | $3 |"
	echo '|---|---|'
	printf '#include "%s"\n#define ROW(n, name, text) @ name | text @\n%s(ROW)\n' "$1" "$2" |
		${CC:-gcc} -iquote . -E -P -x c - | tr '\n' ' ' | tr '@' '\n' |
		sed -nE 's/^ *"([a-z0-9_-]+)" \| "(.*)" *$/| `\1` | \2 |/p' | sed 's/" *"//g'
}

for list in SNP_REFUSALS SNP_COUNTERS SNP_DEGRADATIONS; do
	header=bpf/snp_stat.h says='what it counts'
	[ "$list" = SNP_DEGRADATIONS ] && header=snooper/core/status.h says='what it means'
	table "$header" "$list" "$says" >"$made/$list"
	if [ "$(wc -l <"$made/$list")" -le 10 ] || ! grep -qxF "<!-- list $list -->" README.md; then
		echo "check-lists.sh: $list is not in $header, or has no mark in README.md" >&2
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
	echo 'README.md: a table is not that of the headers; scripts/check-lists.sh --write makes it so' >&2
	exit 1
fi
