#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A run over four hosts: network namespaces with names and addresses of their own, which mpirun reaches through a launch
# agent that enters them instead of ssh. Ranks, agents and hosts die; the journal says so and the run goes on.
. tests/e2e/lib.sh

# Four hosts on one bridge; they are gone when the test ends. Sets HOSTS (their names) and LAUNCH (the launcher).
hosts_up() {
    local i id=$((BASHPID % 100000)) net=$((BASHPID % 250 + 1))
    command -v mpirun >/dev/null || skip "mpirun is not here: apt-get install openmpi-bin"
    command -v ip >/dev/null || skip "ip is not here: apt-get install iproute2"
    [ "$(id -u)" -eq 0 ] || skip "needs root to make network namespaces"
    ip netns add "mg$id-1" 2>err || skip "network namespaces cannot be made here: $(cat err)"
    HOSTS="mg$id-1 mg$id-2 mg$id-3 mg$id-4" BRIDGE="mgb$id"
    # shellcheck disable=SC2064 # the names as they are now
    trap "hosts_down" EXIT
    ip link add "$BRIDGE" type bridge 2>err || skip "bridges cannot be made here: $(cat err)"
    ip addr add "10.77.$net.254/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    i=0
    for host in $HOSTS; do
        i=$((i + 1))
        [ $i -eq 1 ] || ip netns add "$host"
        ip link add "mgv$id-$i" type veth peer name eth0 netns "$host" || skip "veth pairs cannot be made here"
        ip link set "mgv$id-$i" master "$BRIDGE" up
        ip -n "$host" link set lo up
        ip -n "$host" addr add "10.77.$net.$i/24" dev eth0
        ip -n "$host" link set eth0 up
        echo "$host slots=1"
    done >hosts
    # As sshd does: a session of its own, and nothing of the environment. The host's name is its namespace's, and so is the
    # folder for temporary files.
    mkdir tmp
    export TMPDIR=$PWD/tmp
    cat >enter <<'END'
#!/bin/sh
host=$1
shift
exec ip netns exec "$host" env -i HOME="$HOME" PATH="$PATH" setsid --wait unshare --uts --mount sh -c \
    'hostname "$1" && mount -t tmpfs tmpfs "$2" && shift 2 && exec sh -c "$*"' sh "$host" "$TMPDIR" "$@"
END
    chmod +x enter
    LAUNCH="mpirun --hostfile $PWD/hosts --mca plm_rsh_agent $PWD/enter --mca btl tcp,self --mca btl_tcp_if_include eth0 \
        --mca mpi_yield_when_idle 1"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
}

processes_of() {
    ip netns pids "$1"
}

hosts_down() {
    local host pid
    for host in $HOSTS; do
        for pid in $(processes_of "$host"); do
            kill -9 "$pid" 2>/dev/null
        done
        ip netns del "$host"
    done
    ip link del "$BRIDGE"
}

# Waits for a process on host $1 whose command line matches $2 and prints its number.
process_on() {
    local pid
    for _ in $(seq 300); do
        for pid in $(processes_of "$1" 2>/dev/null); do
            if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qE -- "$2"; then
                echo "$pid"
                return
            fi
        done
        sleep 0.1
    done
    return 1
}

host() {
    echo "$HOSTS" | cut -d ' ' -f "$1"
}

nothing_left() {
    local host
    for host in $HOSTS; do
        [ -z "$(processes_of "$host")" ] || fail "there are processes left on $host: $(processes_of "$host" | xargs ps -o args= -p)"
    done
}

test_a_suite_runs_over_four_hosts() {
    hosts_up
    cat >app.json <<'END'
{"schema": "metalgap.app/1", "name": "standin", "run": ["${launcher}", "sh", "-c", "sleep 0.1; echo Step; echo \"Speed: 42\""],
 "steps": {"pattern": "^Step"},
 "foms": {"speed": {"pattern": "^Speed: ([0-9.]+)", "unit": "1/s", "better": "higher"}},
 "valid": [{"pattern": "^Step", "count": 4, "why": "not all ranks have done their step"}]}
END
    cat >s.json <<'END'
{"schema": "metalgap.suite/1", "name": "nodes", "reps": 1, "include": ["mpi"], "cases": [
  {"case": "standin", "bench": "application", "params": {"app": "./app.json"}}]}
END
    export XDG_CACHE_HOME=$PWD/cache
    run 0 metalgap run s.json --size small -o j.jsonl --quiet-wait 0 --collectors steal,cpu --launch "$LAUNCH -np 4"
    lines j.jsonl 'v[0]["nodes"] == "'"$HOSTS"'".split() and v[0]["host"] == v[0]["nodes"][0]'
    lines j.jsonl '[l["node"] for l in v if l["t"] == "node"] == v[0]["nodes"][1:]'
    lines j.jsonl 'all(l["platform"]["schema"] and l["topology"]["cpus"] and l["circumstances"] and l["collectors"] and
        l["calibration"] for l in v if l["t"] in ("node", "header"))'
    # a line for each rank, each on a host of its own, and what the host's agent found on it
    grep '"t":"sample"' j.jsonl | grep '"mode":"timing"' >timing.jsonl
    lines timing.jsonl 'len({s["case"] for s in v}) > 8 and "standin" in {s["case"] for s in v}'
    lines timing.jsonl '[s["rank"] for s in v] == [0, 1, 2, 3] * len({s["case"] for s in v})'
    lines timing.jsonl 'all(s["node"] == "'"$HOSTS"'".split()[s["rank"]] for s in v)'
    lines timing.jsonl 'all(s["valid"] and s["circumstances"]["rank_cpu_s"] >= 0 for s in v)'
    lines timing.jsonl 'all("foreign_cpu" in s["circumstances"] and s["obs"] for s in v)'
    # the figure of merit is the job's, not each rank's
    lines timing.jsonl 'all(("fom" in s) == (s["rank"] == 0) for s in v)'
    lines j.jsonl 'not [l for l in v if l["t"] == "note" and "differs" in l["text"]]' # one kernel, one machine
    nothing_left
    run 0 metalgap report j.jsonl --format json
    json out 'all(c["subject"]["n"] == 1 for c in v["cases"])' # four lines are one observation
    # what is there is counted once for all ranks: one more sample
    run 0 metalgap run s.json --size small -o j.jsonl --quiet-wait 0 --collectors none --launch "$LAUNCH -np 4" --reps 2 \
        --resume --only standin
    lines j.jsonl '[s["seq"] for s in v if s["t"] == "sample" and s["case"] == "standin" and s["mode"] == "timing"] == [0] * 4 + [1] * 4'
}

# What the ranks wait for each other is written by rank 0, on whose host nothing is this machine's but the programs.
test_waiting_is_told_from_hosts_that_share_no_folder_with_us() {
    hosts_up
    run 0 metalgap run mpi --only barrier --size small --reps 1 -o j.jsonl --quiet-wait 0 --collectors exit_profiler \
        --launch "$LAUNCH -np 4"
    grep '"mode":"attribution"' j.jsonl >attribution.jsonl || skip "there are no attribution samples here"
    lines attribution.jsonl 'all(s["valid"] for s in v)'
    lines attribution.jsonl 'all([o["detail"]["rank"] for o in s["obs"] if o["cause"] == "mpi.wait"] == [s["rank"]] for s in v)'
    lines attribution.jsonl 'all(o["detail"]["node"] == s["node"] for s in v for o in s["obs"] if o["cause"] == "mpi.wait")'
    nothing_left
}

# Two figures of hpcc from one run, and OpenFOAM where it is, pitzDaily and motorBike: ranks on four hosts, one journal. Their
# environment comes along, and their input is made for as many ranks as --launch says.
test_applications_run_over_four_hosts() {
    local examples=/usr/share/doc/openfoam-examples/examples/incompressible/simpleFoam/motorBike more="" cases=2
    command -v hpcc >/dev/null || skip "hpcc is not here: apt-get install hpcc"
    hosts_up
    if command -v simpleFoam >/dev/null && [ -d "$examples" ]; then
        more=', {"case": "openfoam", "bench": "application", "params": {"app": "openfoam"}},
            {"case": "motorbike", "bench": "application", "params": {"app": "motorbike", "set": {"iterations": 3}}}' cases=4
    fi
    cat >s.json <<END
{"schema": "metalgap.suite/1", "name": "hosts", "reps": 1, "cases": [
  {"case": "hpcc", "bench": "application", "params": {"app": "hpcc", "set": {"n": 200, "nb": 32}},
   "sweep": {"fom": ["hpl", "latency"]}}$more]}
END
    export XDG_CACHE_HOME=$PWD/cache
    run 0 metalgap run s.json --size small -o j.jsonl --quiet-wait 0 --collectors steal,cpu --launch "$LAUNCH -np 4"
    grep '"t":"sample"' j.jsonl >samples.jsonl
    lines samples.jsonl 'len(v) == 4 * '$cases' and all(s["valid"] for s in v)'
    lines samples.jsonl '[s["node"] for s in v] == "'"$HOSTS"'".split() * '$cases
    lines samples.jsonl 'all(s["circumstances"]["rank_cpu_s"] > 0 and "foreign_cpu" in s["circumstances"] for s in v)'
    lines samples.jsonl 'all(s["fom"] > 0 for s in v if s["rank"] == 0)'
    lines samples.jsonl 'len({s["start_ns"] for s in v if s["rank"] == 0}) == '$((cases - 1))
    lines samples.jsonl 'any(s["case"] == "hpcc[fom=hpl]" and "ranks: 4" in s["circumstances"].get("info", "") for s in v)'
    [ -n "$more" ] || echo "    OpenFOAM is not here, so without it: make deps-apps"
    nothing_left
}

# Starts a run of sleeping ranks in the background; what is killed is the caller's.
start_sleepers() {
    "$METALGAP" run -o j.jsonl --quiet-wait 0 --collectors none --reps 2 --launch "$LAUNCH -np 4" -- sleep 2.25 >out 2>err </dev/null &
    RUN=$!
}

# The first sample ended with this reason, the second is whole, and nothing is left on any host.
ended_with() {
    wait "$RUN" || fail "the run ended with $?"
    lines j.jsonl 'not any(s["valid"] for s in v if s["t"] == "sample" and s["seq"] == 0)'
    lines j.jsonl 'all(__import__("re").search(r"'"$1"'", s["why"]) for s in v if s["t"] == "sample" and s["seq"] == 0)'
    lines j.jsonl '[s["rank"] for s in v if s["t"] == "sample" and s["seq"] == 1 and s["valid"]] == [0, 1, 2, 3]'
    lines j.jsonl 'v[-1]["t"] == "end" and v[-1]["status"] == "complete"'
    nothing_left
    run 0 metalgap report j.jsonl
}

test_a_rank_that_dies_ends_its_sample() {
    hosts_up
    start_sleepers
    kill -9 "$(process_on "$(host 3)" '^sleep 2.25')"
    ended_with "^rank 2 on the node $(host 3): it was ended by signal 9"
    lines j.jsonl 'len([s for s in v if s["t"] == "sample" and s["seq"] == 0]) == 4'
}

test_an_agent_that_dies_ends_its_sample() {
    hosts_up
    start_sleepers
    process_on "$(host 1)" '^sleep 2.25' >/dev/null
    kill -9 "$(process_on "$(host 2)" 'agent serve')"
    ended_with "^the agent on the node $(host 2) is gone"
    lines j.jsonl 'any("started anew" in l["text"] for l in v if l["t"] == "note")'
}

test_a_host_that_dies_ends_its_sample() {
    hosts_up
    start_sleepers
    process_on "$(host 4)" '^sleep 2.25' >/dev/null
    # shellcheck disable=SC2046 # a list of numbers
    kill -9 $(processes_of "$(host 4)")
    ended_with "$(host 4)"
}

test_an_interrupted_run_leaves_nothing_on_the_hosts() {
    hosts_up
    start_sleepers
    process_on "$(host 2)" '^sleep 2.25' >/dev/null
    kill -TERM "$RUN"
    wait "$RUN"
    lines j.jsonl 'v[-1]["t"] == "end" and v[-1]["status"] == "stopped"'
    nothing_left
}

test_a_killed_runner_leaves_nothing_on_the_hosts() {
    local host
    hosts_up
    start_sleepers
    process_on "$(host 2)" '^sleep 2.25' >/dev/null
    kill -KILL "$RUN"
    wait "$RUN"
    for _ in $(seq 100); do # the launchers clean up
        for host in $HOSTS; do
            processes_of "$host"
        done | grep -q . || break
        sleep 0.1
    done
    nothing_left
}

run_tests
