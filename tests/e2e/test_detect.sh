#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap detect` on this machine, whatever it is: forms of output, --is, --capture, an ordinary user, the generated documents.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_the_screen_fits() {
    run 0 metalgap detect
    out_has '^This is '
    out_has '^  RESOURCE +DEVICE +PATH +WHY$'
    out_has '^  Confidence +[0-9]+ %'
    fits_80_columns out
    [ "$(wc -l <out)" -le 45 ] || fail "more than a screen"
}

test_a_vmm_is_not_named_as_a_hypervisor() {
    mkdir -p guest/sys/class/dmi/id guest/proc
    echo Red Hat >guest/sys/class/dmi/id/sys_vendor
    echo KVM >guest/sys/class/dmi/id/product_name
    run 0 metalgap detect --root guest
    out_has 'KVM, run by QEMU\.'
}

test_explain_fits_and_says_why() {
    run 0 metalgap detect --explain
    out_has 'Which way do requests go'
    fits_80_columns out
}

test_json_is_the_platform() {
    run 0 metalgap detect --json
    json out "v['schema'] == 'metalgap.platform/1'"
    json out "v['kind'] in ('vm','host','bare-metal','container','lpar','unknown')"
    json out "0 <= v['confidence'] <= 1 and v['evidence'] and v['paths']"
    json out "{p['resource'] for p in v['paths']} >= {'cpu','memory'}"
    json out "all(p['path'] in ('emulated','paravirtual','offload','passthrough','hardware','native','unknown') and p['reason'] for p in v['paths'])"
    json out "all(0 <= e['weight'] <= 1 and '=' in e['says'] for e in v['evidence'])"
}

test_is_answers_by_exit_code() {
    run 0 metalgap detect --json
    cp out platform.json
    local kind hypervisor
    kind=$(sed -n 's/^\t"kind":\t"\(.*\)",$/\1/p' platform.json)
    hypervisor=$(sed -n 's/^\t"hypervisor":\t"\(.*\)",$/\1/p' platform.json)
    run 0 metalgap detect --is "$kind"
    out_is_empty
    run 0 metalgap detect --is "$hypervisor"
    run 1 metalgap detect --is barevisor
    run 2 metalgap detect --is no-such-thing
    err_has 'no-such-thing'
}

test_usage_errors() {
    run 2 metalgap detect --root a --capture b
    err_has 'capture'
    run 2 metalgap detect extra
    run 2 metalgap detect --list-signatures=no-such-form
    run 3 metalgap detect --root no-such-folder
    err_has 'no-such-folder'
    err_has 'capture'
}

# Timing cannot be recorded: of the evidence, only that may differ.
test_a_capture_is_shareable_and_says_the_same() {
    local secret
    run 0 metalgap detect --json
    cp out live.json
    run 0 metalgap detect --capture evidence
    run 0 metalgap detect --root evidence --json
    cp out again.json
    python3 - <<'PY' || fail "the capture gives another verdict"
import json
live, again = json.load(open("live.json")), json.load(open("again.json"))
for p in live, again:
    p["evidence"] = [e for e in p["evidence"] if not e["source"].startswith("timing:")]
    p["unread"] = []
    p["confidence"] = 0
raise SystemExit(live != again)
PY
    run 3 metalgap detect --capture evidence
    for secret in /sys/class/dmi/id/product_serial /sys/class/dmi/id/product_uuid /sys/class/net/*/address; do
        secret=$(cat "$secret" 2>/dev/null)
        case $secret in ???????*[!0:]*) ;; *) continue ;; esac
        ! grep -rqiF -- "$secret" evidence || fail "the capture holds $secret"
    done
    ! grep -rqE '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]*[1-9a-f][0-9a-f]{7}' evidence || fail "the capture holds a UUID"
    ! grep -rhE '[A-Za-z0-9]@[A-Za-z0-9]' evidence | grep -qvE 'user@host|Microsoft@' || fail "the capture names who built the kernel"
    ! grep -rqE '([0-9a-f]{2}:){5}[0-9a-f]{2}' evidence || fail "the capture holds a MAC address"
}

test_no_process_and_no_network() {
    command -v strace >/dev/null || skip "strace is not installed"
    strace -f -e trace=process,network -o calls "$METALGAP" detect >out 2>err || skip "strace may not trace here"
    local call
    call=$(grep -m 1 -E '^[0-9]+ +(v?fork|clone3?|socket|connect)\(' calls) && fail "$call"
    [ "$(grep -c execve calls)" -eq 1 ] || fail "it starts a process"
}

test_an_ordinary_user_gets_a_verdict() {
    [ "$(id -u)" -eq 0 ] || skip "runs as an ordinary user anyhow"
    local kind
    run 0 metalgap detect --json
    kind=$(grep '"kind"' out)
    run 0 setpriv --reuid 65534 --regid 65534 --clear-groups "$METALGAP" detect --json
    out_has "$kind"
}

test_documents_are_what_the_tables_say() {
    run 0 metalgap detect --list-signatures
    cmp -s out "$METALGAP_ROOT/docs/detect.md" || fail "docs/detect.md is old: metalgap detect --list-signatures >docs/detect.md"
    run 0 metalgap detect --list-signatures=man
    sed -e '1,/^\.\\" BEGIN/d' -e '/^\.\\" END/,$d' "$METALGAP_ROOT/docs/metalgap-detect.1" >page
    cmp -s out page || fail "docs/metalgap-detect.1 is old: put what --list-signatures=man prints between BEGIN and END"
    run 0 metalgap detect --list-signatures=overview
    sed -e '1,/^<!-- BEGIN metalgap detect/d' -e '/^<!-- END -->/,$d' "$METALGAP_ROOT/README.md" >section
    cmp -s out section || fail "README.md is old: put what --list-signatures=overview prints between BEGIN and END"
}

run_tests
