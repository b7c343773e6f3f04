#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-tests.sh - tests wait for events with a deadline: none of them sleeps for a time. intake.py measures what happens meanwhile.
set -eu
cd "$(dirname "$0")/.."
if git grep -nE '(^|[^a-z_])(u|nano)?sleep(\(| +[0-9.])' -- tests ':!tests/data' ':!tests/bench/intake.py' >&2; then
	echo 'a test that sleeps is slow and still races: wait for the event, with a deadline' >&2
	exit 1
fi
