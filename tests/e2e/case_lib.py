# SPDX-License-Identifier: BSD-3-Clause
"""libcapnet against the real daemon."""
from lab import GATEWAY, Lab, case, eq, program, sh


@case
def every_function():
    """tests/e2e/lib_walk.c: each public function, with a success and a typed failure; nothing is left behind."""
    with Lab(resolver=f"servers = {GATEWAY}") as lab:
        lab.tap()
        lab.dnsmasq()
        lab.grant("status", ("status", "allow = all"))
        lab.grant("walk", ("connect", "allow = *:*"), ("listen", "allow = interface-address:8000-8099"),
                  ("dns", "allow = lab.test"), ("ping", "allow = *", "ping.count = 10"), ("status", "allow = all"),
                  ("manager", "allow = * get,set,renew,release"))
        lab.grant("narrow", ("connect", f"allow = {GATEWAY}:1"), ("manager", "allow = * get"))
        lab.start()
        before = lab.live()
        p = sh("timeout", "20", program("tests/e2e/lib_walk"), env=lab.environment(), check=False)
        print(p.stdout + p.stderr)
        eq(p.returncode, 0, "lib_walk")
        lab.settles(before)
