# SPDX-License-Identifier: Apache-2.0
# Runs inside the lab machine io-paths: one reader on both disks, each with its own word on what a read took. busybox sh.
for disk in vda nvme0n1; do
    cat >/tmp/$disk.json <<SUITE
{"schema": "metalgap.suite/1", "name": "$disk", "reps": 6, "cases": [{"case": "read", "bench": "command", "params": {
 "argv": ["direct_reader", "/dev/$disk", "60"], "pattern": "\"mean_s\":([0-9.]+)", "fom": "latency", "unit": "s",
 "better": "lower"}}]}
SUITE
    metalgap run /tmp/$disk.json --label $disk --quiet-wait 0 --collectors io_path -o /tmp/$disk.jsonl >/dev/null || exit 8
done
