#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy on one file, with the flags of the Makefile. Remembers in BUILDDIR/lint what was clean, by the content of
# the file, of the headers it includes and of the configuration. Usage: B=BUILDDIR CHECK_FLAGS=... ci/tidy.sh FILE
set -u
: "${B:=build}"
file=$1
# omp.h is gcc's, and the only header of gcc's that clang may see: its stdatomic.h does not compile with clang.
mkdir -p "$B/lint"
ln -sf "$(gcc -print-file-name=include/omp.h)" "$B/lint/omp.h"
read -ra flags <<<"$CHECK_FLAGS -fopenmp -idirafter $B/lint"
case $file in bench/mpi/*)
    read -ra mpi < <(mpicc --showme:compile)
    flags+=("${mpi[@]}")
    ;;
esac
inputs=$(clang "${flags[@]}" -MM "$file" | tr -d '\\\n' | cut -d : -f 2)
# shellcheck disable=SC2086 # a list of files
stamp=$B/lint/$(cat .clang-tidy tests/.clang-tidy ci/tidy.sh $inputs | sha256sum | cut -d ' ' -f 1)
[ -e "$stamp" ] && exit 0
# Never several files in one process: the analyzer of clang 14 mistakes va_lists then.
# What it says of files in B is dropped: skeletons are generated.
said=$(clang-tidy --quiet "$file" -- "${flags[@]}" 2>&1 | grep -v 'warnings\? generated\.$' |
    awk -v generated="$B/" '/^[^ ].*: (error|warning): / { drop = index($0, generated) == 1 } !drop')
if grep -q 'error:' <<<"$said"; then
    printf '%s\n' "$said"
    exit 1
fi
touch "$stamp"
