"""How much memory processes have together: the proportional set size, in which shared pages count once."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def mib_of(*roots: int) -> float:
    """Return the MiB that these processes and all that they started have together (those that have ended: nothing)."""
    kib = 0
    for pid in _families(set(roots)):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def _families(roots: set[int]) -> set[int]:
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found = new = roots
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found = found | new
    return found
