"""What both emulated boards share: the user's SSH key and a broker on the host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import TestBroker, start_broker


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[TestBroker]:
    with start_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker
