"""What the system tells of the processor: its name and abilities, its caches, and how much of it may be used."""

from __future__ import annotations

import os
import re
from pathlib import Path

TOLD = re.compile("(model name|vendor_id|cpu family|model|stepping|flags|Features|CPU [a-z]+|isa|uarch)\\s*:")
PROCESSORS = Path("/sys/devices/system/cpu")
QUOTA = Path("/sys/fs/cgroup/cpu.max")
DEFAULTS = {1: 32 << 10, 2: 512 << 10}
UNITS = {"K": 1 << 10, "M": 1 << 20}


def name() -> str:
    """The model and the abilities of the processor; another text where the same code might not run."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            first = file.read(16384).split("\n\n")[0]  # each processor is told, and there may be hundreds
    except OSError:
        return repr(os.uname())
    return "\n".join(line for line in first.splitlines() if TOLD.match(line))


def cache(level: int) -> int:
    """Bytes of the data cache of a core at level 1 or 2; a usual number where the system does not tell."""
    asked = {1: "SC_LEVEL1_DCACHE_SIZE", 2: "SC_LEVEL2_CACHE_SIZE"}[level]
    try:
        told = os.sysconf(asked) if asked in os.sysconf_names else 0
    except (OSError, ValueError):
        told = 0
    return told if told > 0 else _from_files(level) or DEFAULTS[level]


def _from_files(level: int) -> int | None:
    for folder in sorted((PROCESSORS / "cpu0" / "cache").glob("index*")):
        try:
            facts = [(folder / fact).read_text().strip() for fact in ("level", "type", "size")]
        except OSError:
            continue
        size = re.fullmatch("([0-9]+)([KM]?)", facts[2])
        if facts[0] == str(level) and facts[1] != "Instruction" and size:
            return int(size[1]) * UNITS.get(size[2], 1)
    return None


def cores() -> int:
    """How many threads are of use: one for each core open to this process, at most the quota of its group.

    The second thread of a core shares its arithmetic with the first.
    """
    known = hasattr(os, "sched_getaffinity")
    count = len({_core(i) for i in os.sched_getaffinity(0)}) if known else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no groups, or no quota
        return count


def _core(number: int) -> str:
    """A name for the core of a processor, which the processors on it share."""
    try:
        return (PROCESSORS / f"cpu{number}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return str(number)
