#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap doctor`: a table for people, JSON for programs, and an ordinary user's view.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_every_source_and_collector_is_told() {
    run 0 metalgap doctor
    fits_80_columns out
    out_has '^  raw_tp +(works|no) '
    out_has '^  hardware pmu +(works|no) '
    out_has '^  steal +(active|degraded|unavailable) '
    out_has '^  guest_exits +(active|degraded|unavailable) '
}

test_json_says_why_and_what_to_do() {
    run 0 metalgap doctor --json
    json out 'v["schema"] == "metalgap.doctor/1"'
    json out 'all(c["reason"] for c in v["capabilities"] if not c["works"])'
    json out 'all(c["reason"] for c in v["collectors"] if c["state"] != "active")'
    json out '"null" not in [c["name"] for c in v["collectors"]]'
}

test_an_ordinary_user_is_told_what_root_adds() {
    [ "$(id -u)" -eq 0 ] || skip 'needs root, to become an ordinary user'
    chmod 755 .
    cp "$METALGAP" ./program
    run 0 setpriv --reuid=65534 --regid=65534 --clear-groups ./program doctor
    fits_80_columns out
    out_has 'ordinary user.* Root may also have'
    out_has '^  tracing rights, raw_tp'
    out_has '^  tracing rights +no '
    out_has 'try: run as root'
    out_has '^  guest_exits +unavailable '
    out_has '^  cpu +active '
}

test_wrong_words_are_refused() {
    run 2 metalgap doctor everything
    out_is_empty
    err_has 'everything'
}

run_tests
