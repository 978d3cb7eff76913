"""Print processor, threads and versions beside the figures; make the data of the examples importable."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))


def processor():
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def print_environment(*packages):
    """Print machine, threads and versions, the way every table in the docs gives them."""
    versions = []
    for package in ("skvq", "torch", "scikit-learn", "numpy", *packages):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    threads, python = torch.get_num_threads(), sys.version.split()[0]
    print(f"{processor()}, {os.cpu_count()} cores, torch threads {threads}, Python {python}")
    print(", ".join(versions), flush=True)
