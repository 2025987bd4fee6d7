#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The suites that come with the program, their schema, and the keys of a suite that say when, with what and how long.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
suites=$METALGAP_ROOT/suites
schema=$suites/schema.json

check_schema() {
    python3 "$METALGAP_ROOT/tests/tools/check_schema.py" "$schema" "$@"
}

shipped() {
    for file in "$suites"/*.json; do
        [ "$file" = "$schema" ] || echo "$file"
    done
}

# suite KEYS CASES: writes s.json
suite() {
    printf '{"schema":"metalgap.suite/1","name":"s"%s,\n"cases":[%s]}\n' "${1:+,$1}" "$2" >s.json
}

run_plainly() {
    local code=$1
    shift
    run "$code" metalgap run "$@" --collectors none --quiet-wait 0
}

test_shipped_suites_keep_to_the_schema() {
    # shellcheck disable=SC2046 # paths have no blanks
    run 0 check_schema $(shipped)
    run 0 metalgap list suites
    out_has_not '^  schema '
}

# What one of them refuses, the other refuses, too.
test_the_schema_and_the_program_agree() {
    local null='{"case":"a","bench":"null"' keys cases
    while IFS='|' read -r keys cases; do
        suite "$keys" "$cases"
        run 1 check_schema s.json
        run_plainly 3 s.json --dry-run
        err_has '^metalgap: s.json:[12]:[0-9]+: '
    done <<END
"reps":0|$null}
"rep":1|$null}
"until":"x"|$null}
"until":0|$null}
"budget":"1y"|$null}
"order":"random"|$null}
"environment":{"A":[]}|$null}
"environment":3|$null}
"prerequisites":["sh"]|$null}
|$null,"until":-1}
|$null,"until":101}
|$null,"timeout":"1x"}
|$null,"threads":0}
|$null,"cpus":"x"}
|$null,"typical_s":0}
|$null,"typical_s":{"large":1}}
|$null,"typical_s":"1 s"}
|$null,"environment":{"A":null}}
|$null,"sweep":{}}
|$null,"sweep":{"seconds":[]}}
|$null,"sweep":{"seconds":{"huge":[1]}}}
|$null,"params":[]}
|{"case":"a"}
|{"bench":"null"}
END
    suite '"reps":2,"until":"0.5%","budget":"90s","order":"sequential","environment":{"A":1},"prerequisites":{"sh":"dash"}' \
        '{"case":"a","bench":"null","until":2,"timeout":"1.5m","typical_s":{"small":0.1},"environment":{"B":"x"},
          "prerequisites":{"/bin/sh":""},"sweep":{"seconds":{"small":[0.1,"0.2"]},"environment.C":["1",2]}}'
    run 0 check_schema s.json
    run_plainly 0 s.json --dry-run
}

test_every_key_is_documented() {
    local key
    # shellcheck disable=SC2016 # Python's
    for key in $(python3 -c 'import json, sys
s = json.load(open(sys.argv[1]))
print(*s["properties"], *s["$defs"]["case"]["properties"])' "$schema"); do
        grep -q "^| \`$key\`" "$METALGAP_ROOT/docs/suites.md" || fail "docs/suites.md does not explain $key"
    done
}

test_every_suite_has_three_sizes() {
    local file size
    for file in $(shipped); do
        for size in small default full; do
            run_plainly 0 "$(basename "$file" .json)" --size "$size" --dry-run --json
            mv out "$size.json"
        done
        python3 - <<'END' || fail "$file: the sizes are the same"
import json, os, sys
names = ["small", "default", "full"]
def work(size):
    v = json.load(open(size + ".json"))
    assert v["size"] == size
    return [(c["case"], c["params"], inside(c["params"].get("app"), size)) for c in v["cases"]]
def inside(app, size): # what an application's description says for the size
    if not app:
        return None
    params = json.load(open(f"{os.environ['METALGAP_ROOT']}/suites/apps/{app}.json")).get("params", {})
    up_to = names[:names.index(size) + 1]
    return {k: [p[s] for s in up_to if s in p][-1:] for k, p in params.items() if isinstance(p, dict)}
sizes = [work(s) for s in ("small", "default", "full")]
sys.exit(0 if sizes[0] != sizes[1] and sizes[1] != sizes[2] else 1)
END
    done
}

test_a_bench_s_error_has_its_place_in_the_suite() {
    suite '' '{"case":"a","bench":"mpi","params":{
"program":"nosuch"}}'
    run_plainly 3 s.json --dry-run
    err_has '^metalgap: s.json:3:11: .*"program"'
    suite '' '{"case":"a","bench":"stream",
"sweep":{"kernel":["copy",
"nosuch"]}}'
    run_plainly 3 s.json --dry-run
    err_has '^metalgap: s.json:4:1: .*"nosuch"'
    suite '' '{"case":"a","bench":"application","params":{"app":"template",
"set":{"nosuch":1}}}'
    run_plainly 3 s.json --dry-run
    err_has '^metalgap: s.json:3:17: .*"nosuch"'
    mkdir sub
    mv s.json sub
    printf '{"schema":"metalgap.suite/1","name":"outer","include":["sub/s.json"]}' >s.json
    run_plainly 3 s.json --dry-run
    err_has '^metalgap: sub/s.json:3:17: '
}

# shellcheck disable=SC2016 # the inner shell's
test_environment_reaches_the_work() {
    suite '"environment":{"A":"suite","B":"suite"}' \
        '{"case":"a","bench":"command","params":{"argv":["sh","-c","test $A$B$C = suitecase1"]},
          "environment":{"B":"case"},"sweep":{"environment.C":[1]}}'
    run_plainly 0 s.json -o j.jsonl --reps 1
    lines j.jsonl '[(s["case"], s["valid"]) for s in v if s["t"] == "sample"] == [("a[C=1]", True)]'
}

test_a_case_without_its_prerequisites_is_skipped() {
    suite '"prerequisites":{"sh":"dash"}' \
        '{"case":"there","bench":"null"},
         {"case":"program","bench":"null","prerequisites":{"nosuchprogram":"nosuchpackage"}},
         {"case":"file","bench":"null","prerequisites":{"/nosuch/file":"some-data"}}'
    run_plainly 0 s.json -o j.jsonl --reps 1
    lines j.jsonl '[s["case"] for s in v if s["t"] == "sample"] == ["there"]'
    lines j.jsonl 'any("nosuchprogram is not here; apt-get install nosuchpackage" in l["text"] for l in v if l["t"] == "note")'
    lines j.jsonl 'any("apt-get install some-data" in l["text"] for l in v if l["t"] == "note")'
}

test_until_and_budget_of_a_suite() {
    suite '"until":"0.0001%","budget":"0.5s","reps":2' '{"case":"a","bench":"null"},{"case":"b","bench":"null","until":100}'
    run_plainly 0 s.json -o j.jsonl
    lines j.jsonl 'v[-1]["status"] == "stopped" and any("budget" in l["text"] for l in v if l["t"] == "note")'
    lines j.jsonl 'len([s for s in v if s["t"] == "sample" and s["case"] == "a"]) > 6' # it goes on
    lines j.jsonl 'len([s for s in v if s["t"] == "sample" and s["case"] == "b"]) == 6' # the fewest that have an interval
    run_plainly 0 s.json -o k.jsonl --until 100 # goes first
    lines k.jsonl 'v[-1]["status"] == "complete"'
}

test_a_dry_run_says_how_long_it_takes() {
    suite '"reps":4' '{"case":"told","bench":"null","typical_s":{"default":2,"full":50}},{"case":"untold","bench":"null"}'
    run_plainly 0 s.json --dry-run --json
    json out 'v["known_s"] == 8 and v["cases_not_known"] == 1 and v["budget_s"] is None'
    json out '[(c["sample_s"], c["sample_s_basis"]) for c in v["cases"]] == [(2, "suite"), (None, None)]'
    run_plainly 0 s.json --dry-run --json --size full
    json out 'v["known_s"] == 200'
    run_plainly 0 s.json --dry-run --json --size small
    json out 'v["known_s"] == 0 and v["cases_not_known"] == 2' # more work takes longer: other sizes are no guide
    run_plainly 0 s.json --dry-run
    out_has 'About 8.0 s for those whose time is known, by what the suite says is typical'
    # what they took here goes first; what is there need not be made again
    run_plainly 0 s.json -o j.jsonl --reps 3
    run_plainly 0 s.json -o j.jsonl --dry-run --json --resume
    json out 'v["cases_not_known"] == 0 and [c["samples_left"] for c in v["cases"]] == [1, 1]'
    json out 'all(c["sample_s_basis"] == "journal" and 0.01 <= c["sample_s"] < 60 for c in v["cases"])'
    json out 'abs(v["known_s"] - sum(c["sample_s"] for c in v["cases"])) < 1e-9'
    run_plainly 0 s.json -o j.jsonl --dry-run
    out_has 'by what they took in j.jsonl'
}

test_an_interrupted_run_closes_its_journal() {
    suite '' '{"case":"a","bench":"null","params":{"seconds":30}}'
    "$METALGAP" run s.json -o j.jsonl --collectors none --quiet-wait 0 >out 2>err </dev/null &
    local pid=$!
    for _ in $(seq 100); do
        grep -q '"t":"case"' j.jsonl 2>/dev/null && break
        sleep 0.1
    done
    kill -INT $pid
    wait $pid
    [ $? -eq 130 ] || fail "it did not end by the signal"
    lines j.jsonl 'v[-1]["t"] == "end" and v[-1]["status"] == "stopped" and v[-1]["samples"] == 0'
}

run_tests
