"""What a process and all that it started take: processor time and memory, from /proc."""

import os

TICKS = os.sysconf("SC_CLK_TCK")


def tree(root):
    """`root` and its descendants: their /proc/PID/stat fields from the state on, by process id."""
    stats, children = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(name)] = fields
            children.setdefault(int(fields[1]), []).append(int(name))
    found, ahead = {}, [root]
    while ahead:
        pid = ahead.pop()
        if pid in stats:
            found[pid] = stats[pid]
            ahead += children.get(pid, [])
    return found


def cpu(root):
    """Seconds of processor time that the tree took so far, with those that ended and were waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in tree(root).values()) / TICKS


def memory(root):
    """Bytes that the tree takes, shared pages counted once (PSS)."""
    total = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total * 1024
