#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Options of capnet-status, capnet-ping and capnet-resolve at their edges, and the exit codes that need no daemon.
set -u
cd "${top_builddir:-.}" || exit 99
export CAPNET_GRANTS_DIR
CAPNET_GRANTS_DIR=$(mktemp -d) || exit 99
trap 'rm -rf "$CAPNET_GRANTS_DIR"' EXIT
unset CAPNET_FDS LISTEN_FDS CAPNET_GRANT
passed=0 failed=0
out=$CAPNET_GRANTS_DIR/out err=$CAPNET_GRANTS_DIR/err

# expect CODE PATTERN COMMAND…: PATTERN (extended regular expression) in what it says on either stream
expect() {
  local code=$1 pattern=$2
  shift 2
  "./$@" >"$out" 2>"$err" </dev/null
  local rc=$?
  if [ $rc = "$code" ] && cat "$out" "$err" | grep -Eq -- "$pattern"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok: $* : exit $rc, wanted $code and /$pattern/; it said:"
    cat "$out" "$err"
  fi
}

for c in capnet-status capnet-ping capnet-resolve; do
  expect 0 '^Usage: ' $c --help
  expect 0 "^$c \\(capnet\\) [0-9]" $c --version
  expect 2 "$c" $c --no-such-option
done

# 4, with the path, when no daemon answers; 3 is for refusals.
expect 4 "$CAPNET_GRANTS_DIR/status.sock" capnet-status
expect 4 "$CAPNET_GRANTS_DIR/ping.sock" capnet-ping 192.0.2.1
expect 4 "$CAPNET_GRANTS_DIR/resolve.sock" capnet-resolve example.org
expect 4 "$CAPNET_GRANTS_DIR/other.sock" capnet-status --grant other
expect 4 'nowhere/x.sock' capnet-ping -g /nowhere/x.sock 192.0.2.1
expect 4 '"event":"error"' capnet-ping --json 192.0.2.1

expect 2 "no section 'socket'" capnet-status socket
expect 2 'x1b' capnet-status $'\033[2J'
expect 2 'route takes one' capnet-status route
expect 2 'route takes one' capnet-status route 10.0.0.1 10.0.0.2
expect 2 'cannot be watched' capnet-status --watch route 10.0.0.1
expect 2 'width' capnet-status --width 19
expect 4 'sock' capnet-status --width 20
expect 4 'sock' capnet-status --width 10000
expect 2 'width' capnet-status --width 10001
expect 2 'timeout' capnet-status -W 0

expect 2 'target is missing' capnet-ping
expect 2 'one target' capnet-ping a b
for bad in '-c 0' '-c 4294967296' '-c x' '-c -1' '-i 0' '-i 86401' '-i x' '-s -1' '-s 65508' '-t 0' '-t 256' '-W 0' '-W 3601'; do
  # shellcheck disable=SC2086
  expect 2 ' (is|bytes|seconds)' capnet-ping $bad 192.0.2.1
done
for good in '-c 1' '-c 4294967295' '-i 0.001' '-i 86400' '-s 0' '-s 65507' '-t 1' '-t 255' '-W 0.001' '-W 3600' '-nqO'; do
  # shellcheck disable=SC2086
  expect 4 'sock' capnet-ping $good 192.0.2.1
done

expect 2 'name is missing' capnet-resolve
expect 2 'A or AAAA' capnet-resolve -t MX example.org
expect 4 'sock' capnet-resolve -t aaaa -t A -S -W 1.5 example.org

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
