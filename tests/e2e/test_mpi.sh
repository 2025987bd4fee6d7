#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The MPI programs between two ranks, and the preloaded library that tells who waited for whom.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
mpi=$(dirname "$METALGAP")/mpi
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# Two ranks; more than there are CPUs are no trouble for what is looked at here.
ranks() {
    command -v mpirun >/dev/null || skip "mpirun is not installed (apt-get install openmpi-bin)"
    run 0 mpirun -np 2 --oversubscribe --bind-to none "$@"
}

test_every_program_checks_its_result() {
    local program
    for program in pingpong allreduce alltoall barrier halo; do
        ranks "$mpi/$program" --bytes 1000 --seconds 0.05
        json out "v['program'] == '$program' and v['valid'] and v['fom'] > 0 and len(v['steps_s']) == 200"
    done
    run 0 metalgap run mpi --size small --only barrier --reps 1 --collectors none --quiet-wait 0s -o b.jsonl
    grep -q '"case":"barrier".*"valid":true' b.jsonl || grep -q '"valid":true' b.jsonl || fail "no valid barrier sample"
}

# 10 ms in one rank, before each sum: found, named, and of the right size. Where other programs hold the CPUs, the other
# rank is really late, too: then once more.
test_a_late_rank_is_found() {
    local try named
    for try in 1 2 3 4 5; do
        ranks env LD_PRELOAD="$mpi/libmetalgap-wait.so" METALGAP_MPI_WAIT=wait.json \
            "$mpi/allreduce" --seconds 0.5 --late-rank 1 --late-us 10000
        json wait.json "v['calls'] == v['compared'] and v['calls'] > 200 and [r['rank'] for r in v['ranks']] == [0, 1]"
        named="v['ranks'][1]['late'] >= 0.9 * v['calls'] and v['ranks'][1]['caused_s'] > 9 * v['ranks'][0]['caused_s']"
        (json wait.json "$named") >log 2>&1 && break
        echo "    try $try: the machine is busy"
    done
    json wait.json "$named"
    json wait.json "v['ranks'][0]['wait_s'] >= 0.95 * 0.010 * v['ranks'][1]['late']"
    json wait.json "abs(v['ranks'][1]['caused_s'] - v['ranks'][0]['wait_s']) <= 0.05 * v['ranks'][0]['wait_s']"
}

test_waiting_between_two_ranks_is_summed() {
    ranks env LD_PRELOAD="$mpi/libmetalgap-wait.so" METALGAP_MPI_WAIT=wait.json "$mpi/halo" --bytes 64 --seconds 0.05
    json wait.json "all(r['point_s'] > 0 for r in v['ranks'])"
}

# Debian's Fortran bindings call PMPI_... themselves, so a wrapper of the C symbols alone would see nothing.
test_fortran_is_seen() {
    command -v gfortran >/dev/null || skip "gfortran is not installed"
    command -v mpif90 >/dev/null || skip "mpif90 is not installed"
    local binding
    for binding in "include 'mpif.h'" "use mpi" "use mpi_f08"; do
        {
            echo "program sums"
            case $binding in use*) echo "$binding" ;; esac
            echo "implicit none"
            case $binding in include*) echo "$binding" ;; esac
            printf '%s\n' "integer :: code, i" "double precision :: one, two" "one = 1" "call MPI_Init(code)" "do i = 1, 25" \
                "call MPI_Allreduce(one, two, 1, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD, code)" "end do" \
                "call MPI_Finalize(code)" "if (two /= 2) stop 1" "end program"
        } >sums.f90
        mpif90 -o sums sums.f90 >log 2>&1 || fail "mpif90: $(head -n 3 log)"
        rm -f wait.json
        ranks env LD_PRELOAD="$mpi/libmetalgap-wait.so" METALGAP_MPI_WAIT=wait.json ./sums
        json wait.json "v['calls'] == 25 and v['compared'] == 25"
    done
}

test_a_run_tells_the_waiting() {
    command -v mpirun >/dev/null || skip "mpirun is not installed (apt-get install openmpi-bin)"
    [ "$(nproc)" -ge 2 ] || skip "two ranks need two CPUs"
    [ "$(id -u)" -eq 0 ] || skip "attribution samples need root"
    run 0 metalgap run mpi --size small --only barrier --reps 1 --quiet-wait 0s -o b.jsonl
    grep '"mode":"attribution"' b.jsonl | grep -q '"cause":"mpi.wait","scope":"latency".*"late":' || fail "no mpi.wait"
    ! grep '"mode":"timing"' b.jsonl | grep -q mpi.wait || fail "timing samples are preloaded, too"
}

# Without the library nothing is written, and without a file's name it says nothing.
test_it_is_silent_unless_asked() {
    ranks env LD_PRELOAD="$mpi/libmetalgap-wait.so" "$mpi/barrier" --seconds 0.01
    [ ! -s err ] || fail "it talks: $(head -n 3 err)"
    ranks env LD_PRELOAD="$mpi/libmetalgap-wait.so" METALGAP_MPI_WAIT=/nosuch/wait.json "$mpi/barrier" --seconds 0.01
    err_has '/nosuch/wait.json can.t be written: No such file'
}

run_tests
