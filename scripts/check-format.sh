#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-format.sh - every tracked C file is as clang-format would write it.
set -eu
cd "$(dirname "$0")/.."
git ls-files -z -- '*.c' '*.h' ':!tests/data/*' | xargs -0 -r clang-format --dry-run -Werror
