"""Commands as a user runs them, in a process of their own, and ``mien doctor``'s report."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from device.__main__ import main

ROOT = Path(__file__).parents[3]


def ask_doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``run_doctor`` gives, without a new process."""
    command = ["doctor", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        status = main(command, {**clean, **environment})
    return subprocess.CompletedProcess(command, status, out.getvalue(), errors.getvalue())


def run_doctor(
    *arguments: str, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return run_mien("doctor", *arguments, folder=folder, **environment)


def run_mien(
    *arguments: str, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    return subprocess.run(
        [sys.executable, "-m", "device", *arguments],
        cwd=folder,
        env={**clean, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def findings(report: str) -> dict[str, tuple[str, str]]:
    """Section -> (mark, text)."""
    lines = [line for line in report.splitlines() if line]
    return {line[4:15].strip(): (line[:2], line[16:]) for line in lines}
