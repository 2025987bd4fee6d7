#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ci/deps.sh: silent where all is there; without root it prints the one command to run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

deps=$METALGAP_ROOT/ci/deps.sh

# A dpkg-query that knows all packages but those named.
without() {
    mkdir -p bin
    {
        echo '#!/bin/sh'
        echo "for word; do case \$word in -*|*'{'*) ;; $1) ;; *) echo \"\$word installed\" ;; esac; done"
    } >bin/dpkg-query
    chmod 755 bin bin/dpkg-query
}

test_silent_where_all_is_there() {
    without nothing
    PATH=$PWD/bin:$PATH run 0 "$deps" build test lint bench fuzz
    out_is_empty
}

test_without_root_it_prints_the_command() {
    without 'gcc|clang'
    cp "$deps" deps.sh
    PATH=$PWD/bin:$PATH run 4 as_nobody "$PWD/deps.sh"
    err_has 'sudo apt-get install -y --no-install-recommends gcc clang$'
    PATH=$PWD/bin:$PATH run 0 as_nobody "$PWD/deps.sh" lint
}

test_a_group_that_does_not_exist() {
    run 2 "$deps" nonsense
    err_has 'nonsense'
}

run_tests
