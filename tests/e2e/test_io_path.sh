#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# I/O paths: the requests of this machine's disk, and two paths in one guest of the lab.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=$METALGAP_ROOT/tests
READER=$(dirname "$METALGAP")/tests/direct_reader

# A file on a disk whose path is known: sets DISK, or skips.
needs_a_disk() {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    metalgap doctor --json >doctor.json || fail 'doctor fails'
    python3 -c 'import json, sys
sys.exit(any(c["name"] == "io_path" and c["state"] == "unavailable" for c in json.load(open("doctor.json"))["collectors"]))' ||
        skip 'the collector io_path does not work here'
    metalgap detect --json >platform.json || fail 'detect fails'
    FOLDER=$(mktemp -d "$METALGAP_ROOT/io-path.XXXXXX") || skip 'the source folder is read-only'
    trap 'rm -rf "$FOLDER"' EXIT
    dd if=/dev/zero of="$FOLDER/file" bs=1M count=4 conv=fsync 2>/dev/null || skip 'no room for a file of 4 MB'
    DISK=$(basename "$(findmnt -n -o SOURCE -T "$FOLDER/file")")
    python3 - "$DISK" <<'PY' || skip "the path of the disk $DISK is not known"
import json, sys
sys.exit(not any(p["device"] == sys.argv[1] and p["path"] != "unknown" for p in json.load(open("platform.json"))["paths"]))
PY
    "$READER" "$FOLDER/file" 1 >/dev/null 2>&1 || skip 'this file system does not read past the page cache'
}

# Requests that a disk has completed since it is there, as the kernel counts them.
completed() {
    awk '{ print $1 + $5 + $12 + $16 }' "/sys/block/$DISK/stat"
}

test_as_many_requests_as_were_issued() {
    needs_a_disk
    local before after
    before=$(completed)
    run 0 metalgap run --reps 1 --collectors io_path -o j.jsonl -- "$READER" "$FOLDER/file" 1000
    after=$(completed)
    cat >check.py <<'PY'
import json, sys
disk, most = sys.argv[1], int(sys.argv[2])
path = next(p for p in json.load(open("platform.json"))["paths"] if p["device"] == disk)
obs = [o for line in open("j.jsonl") for o in json.loads(line).get("obs", []) if json.loads(line).get("mode") == "attribution"]
told = [(o, d) for o in obs for d in o.get("detail", {}).get("devices", []) if d["device"] == disk]
latency = [d for o, d in told if o["scope"] == "latency"]
assert latency and all((d["path"], d["via"]) == (path["path"], path["via"]) for d in latency), latency
# The reader's own are all there; with them are those of whoever else uses the disk, and no more than the kernel counts.
assert all(d["requests"] >= 1000 and 950 <= d["own"] <= 1000 for d in latency), latency
assert sum(d["requests"] for d in latency) <= most, (latency, most)
assert all(d["bytes"] >= 1000 * 4096 for d in latency), latency
assert all(sum(n for _, n in d["hist_ns"]) == d["timed"] >= 0.99 * d["requests"] for d in latency), latency
hop = next(o for o, d in told if o["scope"] == "latency")["cause"].startswith("hop.")
assert hop == (path["path"] in ("paravirtual", "emulated")), path
blocked = [o for o, d in told if o["scope"] == "blocked"]
sample_s = max(json.loads(line)["wall_s"] for line in open("j.jsonl") if json.loads(line).get("mode") == "attribution")
assert blocked and all(0 <= o["seconds"] <= sample_s for o in blocked), blocked
PY
    run 0 python3 check.py "$DISK" $((after - before))
    run 0 metalgap report j.jsonl
    out_has "^  $DISK +(paravirtual|emulated|offload|passthrough|native)"
    fits_80_columns out
    run 0 metalgap report j.jsonl --format json
    json out "[d['own_requests'] >= 950 and d['side'] == 'subject' for d in v['cases'][0]['devices'] if d['device'] == '$DISK'] == [True]"
    run 0 metalgap report j.jsonl -o page.html
    grep -q 'Disks and network interfaces' page.html || fail 'the page has no table of devices'
}

test_timing_samples_are_left_alone() {
    needs_a_disk
    run 0 metalgap run --reps 2 --collectors io_path -o j.jsonl -- true
    lines j.jsonl 'all(not s.get("obs") for s in v if s["t"] == "sample" and s["mode"] == "timing")'
}

test_without_privileges_it_says_so() {
    run 4 as_nobody "$METALGAP" run --reps 1 --collectors io_path -o - -- true
    err_has 'io_path'
}

test_two_paths_in_one_guest() {
    command -v qemu-system-x86_64 >/dev/null || skip 'needs QEMU: ci/lab/lab deps --install'
    [ -e "${METALGAP_LAB_CACHE:-$HOME/.cache/metalgap-lab}/trees/linux-6.1-cloud" ] || skip 'needs kernels: ci/lab/lab fetch'
    [[ $METALGAP != */asan/* ]] || skip 'boots take too long under a sanitizer'
    run 0 "$METALGAP_ROOT/ci/lab/lab" exec --timeout 300 --file "$TESTS/lab/io_paths.sh:io_paths.sh" \
        --get /tmp/vda.jsonl:vda.jsonl --get /tmp/nvme0n1.jsonl:nvme0n1.jsonl io-paths -- sh /io_paths.sh
    run 0 metalgap report vda.jsonl --baseline nvme0n1.jsonl --format json
    cp out report.json
    run 0 python3 "$TESTS/lab/check_io_paths.py" vda.jsonl nvme0n1.jsonl report.json
}

run_tests
