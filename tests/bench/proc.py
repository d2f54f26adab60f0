# SPDX-License-Identifier: BSD-3-Clause
"""What processes and the kernel hold and do, out of /proc."""
import contextlib
import os

SLABS = "/sys/kernel/slab"  # where slabs that share pages have all their names, unlike in /proc/slabinfo
# Objects that sockets are made of. Each has a file and a dentry besides, and those are counted by the sockets' inodes: files
# and dentries in general come and go with whatever else the machine does.
INODE, WITH_EACH = "sock_inode_cache", ("filp", "dentry")
SOCKETS = ("TCP", "UNIX", "UNIX-STREAM", "request_sock_TCP", "tw_sock_TCP", "eventpoll_epi", "eventpoll_pwq",
           "skbuff_head_cache", "skbuff_small_head", "tcp_bind_bucket", "tcp_bind2_bucket")
ALLOCATED = "kmalloc-cg-"  # what is charged to whoever asked for it: tables of descriptors among it


def children(pid):
    """The process and all below it, as pids."""
    found = [pid]
    for p in found:
        with contextlib.suppress(OSError), open(f"/proc/{p}/task/{p}/children", encoding="ascii") as f:
            found.extend(int(c) for c in f.read().split())
    return found


def switches(pid):
    """Voluntary context switches of all threads so far: each is one wait, hence one wake-up."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt"))
    return total


def status_kb(pid, *keys):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.split(":")[0] in keys)


def resident(pid):
    """Kilobytes."""
    return status_kb(pid, "VmRSS")


def private(pid):
    """Kilobytes that are nobody's file, of the process and all below it."""
    return sum(status_kb(p, "RssAnon", "RssShmem") for p in children(pid))


def slab(name, what):
    with contextlib.suppress(OSError), open(os.path.join(SLABS, name, what), encoding="ascii") as f:
        return int(f.read().split()[0])
    return 0


def kernel_memory():
    """Kilobytes of the kernel's objects that sockets are made of."""
    names = [INODE, *SOCKETS, *(n for n in os.listdir(SLABS) if n.startswith(ALLOCATED))]
    each = {os.path.realpath(os.path.join(SLABS, n)): n for n in names}  # those that are one are counted once
    total = sum(slab(n, "objects") * slab(n, "slab_size") for n in each.values())
    total += slab(INODE, "objects") * sum(slab(n, "slab_size") for n in WITH_EACH)
    return total / 1024


def pin(pid, cpus):
    """All threads of the process and of those below it. cpus: a set."""
    for p in children(pid):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{p}/task"):
                os.sched_setaffinity(int(task), cpus)
