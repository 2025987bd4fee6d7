#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line itself: help, version, usage errors.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_help_and_version_go_to_stdout() {
    run 0 metalgap --help
    out_has '^Usage: metalgap COMMAND'
    fits_80_columns out
    run 0 metalgap --version
    out_has '^metalgap [0-9]+\.[0-9]+\.[0-9]+ \('
}

test_usage_errors_go_to_stderr() {
    run 2 metalgap
    out_is_empty
    err_has 'Usage: metalgap'
    run 2 metalgap no-such-command
    out_is_empty
    err_has 'no-such-command'
    run 2 metalgap --no-such-option
    out_is_empty
}

run_tests
