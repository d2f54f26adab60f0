#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The runner against programs that must not pass: a leak, nothing run, a failing test, a wild write, an undefined shift.
set -uo pipefail
runner=$top_srcdir/tests/test-runner
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/t.c" <<'C'
#include <criterion/criterion.h>
#include <stdlib.h>
volatile int n = 40;
#ifdef LEAK
Test(s, leak) { char *volatile p = malloc(10); p = NULL; cr_assert(p == NULL); }
#endif
#ifdef FAIL
Test(s, fail) { cr_assert(0); }
#endif
#ifdef WILD
Test(s, wild) { char *p = malloc(10); p[n] = 1; free(p); }
#endif
#ifdef SHIFT
Test(s, shift) { cr_assert((1 << n) != 77); }
#endif
#ifdef GOOD
Test(s, good) { cr_assert(1); }
Test(s, skipped) { cr_skip_test("not here"); }
#endif
C
passed=0 failed=0

# expect NAME EXIT-STATUS RESULT COMMAND…
expect() {
  local name=$1 want_rc=$2 want=$3 out rc
  shift 3
  out=$("$runner" "$@" 2>&1)
  rc=$?
  out=$(tail -n 1 <<<"$out")
  if [ $rc = "$want_rc" ] && [ "$out" = "RESULT: $want" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "$name: exit $rc, '$out'; wanted $want_rc, '$want'"
  fi
}

program() {
  cc -O0 -fsanitize=address,undefined -fno-omit-frame-pointer "-D$1" "$tmp/t.c" -o "$tmp/$1" -lcriterion ||
    { echo "cannot compile the sample"; exit 99; }
}

script() { printf '#!/bin/sh\n%s\n' "$2" >"$tmp/$1.sh"; chmod +x "$tmp/$1.sh"; }

for p in LEAK FAIL WILD SHIFT GOOD NONE; do program $p; done
expect good 0 "1 passed, 0 failed, 1 skipped" "$tmp/GOOD"
expect leak 1 "1 passed, 1 failed, 0 skipped" "$tmp/LEAK"
expect fail 1 "0 passed, 1 failed, 0 skipped" "$tmp/FAIL"
expect wild 1 "0 passed, 2 failed, 0 skipped" "$tmp/WILD"
expect shift 1 "1 passed, 1 failed, 0 skipped" "$tmp/SHIFT"
expect none 1 "0 passed, 1 failed, 0 skipped" "$tmp/NONE"
expect filter 1 "0 passed, 1 failed, 0 skipped" "$tmp/GOOD" --filter=no/such
script ok 'exit 0'; expect ok 0 "1 passed, 0 failed, 0 skipped" "$tmp/ok.sh"
script bad 'exit 3'; expect bad 1 "0 passed, 1 failed, 0 skipped" "$tmp/bad.sh"
script skip 'exit 77'; expect skip 77 "0 passed, 0 failed, 1 skipped" "$tmp/skip.sh"
script sum 'echo "5 passed, 0 failed, 2 skipped"'; expect sum 0 "5 passed, 0 failed, 2 skipped" "$tmp/sum.sh"
script lie 'echo "5 passed, 0 failed, 0 skipped"; exit 1'; expect lie 1 "5 passed, 1 failed, 0 skipped" "$tmp/lie.sh"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
