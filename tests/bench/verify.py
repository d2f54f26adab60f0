# SPDX-License-Identifier: BSD-3-Clause
"""tools/bench --verify: each bulk figure once with a pattern, every byte compared at the other end: straight over the TAP,
then over a path that drops, doubles and reorders frames."""
import time

from lab import Missing

PLAIN, BAD = 64 << 20, 4 << 20  # bytes over all streams
TROUBLE = {"dropped": {"loss": 3000}, "doubled": {"duplicate": 10000}, "reordered": {"reorder": 10000},
           "all of it": {"loss": 2000, "duplicate": 5000, "reorder": 5000}}


def transfers(side, size, limit_s=60):
    for streams in (1, 8):
        for way in ("tx", "rx"):
            yield (f"{way}_{streams}", way,
                   lambda way=way, n=streams: side.run(f"check-{way}", streams=n, size=size // n, ms=600_000, limit_s=limit_s))


def attempt(what, transfer):
    start = time.monotonic()
    try:
        done = transfer()
    except Missing as why:
        print(f"BAD  {what:<40} {why}", flush=True)
        return False
    print(f"ok   {what:<40} {done['bytes'] / 1e6:7.1f} MB {time.monotonic() - start:6.1f} s", flush=True)
    return True


def over_tap(ctx, size):
    side = ctx.mine()
    return [attempt(f"bulk_{name}", transfer) for name, _, transfer in transfers(side, size)]


def over_path(ctx, size, seed):
    good = []
    side, _ = ctx.on_path()
    for trouble, how in TROUBLE.items():
        for name, way, transfer in transfers(side, size):
            ctx.path.shape("a" if way == "tx" else "b", seed, delay_us=500, **how)
            good.append(attempt(f"bulk_{name}, frames {trouble}", transfer))
            seen = ctx.path.shape()
            if not any(seen[k] for k in ("lost", "duplicated", "reordered")):
                good.append(attempt(f"bulk_{name}: the path did nothing", no_trouble))
    return good


def no_trouble():
    raise Missing("nothing was dropped, doubled or reordered: this proves nothing")


def run(ctx):
    """The exit status."""
    ctx.lab.namespaces()
    ctx.lab.peers()
    plain, bad = (PLAIN // 16, BAD // 4) if ctx.args.quick else (PLAIN, BAD)
    good = over_tap(ctx, plain) + over_path(ctx, bad, seed=1)
    return 0 if all(good) else 1
