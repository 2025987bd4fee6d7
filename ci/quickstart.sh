#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the quick suite on this machine, prints the report, and makes the page. Works without root, with fewer sources.
# Usage: B=BUILDDIR ci/quickstart.sh [OPTION of `metalgap run`...]
set -eu
cd "$(dirname "$0")/.."
: "${B:=build}"
metalgap=$B/metalgap
journal=$B/quickstart.jsonl
[ ! -e "$journal" ] || journal=$B/quickstart-$(date +%Y%m%d-%H%M%S).jsonl
page=${journal%.jsonl}.html

"$metalgap" detect
[ "$(id -u)" -eq 0 ] || echo "You are not root: sources that need it are left out and named in the report."
# --json: the report is printed below, not by the run, too
"$metalgap" run quick --json -o "$journal" "$@" >/dev/null
echo
"$metalgap" report "$journal"
"$metalgap" report "$journal" --format html -o "$page"
echo
echo "Journal: $(realpath "$journal")"
echo "Page:    $(realpath "$page") (one file, opens from disk in any browser)"
echo "What else could be measured here, and how to enable it: $metalgap doctor"
