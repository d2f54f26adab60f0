#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Options of capnet-status, capnet-ping, capnet-resolve and capnet-run at their edges, and the exit codes that need no
# daemon.
set -u
cd "${top_builddir:-.}" || exit 99
export CAPNET_GRANTS_DIR
CAPNET_GRANTS_DIR=$(mktemp -d) || exit 99
trap 'rm -rf "$CAPNET_GRANTS_DIR"' EXIT
unset CAPNET_FDS LISTEN_FDS CAPNET_GRANT NOTIFY_SOCKET
passed=0 failed=0
out=$CAPNET_GRANTS_DIR/out err=$CAPNET_GRANTS_DIR/err

# expect CODE PATTERN COMMAND…: PATTERN (extended regular expression) in what it says on either stream
expect() {
  local code=$1 pattern=$2
  shift 2
  "./$@" >"$out" 2>"$err" </dev/null
  local rc=$? line lines said=no
  mapfile -t lines <"$out"
  mapfile -t -O ${#lines[@]} lines <"$err"
  for line in "${lines[@]}"; do if [[ $line =~ $pattern ]]; then said=yes; fi; done
  if [ $rc = "$code" ] && [ $said = yes ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok: $* : exit $rc, wanted $code and /$pattern/; it said:"
    cat "$out" "$err"
  fi
}

for c in capnet-status capnet-ping capnet-resolve capnet-run capnet-manager; do
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

expect 4 "$CAPNET_GRANTS_DIR/admin.sock" capnet-manager
expect 4 "$CAPNET_GRANTS_DIR/admin.sock" capnet-manager static 10.0.0.1/8 gateway 10.0.0.2 dns 10.0.0.3 dns 10.0.0.4 search a.test
expect 2 "no command 'restart'" capnet-manager restart
expect 2 'x1b' capnet-manager $'\033[2J'
expect 2 'takes no argument' capnet-manager renew net0
expect 2 "no command 'dhcp'" capnet-manager -6 dhcp
expect 4 "$CAPNET_GRANTS_DIR/admin.sock" capnet-manager -6 release
expect 4 "$CAPNET_GRANTS_DIR/admin.sock" capnet-manager auto
expect 4 "$CAPNET_GRANTS_DIR/admin.sock" capnet-manager static 2001:db8::1/64 and 2001:db8::2/64 gateway fe80::1
expect 2 'ADDRESS/LENGTH' capnet-manager static
expect 2 'gateway wants a value' capnet-manager static 10.0.0.1/8 gateway
expect 2 'is none of' capnet-manager static 10.0.0.1/8 via 10.0.0.2
expect 2 'is none of' capnet-manager static 10.0.0.1/8 gateway 10.0.0.2 gateway 10.0.0.3

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

expect 2 'no --grant' capnet-run true
expect 2 'no --grant' capnet-run -l 80 true
expect 2 'no program' capnet-run -g web
expect 2 'no program' capnet-run -g web -l 80 --inetd --
expect 2 'named twice' capnet-run -g web -g /run/web.sock true
expect 2 'no name of a grant' capnet-run -g a,b true
for bad in 0 65536 http '' :80 80: a:80 '::1:80' '[192.0.2.1]:80' '[::1]80' 80= 80=a:b $'80=\033[2J' \
  "80=$(printf '%0256d' 0)"; do
  expect 2 '--listen .*: not \[ADDRESS:\]PORT\[=FDNAME\]$' capnet-run -g web -l "$bad" true
done
expect 2 'x1b' capnet-run -g web -l $'80=\033[2J' true
for good in 80 65535 '*:80' interface-address:80=x 192.0.2.1:80 '[2001:db8::1]:80=six' "80=$(printf '%0255d' 0)"; do
  expect 4 'web.sock' capnet-run -g web --listen "$good" --backlog 65535 --refuse true
  expect 4 'web.sock' capnet-run -g web -l "$good" --inetd --max 65535 true
done
for bad in '' a:80 80=5 a=5 :80=5 a:0=5 a:80= a:80=-1 a:80=1024 a:80=x ::1:80=5 '[a]:80=5' '[]:80=5'; do
  expect 2 '--connect .*: not HOST:PORT=FD' capnet-run -g web --connect "$bad" true
done
for good in a:80=0 a:80=1023 192.0.2.1:80=5 '[2001:db8::1]:80=5'; do
  expect 4 'web.sock' capnet-run -g web -l 80 --form auto --connect "$good" true
done
expect 2 'is taken by a:80=5' capnet-run -g web --connect a:80=5 --connect b:81=5 true
expect 2 "descriptor 3 is a listener's" capnet-run -g web -l 80 --connect a:80=3 true
expect 2 "descriptor 4 is a listener's" capnet-run -g web --connect a:80=4 -l 80 -l 81 true
expect 4 'web.sock' capnet-run -g web --connect a:80=4 -l 80 true
expect 2 '--backlog 0 is no number' capnet-run -g web -l 80 --backlog 0 true
expect 2 '--backlog 65536 is no number' capnet-run -g web -l 80 --backlog 65536 true
expect 2 '--max x is no number' capnet-run -g web -l 80 --inetd --max x true
expect 2 '--form sockets: auto, socket or pair' capnet-run -g web --connect a:80=5 --form sockets true
expect 2 '--backlog without --listen' capnet-run -g web --backlog 5 true
expect 2 '--refuse without --listen' capnet-run -g web --refuse true
expect 2 '--both without --listen' capnet-run -g web --both true
expect 2 '--inetd without --listen' capnet-run -g web --inetd true
expect 2 '--max without --inetd' capnet-run -g web -l 80 --max 5 true
expect 2 '--form without --connect' capnet-run -g web -l 80 --form pair true
expect 2 'exclude each other' capnet-run -g web -l 80 --inetd --connect a:80=5 true
expect 2 '--fdstore without --listen' capnet-run -g web --fdstore
expect 2 'no --grant' capnet-run -l 80 --fdstore
expect 2 '--inetd and --fdstore exclude each other' capnet-run -g web -l 80 --fdstore --inetd
expect 2 '--connect and --fdstore exclude each other' capnet-run -g web -l 80 --fdstore --connect a:80=5
expect 2 '--fdstore runs no program: true' capnet-run -g web -l 80 --fdstore -- true
expect 2 'with --fdstore a name has 247 bytes at most' capnet-run -g web -l "80=$(printf '%0248d' 0)" --fdstore
expect 1 '--fdstore: .*(NOTIFY_SOCKET|built without)' \
  capnet-run -g web -l "80=$(printf '%0247d' 0)" -l 81 --backlog 5 --refuse --check --fdstore --
listens='' connects=''
for i in $(seq 1 32); do listens+=" -l $i"; done
for i in $(seq 100 163); do connects+=" --connect a:80=$i"; done
# shellcheck disable=SC2086
{
  expect 4 'web.sock' capnet-run -g web $listens $connects true
  expect 2 'more than 32 times --listen' capnet-run -g web $listens -l 33 true
  expect 2 'more than 64 times --connect' capnet-run -g web $connects --connect a:80=5 true
}

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
