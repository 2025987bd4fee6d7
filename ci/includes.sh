#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that includes run in the allowed directions only. Usage: ci/includes.sh [ROOT]
# Prints every include that does not, and exits with 1 if there is one.
set -u
cd "${1:-.}" || exit 2

# A room (the longest matching folder wins) and the rooms that it may include besides itself.
# tests/ may include everything. bench/mpi and probes stand alone: they are programs of their own.
rooms='
core
detect core
report core
probes
collectors probes core
bench/kernels bench core
bench/mpi
bench bench/kernels collectors core
cli detect bench collectors report core
'
# Libraries that only some rooms may see: a report must build and run where they are not.
libraries='
mpi.h bench/mpi
bpf/ collectors probes
perfmon/ collectors
hwloc bench collectors detect
'

# shellcheck disable=SC2046 # a list of files without blanks
set -- $(find core detect report probes collectors bench cli -name '*.[ch]' 2>/dev/null)
[ $# -gt 0 ] || { echo "includes: no sources below $PWD"; exit 2; }
awk -v rooms="$rooms" -v libraries="$libraries" '
    BEGIN {
        count = split(rooms, row, "\n")
        for (i = 1; i <= count; i++) {
            n = split(row[i], word, " ")
            for (j = 1; j <= n; j++) allowed[word[1], word[j]] = 1
            if (n) known[word[1]] = 1
        }
        count = split(libraries, row, "\n")
        for (i = 1; i <= count; i++) {
            n = split(row[i], word, " ")
            for (j = 2; j <= n; j++) may_see[word[1], word[j]] = 1
            if (n) library[word[1]] = 1
        }
    }
    function room(path) {
        while (sub(/\/[^\/]*$/, "", path))
            if (path in known) return path
        return ""
    }
    function complain(why) {
        printf "%s:%d: %s %s\n", FILENAME, FNR, $0, why
        bad = 1
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, part, "\"")
        if (part[2] == "version.h") next
        from = room(FILENAME)
        to = room(part[2])
        if (to == "") complain("<- write it from the root: \"room/file.h\"")
        else if (!((from, to) in allowed)) complain("<- " from " must not include " to)
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        split($0, part, /[<>]/)
        from = room(FILENAME)
        for (name in library)
            if (index(part[2], name) == 1 && !((name, from) in may_see)) complain("<- not in " from)
    }
    END { exit bad }' "$@"
