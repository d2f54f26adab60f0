#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every script of tests/sim/scripts with capnet-sim. Each must hold what it expects, and say the same to the byte when
# it is run again; where a .txt stands beside it, its timeline is that. --update writes these anew.
set -uo pipefail
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${top_builddir:-$top/build}
sim=$build/capnet-sim
scripts=$top/tests/sim/scripts
tmp=$(mktemp -d "${TMPDIR:-/tmp}/capnet-sim.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

result() { # STATUS WHAT
  if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "failed: $2"; fi
}

if [ "${1-}" = --update ]; then
  for golden in "$scripts"/*.txt; do (cd "$scripts" && "$sim" "$(basename "${golden%.txt}.sim")" >"$golden"); done
  exit
fi

cd "$scripts" || exit 99
for script in *.sim; do
  name=${script%.sim}
  "$sim" "$script" >"$tmp/$name" 2>"$tmp/err"
  rc=$?
  [ $rc = 0 ] || { cat "$tmp/err"; grep -F ' FAIL ' "$tmp/$name"; }
  result $rc "$script: what it expects"
  "$sim" "$script" 2>/dev/null | cmp -s - "$tmp/$name"
  result $? "$script: the same again"
  [ ! -f "$name.txt" ] || { diff -u "$name.txt" "$tmp/$name"; result $? "$script: its timeline"; }
done

# An expectation that fails is told with file, line, what was wanted and what there was, and is the exit status.
printf 'server 10.0.0.1 pool 10.0.0.5 lease 1m\nat 1s expect address 10.0.0.6/24\n' >"$tmp/fails.sim"
(cd "$tmp" && "$sim" --quiet fails.sim) >"$tmp/out" 2>/dev/null
[ $? = 1 ] && grep -qxF '        1.000 FAIL fails.sim:2: expect: wanted 10.0.0.6/24, got 10.0.0.5/24' "$tmp/out"
result $? "a failed expectation"

# So is a script that is wrong.
printf '# one\nserver 10.0.0.1 colour blue\n' | "$sim" - 2>"$tmp/err"
[ $? = 3 ] && grep -qxF -- '-:2: server: "colour" is not known' "$tmp/err"
result $? "a wrong script"

# Every line is one JSON object.
"$sim" --json lease.sim | python3 -c '
import json, sys
kinds = set()
for line in sys.stdin:
    o = json.loads(line)
    assert isinstance(o["time_ms"], int) and o["text"], line
    kinds.add(o["kind"])
    if o.get("to") == "bound" and "first" not in globals():
        first = o
assert kinds == {"script", "sent", "received", "change", "passed"}, kinds
assert (first["address"], first["server"], first["next"]) == ("10.0.0.5", "10.0.0.1", "renew"), first
'
result $? "JSON"

# The bytes of the manual page are a script.
man=$top/docs/man/capnet-sim.1
sed -n '/^\.\\" example begins/,/^\.\\" example ends/p' "$man" | grep -v '^\.' | sed 's/\\(aq/'"'"'/g; s/\\-/-/g; s/\\&//g' >"$tmp/man.sim"
[ -s "$tmp/man.sim" ] && "$sim" --quiet "$tmp/man.sim" >"$tmp/out" 2>&1
rc=$?
[ $rc = 0 ] || cat "$tmp/out"
result $rc "the example of the manual page"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
