#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lab's own tests, and its fast machines with the program inside.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

LAB=$METALGAP_ROOT/ci/lab

test_the_lab_reads_reports_and_descriptions() {
    command -v cpio >/dev/null || skip 'needs cpio'
    run 0 python3 "$LAB/selftest.py"
}

test_fast_machines() {
    command -v qemu-system-x86_64 >/dev/null || skip 'needs QEMU: ci/lab/lab deps --install'
    [ -e "${METALGAP_LAB_CACHE:-$HOME/.cache/metalgap-lab}/trees/linux-6.1-cloud" ] || skip 'needs kernels: ci/lab/lab fetch'
    [[ $METALGAP != */asan/* ]] || skip 'boots take too long under a sanitizer'
    run 0 "$LAB/lab" test --fast
    out_has '^[1-9][0-9]* passed, 0 failed, '
}

run_tests
