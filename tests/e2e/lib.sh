# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Helpers of the end-to-end tests. A test file sources this, defines functions test_NAME, and ends with `run_tests`.
# Each function runs in a shell and an empty folder of its own; the first check that fails ends it.
set -u

metalgap() {
    "$METALGAP" "$@"
}

# Ends the test: failed, with a message and what the last command printed.
fail() {
    printf '    %s\n' "$*"
    local stream
    for stream in out err; do
        [ -s "$stream" ] || continue
        printf '    --- %s of the last command:\n' "std$stream"
        head -n 30 "$stream" | cut -c 1-300 | sed 's/^/    /'
    done
    exit 1
}

# Ends the test: it cannot run here, because ...
skip() {
    printf '    %s\n' "$*"
    exit 77
}

# run CODE COMMAND...: runs it with output into the files out and err; its exit code must be CODE.
run() {
    local expected=$1 code=0
    shift
    "$@" >out 2>err </dev/null || code=$?
    [ "$code" -eq "$expected" ] || fail "\"$*\" ended with $code instead of $expected"
}

# The last run() printed this (extended regular expression) on standard output / error.
out_has() {
    grep -qE -- "$1" out || fail "standard output has nothing like \"$1\""
}
err_has() {
    grep -qE -- "$1" err || fail "standard error has nothing like \"$1\""
}
out_has_not() {
    ! grep -qE -- "$1" out || fail "standard output has something like \"$1\""
}
out_is_empty() {
    [ ! -s out ] || fail "standard output is not empty"
}
fits_80_columns() {
    local wide
    wide=$(awk '{ gsub(/[\200-\277]/, "") } length($0) > 80' "$1" | head -n 1)
    [ -z "$wide" ] || fail "$1 has a line of more than 80 columns: $wide"
}

# json FILE EXPRESSION: FILE is one JSON value, and the Python expression over it (`v`) is true.
json() {
    python3 - "$@" <<'PY' || fail "$1: not so: $2"
import json, sys
v = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
}

# lines FILE EXPRESSION: FILE is JSON Lines, every line ended, and the expression over the list `v` is true.
lines() {
    python3 - "$@" <<'PY' || fail "$1: not so: $2"
import json, sys
text = open(sys.argv[1], encoding="utf-8").read()
assert text == "" or text.endswith("\n"), "the last line is cut off"
v = [json.loads(line) for line in text.splitlines()]
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
}

# as_nobody COMMAND...: without privileges, in the current folder, which then belongs to nobody.
as_nobody() {
    [ "$(id -u)" -eq 0 ] || skip "needs root to become another user"
    chmod 711 ..
    chown nobody . || fail "cannot give the folder to nobody"
    setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent "$@"
}

# Runs every test_* function of the file, in the order of their definition.
run_tests() {
    local file name code passed=0 failed=0 skipped=0 top
    file=$(basename "$0" .sh)
    top=$(mktemp -d)
    # shellcheck disable=SC2013 # names have no blanks
    for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$0"); do
        mkdir "$top/$name"
        (cd "$top/$name" && "$name") >"$top/said" 2>&1
        code=$?
        case $code in
        0) printf 'ok    %s: %s\n' "$file" "$name"; passed=$((passed + 1)) ;;
        77) printf 'skip  %s: %s\n' "$file" "$name"; skipped=$((skipped + 1)) ;;
        *) printf 'FAIL  %s: %s\n' "$file" "$name"; failed=$((failed + 1)) ;;
        esac
        [ "$code" -eq 0 ] || cat "$top/said"
    done
    rm -rf "$top"
    echo "$passed $failed $skipped" >"$COUNTS"
    [ "$failed" -eq 0 ]
}
