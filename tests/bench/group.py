# SPDX-License-Identifier: BSD-3-Clause
"""The shape of a figure, and of what is measured together; figures.py and leases.py have them. Sizes are those of a full
run and of --quick."""
import dataclasses

from lab import Missing


class NotMeasurable(Missing):
    """Here, with this build: the message says why."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    bulk_ms: int = 1000
    trips: int = 5000
    connects: int = 5000
    serverclose: int = 100_000
    calls: int = 20_000
    lookups: int = 1000
    path_ms: int = 6000
    idle_s: float = 10
    settle_s: float = 7  # 5 s after a packet the kernel asks by ARP whether its neighbour is there: waking for that is right
    held: int = 1000
    thousand: int = 1000  # what _1k is
    many: int = 10_000  # what _10k is
    pcbs: int = 95_000
    warm_s: float = 0.3


QUICK = Sizes(bulk_ms=150, trips=300, connects=200, serverclose=1000, calls=1000, lookups=100, path_ms=500, idle_s=1,
              settle_s=1, held=100, thousand=50, many=200, pcbs=2000, warm_s=0.1)


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    key: str = ""  # in what a measurement gives
    goal: tuple = None  # (">=" or "<=", number, "ratio" or "value")


class Group:
    """measure(side, n) gives a dict; n is the number of the round."""
    figures = ()
    extra = False  # only when asked for by name
    peers = False  # those of --peers can do it
    fixed_reference = False  # it is another one than the kernel, whatever --versus says
    load = None  # of an instruction count: (mode, a small load, a large one, what one is in both)

    def __init__(self, *figures):
        self.figures = figures

    def sides(self, ctx, stack):
        """(capnet, reference), either may be None."""
        return ctx.mine(), ctx.reference()

    def measure(self, ctx, side, n):
        raise NotImplementedError

    def round(self, ctx, sides, n):
        """The reference first, then the rest: what each gave."""
        order = [s for s in sides[1:] if s] + [s for s in sides[:1] if s]
        got = {id(s): self.measure(ctx, s, n) for s in order}
        return [got.get(id(s)) for s in sides]


def at_least(x):
    return ">=", x, "ratio"


def at_most(x, what="ratio"):
    return "<=", x, what
