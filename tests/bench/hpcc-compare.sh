#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Our STREAM, RandomAccess and ping-pong beside the same kernels in Debian's hpcc (package hpcc), in turn, on arrays of
# the same size. Prints for each figure the ratio ours / hpcc's so that above 1 is better, as the Hodges-Lehmann
# estimate of the paired log ratios with its 95 % interval (Wilcoxon signed rank), and whether "no worse than hpcc by
# more than 3 %" is shown, refuted or open.
# Usage: B=build PAIRS=10 GUPS_MORE=4 tests/bench/hpcc-compare.sh
#   About 45 s a pair with an optimised BLAS, 55 s without, of which RandomAccess has GUPS_MORE more of its own: it is
#   short, and the place of its pages differs from process to process.
#
# What is set equal:
#   STREAM        one process or thread on one CPU, N = 2896 gives hpcc arrays of 22.4 MB each. The best of ten passes
#                 counts, as STREAM reports it, and the other three kernels run between the passes, as in STREAM.
#   RandomAccess  one process or thread, a table of 32 MiB, 4 updates a word. Both per second of user CPU time, which
#                 other programs disturb least and which hpcc prints, of starting the streams and of the updates: neither
#                 counts the writing of the initial table.
#   ping-pong     two ranks bound to cores, 8 and 2,000,000 bytes; the fastest group counts (hpcc: the fastest
#                 measurement of each pair, averaged over both directions). hpcc never writes the buffer that it sends,
#                 so all of its pages are the kernel's one page of zeros, which stays in the first-level cache:
#                 MALLOC_PERTURB_ has the C library fill it, and it is memory as ours is.
#   memory        compacted before each program (as root): where the pages of a process lie is worth a third of the rate
#                 of random updates, and stays from one process to the next, which gets the pages that the last one freed
#
# A run of hpcc with one rank does STREAM and RandomAccess twice ("Star" and "Single" are the same then); ours run once
# before and once after it. A pair's ratio is that of the geometric means. The order of our kernels changes from pair to
# pair.
set -eu
: "${B:=build}" "${PAIRS:=10}" "${GUPS_MORE:=4}"
cd "$(dirname "$0")/../.."
B=$(cd "$B" && pwd)
for program in hpcc mpirun; do
    command -v "$program" >/dev/null || { echo "skipped: $program is not installed (apt-get install hpcc openmpi-bin)"; exit 0; }
done
[ "$(nproc)" -ge 2 ] || { echo "skipped: ping-pong needs two CPUs"; exit 0; }
make -s B="$B" "$B/tests/bench_once"
cpu=$(taskset -cp $$ | sed 's/.*[,: -]//') # the last that this may run on; both run there
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OPENBLAS_NUM_THREADS=1
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# One hpcc input: N, block size, ranks.
hpcc_input() {
    printf '%s\n' "HPLinpack benchmark input file" "hpcc" "HPL.out output file name (if any)" "8 device out" \
        "1 # of problems sizes (N)" "$1 Ns" "1 # of NBs" "$2 NBs" "0 PMAP" "1 # of process grids (P x Q)" "1 Ps" \
        "$3 Qs" "16.0 threshold" "1 # of panel fact" "2 PFACTs" "1 # of recursive stopping criterium" "4 NBMINs" \
        "1 # of panels in recursion" "2 NDIVs" "1 # of recursive panel fact." "1 RFACTs" "1 # of broadcast" \
        "1 BCASTs" "1 # of lookahead depth" "1 DEPTHs" "2 SWAP" "64 swapping threshold" "0 L1" "0 U" \
        "1 Equilibration" "8 memory alignment" "##### separator" "0 additional PTRANS sizes" "1200" \
        "0 additional PTRANS blocks" "40"
}

# Runs hpcc with that input in its folder: one rank on the CPU of our kernels, two on a core each. Leaves key=value lines
# in $work/$4.
run_hpcc() {
    local folder=$work/np$3 bind=core
    local here=()
    [ "$3" -gt 1 ] || { bind=none; here=(taskset -c "$cpu"); }
    mkdir -p "$folder"
    rm -f "$folder/hpccoutf.txt"
    hpcc_input "$1" "$2" "$3" >"$folder/hpccinf.txt"
    compact
    (cd "$folder" && MALLOC_PERTURB_=$((165 * ($3 > 1))) "${here[@]}" mpirun -np "$3" --bind-to "$bind" hpcc) >"$folder/log" 2>&1 || { tail "$folder/log"; exit 1; }
    sed -n '/^Begin of Summary/,/^End of Summary/p' "$folder/hpccoutf.txt" >"$work/$4"
    grep -q '^Success=1$' "$work/$4" || { echo "hpcc did not succeed"; exit 1; }
}

# hpcc of one rank as above, but without mpirun, which takes seconds to end it, and ended when it has done its RandomAccess, with which it begins: for more pairs of that figure
# in little time. There is no summary then; gups_of_hpcc reads the sections.
run_hpcc_gups() {
    local folder=$work/np1 hpcc ends
    rm -f "$folder/hpccoutf.txt"
    compact
    (cd "$folder" && exec taskset -c "$cpu" hpcc) >"$folder/log" 2>&1 &
    hpcc=$!
    for ((ends = 0; ends < 600; ends++)); do
        ! grep -q '^End of SingleRandomAccess section' "$folder/hpccoutf.txt" 2>/dev/null || break
        sleep 0.1
    done
    kill "$hpcc"
    wait "$hpcc" || true
    [ "$ends" -lt 600 ] || { tail "$folder/log"; echo "hpcc did no RandomAccess within a minute"; exit 1; }
}

# The kernel's free memory in large pieces again.
compact() { [ ! -w /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory; }

theirs() { sed -n "s/^$2=//p" "$work/$1"; }
ours() { "$B/tests/bench_once" "$1" "$2" "$3" "$B/mpi"; } # key=value words on one line
kernel() { compact; taskset -c "$cpu" "$B/tests/bench_once" "$1" "$2" 1; }
word() { tr ' ' '\n' <<<"$2" | sed -n "s/^$1=//p"; }
keep() { echo "$1 $2 $3" >>"$work/ratios"; } # figure, ours, theirs; both with higher = better

stream() { # kernel, words per element: GB/s in the best pass; after a warm-up, for hpcc has computed for seconds by then
    local line
    line=$(WARM_UP=1 kernel stream "{\"kernel\":\"$1\",\"bytes\":$((elements * 8)),\"passes\":10,\"order\":\"turn\"}")
    word steps_s "$line" | awk -F, "{
        best = \$1
        for (i = 2; i <= NF; i++) if (\$i < best) best = \$i
        print \"stream.$1\", $2 * 8 * $elements / best * 1e-9 }" >>"$work/ours"
}

gups() {
    local line
    line=$(WARM_UP=1 kernel gups "{\"bytes\":$((words * 8)),\"updates\":4}")
    awk "BEGIN { print \"gups\", 4 * $words / $(word user_s "$line") * 1e-9 }" >>"$work/ours"
}

# Our five kernels, beginning with another one each time.
our_turn() {
    local turn
    for turn in 0 1 2 3 4; do
        case $((($1 + turn) % 5)) in
            0) stream copy 2 ;;
            1) stream scale 2 ;;
            2) stream add 3 ;;
            3) stream triad 3 ;;
            4) gups ;;
        esac
    done
}

# Geometric mean of the values of one name.
mean_of() { awk -v name="$1" '$1 == name { sum += log($2); n++ } END { print exp(sum / n) }' "$2"; }

# hpcc's two values of each.
their_turn() {
    local kind
    for kind in Star Single; do
        echo "stream.copy $(theirs one ${kind}STREAM_Copy)"
        echo "stream.scale $(theirs one ${kind}STREAM_Scale)"
        echo "stream.add $(theirs one ${kind}STREAM_Add)"
        echo "stream.triad $(theirs one ${kind}STREAM_Triad)"
    done >"$work/theirs"
    gups_of_hpcc >>"$work/theirs"
}

# The two values of RandomAccess of the last run of one rank.
gups_of_hpcc() {
    local kind
    for kind in Star Single; do
        sed -n "/^Begin of ${kind}RandomAccess section/,/^End of/s/^CPU time used *= *\([0-9.]*\) seconds/\1/p" \
            "$work/np1/hpccoutf.txt" | awk "{ print \"gups\", 4 * $words / \$1 * 1e-9 }"
    done
}

# Of one figure: the geometric means of our values and theirs.
keep_means() { keep "$1" "$(mean_of "$1" "$work/ours")" "$(mean_of "$1" "$work/theirs")"; }

# A pair of RandomAccess alone.
gups_pair() {
    : >"$work/ours"
    gups
    run_hpcc_gups
    sleep 0.5
    gups
    gups_of_hpcc >"$work/theirs"
    keep_means gups
}

# Microseconds one way in the fastest group of round trips: fom is the mean over the groups.
fastest_us() {
    word steps_s "$1" | awk -F, "{
        best = \$1
        for (i = 2; i <= NF; i++) if (\$i < best) best = \$i
        print $(word fom "$1") * best * NF / $(word wall_s "$1") }"
}

pingpong() {
    local line
    compact
    line=$(ours mpi '{"program":"pingpong","bytes":8,"seconds":0.3}' 2)
    keep pingpong.latency "$(awk "BEGIN { print 1 / $(fastest_us "$line") }")" "$(awk "BEGIN { print 1 / $(theirs two AvgPingPongLatency_usec) }")"
    compact
    line=$(ours mpi '{"program":"pingpong","bytes":2000000,"seconds":0.3}' 2)
    keep pingpong.bandwidth "$(awk "BEGIN { print 2000000 / $(fastest_us "$line") * 1e-3 }")" "$(theirs two AvgPingPongBandwidth_GBytes)"
}

# What hpcc makes of N = 2896: elements of a STREAM array and words of the RandomAccess table.
run_hpcc 2896 128 1 one
elements=$(theirs one STREAM_VectorSize)
words=$(theirs one RandomAccess_N)
for pair in $(seq "$PAIRS"); do
    printf 'pair %d of %d\r' "$pair" "$PAIRS" >&2
    : >"$work/ours"
    our_turn "$pair"
    run_hpcc 2896 128 1 one
    sleep 0.5 # until hpcc and mpirun are really gone
    our_turn "$pair"
    their_turn
    for figure in stream.copy stream.scale stream.add stream.triad gups; do
        keep_means "$figure"
    done
    for _ in $(seq "$GUPS_MORE"); do
        gups_pair
    done
    for _ in 1 2 3; do # short, and noisier than the rest
        run_hpcc 100 32 2 two
        pingpong
    done
done

printf '%-20s %5s %12s %12s   %s\n' figure pairs ours hpcc "ratio [95 %]           at most 3 % worse"
awk '
    function sort(v, n, i, j, x) {
        for (i = 2; i <= n; i++) {
            x = v[i]
            for (j = i - 1; j >= 1 && v[j] > x; j--) v[j + 1] = v[j]
            v[j + 1] = x
        }
    }
    function middle(v, n) { return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }
    { n[$1]++; a[$1, n[$1]] = $2; b[$1, n[$1]] = $3; if (n[$1] == 1) order[++figures] = $1 }
    END {
        for (f = 1; f <= figures; f++) {
            name = order[f]; count = n[name]; walsh = 0
            for (i = 1; i <= count; i++) { x[i] = a[name, i]; y[i] = b[name, i]; d[i] = log(x[i] / y[i]) }
            for (i = 1; i <= count; i++) for (j = i; j <= count; j++) w[++walsh] = (d[i] + d[j]) / 2
            sort(w, walsh); sort(x, count); sort(y, count)
            k = int(count * (count + 1) / 4 - 1.96 * sqrt(count * (count + 1) * (2 * count + 1) / 24))
            if (k < 1) { printf "%-20s %5d  too few pairs for an interval\n", name, count; continue }
            low = exp(w[k]); high = exp(w[walsh + 1 - k])
            verdict = low >= 0.97 ? "yes" : high < 0.97 ? "no" : "cannot tell"
            printf "%-20s %5d %12.4g %12.4g   %.3f [%.3f, %.3f]  %s\n", name, count, middle(x, count), middle(y, count), exp(middle(w, walsh)), low, high, verdict
        }
    }' "$work/ratios"
echo "stream GB/s, gups GUP per user CPU second, latency 1/us, bandwidth GB/s: medians; higher is better"
