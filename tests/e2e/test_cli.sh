#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line itself: help, version, usage errors, and output that does not reach its reader.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

commands() {
    "$METALGAP" --help | sed -n 's/^  \([a-z]*\)  *[a-zA-Z].*/\1/p' | grep -v metalgap
}

test_help_and_version_go_to_stdout() {
    run 0 metalgap --help
    out_has '^Usage: metalgap COMMAND'
    fits_80_columns out
    cp out help
    for word in -h help; do
        run 0 metalgap "$word"
        cmp -s out help || fail "$word prints something else than --help"
    done
    run 0 metalgap --version
    out_has '^metalgap [0-9]+\.[0-9]+\.[0-9]+ \('
}

test_every_command_helps_with_examples() {
    local command
    [ -n "$(commands)" ] || fail "--help names no command"
    for command in $(commands); do
        run 0 metalgap "$command" --help
        out_has "^Usage: metalgap $command"
        out_has '^Example'
        fits_80_columns out
        cp out help
        run 0 metalgap help "$command"
        cmp -s out help || fail "help $command prints something else than $command --help"
        run 2 metalgap "$command" --no-such-option
        out_is_empty
        err_has 'no-such-option'
    done
}

test_man_pages_know_every_option() {
    local command option page
    for command in $(commands); do
        page=$METALGAP_ROOT/docs/metalgap-$command.1
        [ -s "$page" ] || fail "there is no page docs/metalgap-$command.1"
        sed 's/\\-/-/g' "$page" >plain
        run 0 metalgap "$command" --help
        grep -oE '^ +(-[a-z], )?--[a-z-]+' out | grep -oE -- '--[a-z-]+' | grep -v -- --help >options
        while read -r option; do
            grep -q -- "$option" plain || fail "docs/metalgap-$command.1 does not know $option"
        done <options
    done
}

test_usage_errors_go_to_stderr() {
    run 2 metalgap
    out_is_empty
    err_has 'Usage: metalgap'
    for word in no-such-command --no-such-option ''; do
        run 2 metalgap "$word"
        out_is_empty
        err_has 'there is no command'
    done
    run 2 metalgap help no-such-command
}

test_a_misspelt_command_is_recognised() {
    run 2 metalgap lsit
    err_has 'try: metalgap list'
    run 2 metalgap reprot
    err_has 'try: metalgap report'
    run 2 metalgap "$(printf '%02000d' 0)"
    err_has 'try: metalgap --help'
}

# All commands refuse wrong options in the same words: what was read, what is wrong, what to do.
test_wrong_options_are_refused_alike() {
    local command
    for command in $(commands); do
        run 2 metalgap "$command" --no-such-option
        [ "$(cat err)" = "metalgap: reading the options of \`metalgap $command\`: there is no option --no-such-option
  try: metalgap $command --help" ] || fail "$command says something else"
        run 2 metalgap "$command" -Q
        err_has 'there is no option -Q$'
    done
    run 2 metalgap report --limit
    err_has '\-\-limit needs a value$'
    run 2 metalgap run quick -o
    err_has ': -o needs a value$'
    run 2 metalgap detect --json=3
    err_has ': --json takes no value$'
    run 2 metalgap run --re 3
    err_has '\-\-re could be several options$'
}

# Without a home, a terminal's name or a locale, and into a pipe that nobody reads.
test_the_environment_may_be_empty() {
    run 0 env -i "$METALGAP" detect
    run 0 env -i LANG=C LC_ALL=C "$METALGAP" list causes
    ! LC_ALL=C grep -q '[^ -~]' out || fail 'not plain text'
    local code=0
    { metalgap list causes; echo $? >code; } 2>err | head -n 1 >/dev/null
    code=$(cat code)
    [ "$code" -eq 0 ] || [ "$code" -eq 141 ] || fail "a closed pipe ended with $code"
    [ ! -s err ] || fail 'a closed pipe is worth no word'
}

# shown COLUMNS ARGUMENT...: the longest line of what metalgap prints on a terminal of that width.
shown() {
    local columns=$1
    shift
    python3 "$METALGAP_ROOT/tests/e2e/terminal.py" "${columns}x24" -- "$METALGAP" "$@" >/dev/null
    sed 's/\x1b\[[0-9;]*m//g' screen | tr -d '\r' | wc -L
}

test_explanations_fit_the_terminal() {
    local wide
    wide=$(metalgap list causes | wc -L)
    { [ "$wide" -gt 70 ] && [ "$wide" -le 80 ]; } || fail "$wide columns where there is no terminal"
    [ "$(COLUMNS=50 metalgap list causes | wc -L)" -eq "$wide" ] || fail "COLUMNS counts where there is no terminal"
    unset COLUMNS
    [ "$(shown 200 list collectors)" -le 80 ] || fail "wider than 80 columns"
    [ "$(shown 40 list collectors)" -le 40 ] || fail "list is too wide for 40 columns: $(cat screen)"
    [ "$(shown 20 list collectors)" -le 40 ] || fail "list is too wide for 20 columns"
    [ "$(shown 60 doctor)" -le 60 ] || fail "doctor is too wide for 60 columns: $(cat screen)"
    [ "$(COLUMNS=55 shown 70 doctor)" -le 55 ] || fail "COLUMNS is not heeded on a terminal"
}

test_output_that_is_lost_is_an_error() {
    local code=0
    metalgap list causes >/dev/full 2>err || code=$?
    [ "$code" -eq 4 ] || fail "a full standard output ended with $code"
    err_has 'writing to standard output: No space left'
}

run_tests
