#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-shell.sh - shellcheck over every tracked shell script, known by its first line, and what shells source.
set -eu
cd "$(dirname "$0")/.."
{
	git grep -lE '^#!/(bin/|usr/bin/env )(ba)?sh' -- scripts .ci snooper tests
	git ls-files -- 'snooper/conf/*.bash'
} | xargs -r shellcheck
