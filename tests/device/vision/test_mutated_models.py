"""Thousands of damaged models: none gets past its trial that would end the daemon later."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device.errors import ModelError
from device.vision.trial import MAX_S, try_out
from tests.device.vision.mutated import mutated, write_model

MUTATIONS = 2000
MAX_CHILD_MB = 500  # resident: the trial's limit and what the libraries map
SERVE = Path(__file__).with_name("serve.py")
OUTCOMES = ("crash the runtime", "hang", "ask for too much memory", "are refused", "serve")
SIGNS = {
    "crashes the runtime": "crash the runtime",
    "it takes more than": "hang",
    "MiB of memory": "ask for too much memory",
}


def outcome(folder: Path, number: int) -> tuple[str, str]:
    """What becomes of one mutation: one of ``OUTCOMES``, and what was said."""
    content = mutated(random.Random(number))
    model = write_model(folder / str(number), content)
    started_s, said = time.monotonic(), ""
    try:
        try_out(model)
    except ModelError as error:
        said = str(error)
    assert time.monotonic() - started_s < MAX_S + 10, f"mutation {number}"
    if not said:
        served = subprocess.run(
            [sys.executable, "-m", "tests.device.vision.serve", str(model)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert served.returncode == 0, f"mutation {number} ends the daemon: {served}"
    shutil.rmtree(model.parent)
    if not said:
        return "serve", ""
    assert len(said.splitlines()) == 1, f"mutation {number}: {said}"
    return next((kind for sign, kind in SIGNS.items() if sign in said), "are refused"), said


@pytest.mark.slow
def test_two_thousand_damaged_models_neither_end_the_daemon_nor_hold_it_up(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda number: outcome(tmp_path, number), range(MUTATIONS)))
    counts = Counter(kind for kind, _ in found)
    signals = Counter(m[1] for _, said in found if (m := re.search(r"\((SIG\w+)\)", said)))
    print(dict(counts), dict(signals))
    print(
        "crashing:",
        [(n, s[-9:]) for n, (kind, s) in enumerate(found) if kind == "crash the runtime"],
    )
    for kind in OUTCOMES:
        record_property(kind, counts[kind])
    assert sum(counts.values()) == MUTATIONS
    assert counts["crash the runtime"] >= 1  # or the mutations are too tame to say anything
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert peak_mb < MAX_CHILD_MB
