# SPDX-License-Identifier: BSD-3-Clause
"""tools/bench --load: is everything right under load, and nothing left afterwards? 100 MB each way with every byte
compared, over connections out and in, one and four at a time; 2,000 connections in a row each way. Over the TAP, and
over the embedded network. Afterwards the daemon holds what it held before, and has dropped nothing that it counts."""
import concurrent.futures
import contextlib
import os
import time

from lab import EMBEDDED, FORWARDED, PORT, SERVED, TAP, Missing

BULK, CONNECTS = 100_000_000, 2000
# What must be as before once all clients are gone, and what must not have happened at all.
HELD = ("stack.tcp_active", "stack.udp", "stack.pbuf_bytes", "cap.live", "cap.nodes", "flow.live", "flow.attempts",
        "flow.listeners", "names.in_flight")
NEVER = ("stack.asserts", "stack.short_frames", "stack.bad_checksum", "stack.syn_dropped", "stack.no_memory",
         "rpc.malformed", "rpc.stalled")


def holds(lab, p):
    daemon = lab.status("daemon")
    counters = {c["name"]: c["value"] for c in daemon["counters"]}
    wrong = {name: counters[name] for name in NEVER if counters[name]}
    if wrong:
        raise Missing(f"a load without any of these: {wrong}")
    held = {name: counters[name] for name in HELD}
    return {**held, "endpoints": daemon["endpoints"], "descriptors": len(os.listdir(f"/proc/{p.pid}/fd"))}


def steps(lab, outside, inside, scale):
    """Sentence, figure, who connects, where, amount, how many at a time."""
    bulk, connects = max(1, int(BULK * scale)), max(1, int(CONNECTS * scale))
    for way, target in (("out", outside), ("in", inside)):
        via = "capnet" if way == "out" else "kernel"
        for figure in ("check-up", "check-down"):
            yield f"{bulk / 1e6:.0f} MB {figure[6:]}, connection {way}", figure, via, target, bulk, 1
        yield f"4 x {bulk / 4e6:.0f} MB up, connections {way}", "check-up", via, target, max(1, bulk // 4), 4
        yield f"4 x {bulk / 4e6:.0f} MB down, connections {way}", "check-down", via, target, max(1, bulk // 4), 4
        yield f"{connects} connections {way}", "connects", via, target, connects, 1


def one_device(lab, device, scale):
    lab.configure(device)
    with contextlib.ExitStack() as daemon_stack:
        p, _ = lab.daemon(daemon_stack, fresh=True)
        before = holds(lab, p)
        if device == "tap":
            outside, inside = (f"{TAP}.1", PORT), (lab.address(), SERVED)
        else:
            outside, inside = (f"{EMBEDDED}.2", PORT), ("127.0.0.1", FORWARDED)
        with contextlib.ExitStack() as clients:
            lab.serve(clients)
            for what, figure, via, target, amount, n in steps(lab, outside, inside, scale):
                start = time.monotonic()
                with concurrent.futures.ThreadPoolExecutor(n) as pool:
                    for f in [pool.submit(lab.run, figure, via, *target, amount, ns=lab.far) for _ in range(n)]:
                        f.result()
                print(f"ok  {device:<6} {what:<36} {time.monotonic() - start:6.1f} s", flush=True)
        lab.wait_for(lambda: holds(lab, p) == before, 10, f"the daemon to hold what it held before: {before}", 0.2)
        print(f"ok  {device:<6} nothing is left", flush=True)


def run(lab, scale):
    """The exit status; Missing says what went wrong."""
    lab.namespaces()
    lab.peers()
    for device in ("tap", "slirp"):
        one_device(lab, device, scale)
    return 0
