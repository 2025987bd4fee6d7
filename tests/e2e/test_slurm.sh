#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A run through a real Slurm: controller, two node daemons and munge of a configuration of the test's own. The nodes are
# this machine twice; each daemon has a mount namespace, since they would share folders of PMIx otherwise.
. tests/e2e/lib.sh

slurm_up() {
    local program host node
    for program in slurmctld slurmd srun salloc munged; do
        command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
            skip "$program is not here: ci/deps.sh slurm"
    done
    [ "$(id -u)" -eq 0 ] || skip "needs root to start Slurm's daemons"
    unshare --mount --uts true 2>/dev/null || skip "mount namespaces cannot be made here"
    PATH=$PATH:/usr/sbin
    host=$(hostname -s)
    PORT=$((20000 + BASHPID % 20000)) S=$PWD/slurm
    mkdir -p "$S/munge" "$S/state" "$S/pmix"
    chmod 711 "$S" "$S/munge"
    chmod 755 . ..
    dd if=/dev/urandom of="$S/munge/key" bs=128 count=1 status=none
    chmod 600 "$S/munge/key"
    cat >"$S/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
AuthInfo=socket=$S/munge/socket
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool-%n
SlurmctldPidFile=$S/slurmctld.pid
SlurmdPidFile=$S/slurmd-%n.pid
SlurmctldLogFile=$S/slurmctld.log
SlurmdLogFile=$S/slurmd-%n.log
ProctrackType=proctrack/linuxproc
SwitchType=switch/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=1
SlurmdParameters=config_overrides
NodeName=sn1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 1)) CPUs=2
NodeName=sn2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 2)) CPUs=2
PartitionName=p Nodes=sn[1-2] Default=YES MaxTime=INFINITE State=UP
END
    echo "PMIxCliTmpDirBase=$S/pmix" >"$S/mpi.conf"
    export SLURM_CONF=$S/slurm.conf
    unset SLURM_JOB_ID
    trap slurm_down EXIT
    munged --force --key-file="$S/munge/key" --socket="$S/munge/socket" --pid-file="$S/munge/pid" \
        --log-file="$S/munge/log" --seed-file="$S/munge/seed" 2>err || skip "munge does not start here: $(cat err)"
    slurmctld -c 2>err || skip "slurmctld does not start here: $(cat err)"
    for node in sn1 sn2; do
        # shellcheck disable=SC2016 # the inner shell's
        unshare --mount --uts sh -c 'hostname "$1" && mount -t tmpfs tmpfs "$2" && exec slurmd -N "$1"' sh \
            "$node" "$S/pmix" 2>err || skip "slurmd does not start here: $(cat err)"
    done
    for _ in $(seq 100); do
        [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && return
        sleep 0.1
    done
    skip "Slurm's nodes do not come up here: $(sinfo 2>&1) $(tail -n 3 "$S"/slurmd-sn1.log)"
}

# Ends a daemon by the number in its file and waits for it.
daemon_down() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid"
}

slurm_down() {
    local name
    scancel --quiet --state=running 2>/dev/null
    for name in slurmd-sn1.pid slurmd-sn2.pid slurmctld.pid munge/pid; do
        daemon_down "$S/$name"
    done
}

process_like() {
    for _ in $(seq 200); do
        pgrep -f -- "$1" | head -n 1 | grep . && return
        sleep 0.1
    done
    return 1
}

test_slurm_launches_a_suite_and_outlives_what_dies() {
    local name pid
    slurm_up
    # no allocation: metalgap gets one for the whole run
    cat >s.json <<'END'
{"schema": "metalgap.suite/1", "name": "slurm", "reps": 1, "cases": [
  {"case": "allreduce", "bench": "mpi", "params": {"program": "allreduce", "seconds": 0.05, "bytes": 64}}]}
END
    run 0 metalgap run s.json -o j.jsonl --quiet-wait 0 --collectors steal,cpu \
        --launch "srun -N 2 --ntasks-per-node 1 --mpi=pmix"
    lines j.jsonl 'v[0]["nodes"] == ["sn1", "sn2"] and [l["node"] for l in v if l["t"] == "node"] == ["sn2"]'
    lines j.jsonl '[(s["rank"], s["node"], s["valid"]) for s in v if s["t"] == "sample"] == [(0, "sn1", True), (1, "sn2", True)]'
    lines j.jsonl '[s["rank"] for s in v if "fom" in s and s["t"] == "sample"] == [0]'
    lines j.jsonl 'all(s["obs"] and "foreign_cpu" in s["circumstances"] for s in v if s["t"] == "sample")'

    # a real application
    if command -v hpcc >/dev/null; then
        cat >app.json <<'END'
{"schema": "metalgap.suite/1", "name": "slurm", "reps": 1, "cases": [
  {"case": "hpl", "bench": "application", "params": {"app": "hpcc", "set": {"n": 200, "nb": 32}}}]}
END
        XDG_CACHE_HOME=$PWD/cache run 0 metalgap run app.json --size small -o a.jsonl --quiet-wait 0 --collectors cpu \
            --launch "srun -N 2 --ntasks-per-node 1 --mpi=pmix"
        lines a.jsonl '[(s["rank"], s["node"], s["valid"]) for s in v if s["t"] == "sample"] == [(0, "sn1", True), (1, "sn2", True)]'
        lines a.jsonl 'any("ranks: 2" in s["circumstances"].get("info", "") for s in v if s["t"] == "sample")'
    else
        echo "    hpcc is not here, so without it: apt-get install hpcc"
    fi

    # in an allocation, with ranks that don't know MPI; one of them, then an agent is killed
    name=3.$((BASHPID % 100000 + 100000))
    salloc --quiet -N 2 --ntasks-per-node 1 "$METALGAP" run -o k.jsonl --quiet-wait 0 --collectors none --reps 3 \
        --launch "srun -N 2 --ntasks-per-node 1" -- sleep "$name" >out 2>err </dev/null &
    pid=$!
    process_like "^sleep $name" >/dev/null || fail "no rank was started"
    sleep 0.3
    kill -9 "$(process_like "^sleep $name")"
    for _ in $(seq 200); do
        grep -q '"seq":0' k.jsonl && break
        sleep 0.1
    done
    process_like "^sleep $name" >/dev/null || fail "no rank was started"
    kill -9 "$(process_like "^$METALGAP agent serve")"
    wait $pid || fail "the run ended with $?"
    lines k.jsonl 'all("was ended by signal 9" in s["why"] for s in v if s["t"] == "sample" and s["seq"] == 0)'
    lines k.jsonl 'all("is gone" in s["why"] for s in v if s["t"] == "sample" and s["seq"] == 1)'
    lines k.jsonl '[(s["rank"], s["valid"]) for s in v if s["t"] == "sample" and s["seq"] == 2] == [(0, True), (1, True)]'
    lines k.jsonl 'v[-1]["status"] == "complete"'
    ! pgrep -f -- "^sleep $name" >/dev/null || fail "a rank is left"
    ! pgrep -f -- "^$METALGAP agent" >/dev/null || fail "an agent is left"
}

run_tests
