#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hpcc, GROMACS and OpenFOAM through `metalgap run nitro-hpc` beside the same command by hand, in turn: the same input, the
# same words of mpirun, the figure that the program prints (OpenFOAM: wall time, since it prints CPU time). Prints for each
# the ratio by metalgap / by hand so that above 1 is worse, as the Hodges-Lehmann estimate of the paired log ratios with its
# 95 % interval (Wilcoxon signed rank), and whether the interval holds 1.
# By metalgap is a timing sample with all collectors. Usage: B=build PAIRS=8 SIZE=small tests/bench/apps-by-hand.sh [CASE...]
# (hpl, gromacs, openfoam; all three without arguments; 6, 14 and 4 s a pair, so three to four minutes). Programs come from
# `make deps-apps`; without them their case is left out.
set -eu -o pipefail
: "${B:=build}" "${PAIRS:=8}" "${SIZE:=small}"
cd "$(dirname "$0")/../.."
B=$(cd "$B" && pwd)
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 0; }
cases=()
for pair in hpl:hpcc gromacs:gmx openfoam:simpleFoam; do
    program=${pair#*:}
    [ $# -eq 0 ] || [[ " $* " == *" ${pair%:*} "* ]] || continue
    if command -v "$program" >/dev/null; then
        cases+=("${pair%:*}")
    else
        echo "without ${pair%:*}: $program is not installed (make deps-apps)"
    fi
done
[ ${#cases[@]} -gt 0 ] || { echo "skipped: none of the programs is installed (make deps-apps)"; exit 0; }
unset OMP_NUM_THREADS # nproc obeys it
cpus=$(nproc)
ranks=$(lscpu -p=core,socket | grep -v '^#' | sort -u | wc -l)
[ "$ranks" -le "$cpus" ] || ranks=$cpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache WM_PROJECT_DIR=/usr/share/openfoam GMX_MAXBACKUP=-1
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# One more sample of a case into its journal. The first run of a case also prepares its input.
by_metalgap() {
    "$B/metalgap" run nitro-hpc --size "$SIZE" --only "$1" --reps "$2" --resume --quiet-wait 0 --collectors steal,cpu,guest_exits \
        -o "$work/$1.jsonl" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
    ! grep 'sample.* is not valid' "$work/log" >&2 || exit 1
}

# The input that metalgap has prepared, of the application with this file in it, copied afresh.
fresh() {
    local deck
    deck=$(find "$work/cache" -path "*/deck/$1" -print -quit)
    deck=${deck%/"$1"}
    rm -rf "$work/hand"
    cp -r "$deck" "$work/hand"
}

# A command in the folder made by fresh(), its output into a log through a pipe, as metalgap reads it: mpirun is slower by a
# quarter where its output is a file.
typed() {
    (cd "$work/hand" && "$@" 2>&1 | cat >"$work/log") || { tail "$work/log" >&2; exit 1; }
}

# As anyone would type it. Prints a cost: smaller is better.
by_hand() {
    local begin end
    case $1 in
    hpl)
        fresh hpccinf.txt
        typed env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 mpirun -np "$ranks" --bind-to core hpcc
        sed -n 's/^HPL_Tflops=//p' "$work/hand/hpccoutf.txt" | awk '{ print 1 / $1 }'
        ;;
    gromacs)
        fresh md.tpr
        typed gmx -quiet mdrun -s md.tpr -deffnm md -resethway -noconfout -ntmpi 1 -ntomp "$cpus"
        sed -n 's/^Performance: *\([0-9.]*\).*/\1/p' "$work/hand/md.log" | awk '{ print 1 / $1 }'
        ;;
    openfoam)
        fresh system/controlDict
        begin=$EPOCHREALTIME
        typed mpirun -np "$ranks" --bind-to core simpleFoam -parallel
        end=$EPOCHREALTIME
        echo "$begin $end" | awk '{ print $2 - $1 }'
        ;;
    esac
}

for name in "${cases[@]}"; do
    by_metalgap "$name" 1 # prepares, and warms the caches
done
for pair in $(seq "$PAIRS"); do
    for name in "${cases[@]}"; do
        [ $((pair % 2)) -eq 0 ] || by_hand "$name" >>"$work/$name.hand"
        by_metalgap "$name" $((pair + 1))
        [ $((pair % 2)) -ne 0 ] || by_hand "$name" >>"$work/$name.hand"
    done
done

python3 - "$work" "${cases[@]}" <<'END'
import json, math, statistics, sys
work, cases = sys.argv[1], sys.argv[2:]
print(f"{'case':<10} {'pairs':>5} {'by metalgap':>12} {'by hand':>12}   ratio [95 %]            holds 1")
for name in cases:
    v = [json.loads(line) for line in open(f"{work}/{name}.jsonl")]
    samples = [s for s in v if s["t"] == "sample" and s["mode"] == "timing"][1:]
    assert all(s["valid"] for s in samples), f"{name}: a sample is not valid: {[s.get('why') for s in samples]}"
    ours = [s["wall_s"] if name == "openfoam" else 1 / s["fom"] for s in samples]
    hand = [float(line) for line in open(f"{work}/{name}.hand")]
    d = [math.log(a / b) for a, b in zip(ours, hand, strict=True)]
    n = len(d)
    walsh = sorted((d[i] + d[j]) / 2 for i in range(n) for j in range(i, n))
    k = int(n * (n + 1) / 4 - 1.96 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
    if k < 1:
        print(f"{name:<10} {n:>5}  too few pairs for an interval")
        continue
    low, high = math.exp(walsh[k - 1]), math.exp(walsh[-k])
    print(f"{name:<10} {n:>5} {statistics.median(ours):>12.4g} {statistics.median(hand):>12.4g}   "
          f"{math.exp(statistics.median(walsh)):.3f} [{low:.3f}, {high:.3f}]   {'yes' if low <= 1 <= high else 'NO'}")
print("hpl s/Tflop, gromacs days/ns, openfoam seconds: medians; smaller is better")
END
