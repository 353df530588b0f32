from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from training.classifier.distributed import is_chief, make_strategy
from training.classifier.trained import load_network, predict
from training.data.fer2013 import read_pictures

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_worker_without_a_cluster_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert is_chief("multiworker")
    with pytest.raises(UsageError, match="TF_CONFIG"):
        make_strategy("multiworker")
    monkeypatch.setenv("TF_CONFIG", "{cluster")
    with pytest.raises(UsageError, match="TF_CONFIG is not a JSON object"):
        is_chief("multiworker")


@pytest.mark.parametrize(
    ("cluster", "task", "chief"),
    [
        (["worker"], ("worker", 0), True),
        (["worker"], ("worker", 1), False),
        (["chief", "worker"], ("chief", 0), True),
        (["chief", "worker"], ("worker", 0), False),
    ],
)
def test_one_process_writes_the_run(
    cluster: list[str], task: tuple[str, int], chief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"cluster": {kind: ["a:1"] for kind in cluster},
              "task": {"type": task[0], "index": task[1]}}  # fmt: skip
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert is_chief("multiworker") is chief
    assert is_chief("none")


@pytest.mark.slow
def test_two_worker_processes_train_one_network(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    run = tmp_path / "run"
    command = [
        sys.executable, "-m", "training", "classifier", "--network", "expression-tiny",
        "--strategy", "multiworker", "--data", str(drawn[0]), "--votes", str(drawn[1]),
        "--run", str(run), "--epochs", "4", "--batch-size", "16", "--precision", "float32",
    ]  # fmt: skip
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "TF_CONFIG": json.dumps(task)},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
        )  # fmt: skip
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    lines = [[line.split("  seconds")[0] for line in output.splitlines()
              if line.startswith("epoch ")] for output in outputs]  # fmt: skip
    assert len(lines[0]) == 4
    assert lines[0] == lines[1]  # both hold the same weights and see the same losses
    first, last = (
        float(line.split("  loss ")[1].split()[0]) for line in (lines[0][0], lines[0][3])
    )
    assert last < first
    answers = predict(load_network(run), read_pictures(*drawn).pixels)["crowd"]
    assert np.isfinite(answers).all()
