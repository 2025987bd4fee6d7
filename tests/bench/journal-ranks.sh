#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the journal of a run of 576 ranks on 16 nodes costs: seconds between samples for gathering what the agents found and
# writing a line for each rank (synced to disk), beside the time of rank 0 (goal: 1 % at most). Ranks, nodes and the launcher
# are simulated: a stand-in for mpirun starts 16 agents under names of their own and, for each sample, 576 guards with a
# sleeping rank each, all on this machine. Everything of ours is real, the agents' collectors included.
# Usage: B=build RANKS=576 NODES=16 SECONDS_A_RANK=5 REPS=4 tests/bench/journal-ranks.sh
set -eu
: "${B:=build}" "${RANKS:=576}" "${NODES:=16}" "${SECONDS_A_RANK:=5}" "${REPS:=4}"
cd "$(dirname "$0")/../.."
B=$(cd "$B" && pwd)
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 0; }
work=$(mktemp -d -p "$B")
trap 'rm -rf "$work"' EXIT
cat >"$work/mpirun" <<'END'
#!/usr/bin/env python3
import os, signal, subprocess, sys
nodes, ranks = int(os.environ["SIMULATED_NODES"]), int(os.environ["SIMULATED_RANKS"])
program = sys.argv[next(i for i, word in enumerate(sys.argv) if word.endswith("/metalgap")):]
agents = "serve" in program
count = nodes if agents else ranks
def start(rank):
    node = rank if agents else rank * nodes // ranks
    return subprocess.Popen(program, env=dict(os.environ, SLURMD_NODENAME=f"node{node}", OMPI_COMM_WORLD_RANK=str(rank),
        OMPI_COMM_WORLD_SIZE=str(count), OMPI_COMM_WORLD_LOCAL_SIZE=str(count // nodes)))
children = [start(rank) for rank in range(count)]
def stop(number, frame):
    for child in children:
        child.terminate()
signal.signal(signal.SIGTERM, stop)
sys.exit(max(abs(child.wait()) for child in children))
END
chmod +x "$work/mpirun"
SIMULATED_NODES=$NODES SIMULATED_RANKS=$RANKS "$B/metalgap" run -o "$work/j.jsonl" --reps "$REPS" --quiet-wait 0 \
    --collectors steal,cpu --json --launch "$work/mpirun -np $RANKS" -- sleep "$SECONDS_A_RANK" >"$work/summary" 2>"$work/log" ||
    { cat "$work/log"; exit 1; }
python3 - "$work" "$RANKS" "$SECONDS_A_RANK" <<'END'
import json, os, sys
work, ranks, rank0 = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
v = [json.loads(line) for line in open(f"{work}/j.jsonl")]
summary = json.load(open(f"{work}/summary"))
samples = [l for l in v if l["t"] == "sample"]
zero = [s for s in samples if s["rank"] == 0]
assert len(samples) == ranks * len(zero) and all(s["valid"] for s in samples), "not all ranks have a valid line"
each = summary["recording_s"] / len(zero)
print(f"{len(zero)} samples of {ranks} ranks on {len(v[0]['nodes'])} nodes, {os.path.getsize(work + '/j.jsonl') / len(zero) / 1e3:.0f} kB a sample")
print(f"gathering and writing: {each * 1e3:.1f} ms a sample, {100 * each / rank0:.2f} % of rank 0's {rank0:.1f} s (goal: 1 % at most)")
print(f"so 1 % is kept by samples of {each * 100:.1f} s and more")
END
