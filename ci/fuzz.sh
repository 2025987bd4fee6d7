#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzz targets of tests/fuzz for FUZZ_RUNS inputs each (default 10^6) and sums up.
# The target `report`, which makes whole reports, gets a tenth of them.
# Usage: B=BUILDDIR ci/fuzz.sh [NAME...]
# What libFuzzer finds stays in BUILDDIR/fuzz/NAME.found/ between runs; crashes are named and kept there, too.
set -u
cd "$(dirname "$0")/.." || exit 5
unset MAKEFLAGS MFLAGS # a make below is one of its own, not part of the one that called this
ci/deps.sh build fuzz || exit
: "${B:=build}" "${FUZZ_RUNS:=1000000}"
if [ $# -eq 0 ]; then
    set -- tests/fuzz/fuzz_*.c
    set -- "${@#tests/fuzz/fuzz_}"
    set -- "${@%.c}"
fi

# Only the rooms that read what others wrote, instrumented; nothing here needs the kernel.
flags='-fsanitize=address,undefined -fno-sanitize-recover=all'
targets=()
for name in "$@"; do targets+=("$B/fuzz/fuzz_$name"); done
make --no-print-directory -j"$(nproc)" B="$B/fuzz" CC=clang ROOMS='core detect report' \
    CFLAGS="-O1 -g $flags -fsanitize=fuzzer-no-link" LDFLAGS="-no-pie -pthread $flags -fsanitize=fuzzer" "${targets[@]}" || exit

failed=0
for name in "$@"; do
    found=$B/fuzz/$name.found
    mkdir -p "$found"
    runs=$FUZZ_RUNS
    [ "$name" = report ] && runs=$((FUZZ_RUNS / 10))
    dictionary=()
    [ -f "tests/fuzz/$name.dict" ] && dictionary=("-dict=tests/fuzz/$name.dict")
    if "$B/fuzz/fuzz_$name" -runs="$runs" -max_len="${FUZZ_MAX_LEN:-2048}" -timeout=20 -rss_limit_mb=4096 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$found/" "${dictionary[@]}" "$found" "tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
        printf 'ok    %-10s %s inputs, %s per second\n' "$name" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log")" \
            "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$found.log")"
    else
        printf 'FAIL  %s\n' "$name"
        tail -n 60 "$found.log"
        failed=$((failed + 1))
    fi
done
printf 'fuzz: %d targets, %d failed\n' $# "$failed"
[ "$failed" -eq 0 ]
