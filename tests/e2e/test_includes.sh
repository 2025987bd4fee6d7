#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The check of include directions refuses what it should, and takes our own tree.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

includes() { # FILE LINE: a tree with this one include
    mkdir -p "$(dirname "tree/$1")" tree/core
    echo '// a comment: "report/x.h"' >tree/core/ok.h
    printf '#include "core/ok.h"\n%s\n' "$2" >"tree/$1"
}

refused() {
    includes "$1" "$2"
    run 1 "$METALGAP_ROOT/ci/includes.sh" tree
    out_has "^$1:2: "
    rm -r tree
}

accepted() {
    includes "$1" "$2"
    run 0 "$METALGAP_ROOT/ci/includes.sh" tree
    out_is_empty
    rm -r tree
}

test_wrong_directions_are_refused() {
    refused report/a.c '#include "bench/bench.h"'
    refused report/a.c '#include "detect/platform.h"'
    refused core/a.h '#include "report/model.h"'
    refused detect/a.c '  #  include "collectors/collector.h"'
    refused collectors/a.c '#include "bench/bench.h"'
    refused bench/mpi/a.c '#include "bench/bench.h"'
    refused bench/kernels/a.c '#include "collectors/collector.h"'
    refused bench/a.c '#include "cli/command.h"'
    refused report/a.c '#include <bpf/libbpf.h>'
    refused bench/a.c '#include <mpi.h>'
    refused core/a.c '#include "error.h"'
}

test_right_directions_are_accepted() {
    accepted cli/a.c '#include "report/model.h"'
    accepted bench/a.c '#include "collectors/collector.h"'
    accepted bench/kernels/a.c '#include "bench/bench.h"'
    accepted collectors/a.c '#include "probes/steal.skel.h"'
    accepted cli/a.c '#include "version.h"'
    accepted report/a.c '#include <stdio.h>'
}

test_our_own_tree_is_clean() {
    run 0 "$METALGAP_ROOT/ci/includes.sh" "$METALGAP_ROOT"
}

run_tests
