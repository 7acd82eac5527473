"""What processes cost, read from /proc (Linux)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KIB = 1024


def cpu_seconds(pid: int) -> float:
    """User and system CPU of a process and of all its threads, ended ones included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine_cpu_seconds() -> float:
    """CPU that anybody on the machine has used since it started, time stolen by its host included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def peak_mib(pid: int) -> float:
    """Largest resident memory of a process since it started, or since `forget_peak`."""
    return _status_kib(pid, "VmHWM") / _PAGE_KIB


def resident_mib(pid: int) -> float:
    """Resident memory of a process now."""
    return _status_kib(pid, "VmRSS") / _PAGE_KIB


def forget_peak(pid: int) -> None:
    """Lets the peak begin anew at the memory of now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no {name}")
