# SPDX-License-Identifier: BSD-3-Clause
"""tools/bench --load: is everything right under load, and nothing left afterwards? 100 MB each way with every byte
compared, over connections out and in, one and four at a time; 2,000 connections in a row each way. Over the TAP, and
over the embedded network. Afterwards the daemon holds what it held before, and has dropped nothing that it counts."""
import contextlib
import os
import time

from daemon import Daemon
from lab import EMBEDDED, FORWARDED, PORT, Missing

BULK, CONNECTS = 100_000_000, 2000
# What must be as before once all clients are gone, and what must not have happened at all.
HELD = ("stack.tcp_active", "stack.udp", "stack.pbuf_bytes", "cap.live", "cap.nodes", "flow.live", "flow.attempts",
        "flow.listeners", "names.in_flight")
NEVER = ("stack.asserts", "stack.short_frames", "stack.bad_checksum", "stack.syn_dropped", "stack.no_memory",
         "rpc.malformed", "rpc.stalled")


def holds(d):
    daemon = d.status("daemon")
    counters = {c["name"]: c["value"] for c in daemon["counters"]}
    wrong = {name: counters[name] for name in NEVER if counters[name]}
    if wrong:
        raise Missing(f"a load without any of these: {wrong}")
    held = {name: counters[name] for name in HELD}
    # Without the store of fresh sockets, which grows as they are asked for.
    descriptors = len(os.listdir(f"/proc/{d.pid}/fd")) - counters.get("seal.store", 0)
    return {**held, "endpoints": daemon["endpoints"], "descriptors": descriptors}


def steps(outside, inside, scale):
    """Sentence, mode, who connects, where, what of."""
    bulk, connects = max(4, int(BULK * scale)), max(1, int(CONNECTS * scale))
    for way, target in (("out", outside), ("in", inside)):
        via = "capnet" if way == "out" else "kernel"
        for mode, word in (("check-tx", "up"), ("check-rx", "down")):
            for n in (1, 4):
                yield (f"{n} x {bulk / n / 1e6:.0f} MB {word}, connections {way}", mode, via, target,
                       {"streams": n, "size": bulk // n, "ms": 600_000})
        for mode in ("connects", "connects-serverclose"):
            yield f"{connects} {mode} {way}", mode, via, target, {"count": connects}


def one_step(lab, d, mode, via, target, how):
    done = lab.run(mode, via, *target, ns=lab.far, daemon=d if via == "capnet" else None, limit_s=120, **how)
    if done.get("refused"):
        raise Missing(f"{done['refused']} connections refused")


def wait_same(lab, d, before):
    try:
        lab.wait_for(lambda: holds(d) == before, 10, "it", 0.2)
    except Missing as e:
        now = holds(d)
        left = ", ".join(f"{k} {before[k]} -> {now[k]}" for k in before if before[k] != now[k])
        raise Missing(f"the daemon does not hold what it held before: {left}") from e


def one_device(lab, device, scale):
    tap, net = lab.tap() if device == "tap" else ("", EMBEDDED)
    d = Daemon(lab, f"load-{device}", lab.builds["own"], tap, net, mode="dhcp" if device == "tap" else "slirp")
    lab.dnsmasq()
    with contextlib.ExitStack() as stack:
        stack.callback(d.stop)
        d.start(fresh=True)
        before = holds(d)
        outside = (d.far, PORT) if device == "tap" else (f"{EMBEDDED}.2", PORT)
        with contextlib.ExitStack() as clients:
            port = d.serve(clients, "auto")
            inside = (d.address, port) if device == "tap" else ("127.0.0.1", FORWARDED)
            for what, mode, via, target, how in steps(outside, inside, scale):
                start = time.monotonic()
                one_step(lab, d, mode, via, target, how)
                print(f"ok  {device:<6} {what:<40} {time.monotonic() - start:6.1f} s", flush=True)
        wait_same(lab, d, before)
        print(f"ok  {device:<6} nothing is left", flush=True)


def run(lab, scale):
    """The exit status; Missing says what went wrong."""
    lab.namespaces()
    lab.peers()
    for device in ("tap", "slirp"):
        one_device(lab, device, scale)
    return 0
