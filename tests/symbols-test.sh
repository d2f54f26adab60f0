#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What libcapnet.so exports, what libcapnet.map names and what capnet.h declares are one list; the getaddrinfo shim
# exports its three functions and nothing else.
set -eu
src=${top_srcdir:?} build=${top_builddir:?}
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

same() { # what, expected, found
  if cmp -s "$2" "$3"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "$1:"
    diff "$2" "$3" || true
  fi
}
exported() { nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort; }
mapped() { sed -n '/global:/,/local:/s/^ *\([a-z0-9_]*\);$/\1/p' "$1" | sort; }

mapped "$src/libcapnet/libcapnet.map" >"$tmp/map"
exported "$build/.libs/libcapnet.so" >"$tmp/so"
${CC:-cc} -E -P "$src/libcapnet/capnet.h" | tr '\n' ' ' | grep -oE '[^_a-z(]\*?capnet_[a-z0-9_]+ ?\(' | tr -d ' (*' | sort -u >"$tmp/h"
test -s "$tmp/map" && test -s "$tmp/h" || { echo "an empty list"; failed=$((failed + 1)); }
same "libcapnet.map and libcapnet.so" "$tmp/map" "$tmp/so"
same "libcapnet.map and capnet.h" "$tmp/map" "$tmp/h"

mapped "$src/clients/getaddrinfo.map" >"$tmp/gai.map"
exported "$build/.libs/libcapnet-getaddrinfo.so" >"$tmp/gai.so"
same "getaddrinfo.map and libcapnet-getaddrinfo.so" "$tmp/gai.map" "$tmp/gai.so"
printf '%s\n' freeaddrinfo gai_strerror getaddrinfo >"$tmp/three"
same "the shim's functions" "$tmp/three" "$tmp/gai.so"

echo "$passed passed, $failed failed, 0 skipped"
test "$failed" = 0
