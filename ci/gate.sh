#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A performance gate for any build server: runs the old and the new program in turn, and fails if the new one is slower
# by more than a limit. "Cannot tell" fails, too, unless GATE_ALLOW_UNKNOWN=1.
#
#   ci/gate.sh OLD-COMMAND NEW-COMMAND LIMIT     e.g. ci/gate.sh "./old/app in" "./new/app in" 0.5%
#
# GATE_BUDGET (default 10m) bounds the time, METALGAP names the program, GATE_DIR keeps the journals and junit.xml.
set -u
[ $# -eq 3 ] || { sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
metalgap=${METALGAP:-metalgap}
dir=${GATE_DIR:-$(mktemp -d)}

"$metalgap" run --ab "old=$1" --ab "new=$2" -o "$dir" --reps 20 --until "$3" --budget "${GATE_BUDGET:-10m}" --json ||
    exit $?
"$metalgap" gate --baseline "$dir/old.jsonl" --candidate "$dir/new.jsonl" --max-overhead "$3" --junit "$dir/junit.xml"
status=$?
echo "journals: $dir"
[ "$status" -eq 4 ] && [ "${GATE_ALLOW_UNKNOWN:-0}" = 1 ] && exit 0
exit "$status"
