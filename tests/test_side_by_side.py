"""How tests are spread over workers, and what the run says of those that it skipped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST_FIRST, missing_packages, pytest_xdist_auto_num_workers

ROOT = Path(__file__).parents[1]


def test_nothing_skipped_says_nothing() -> None:
    assert missing_packages([]) == ""


def test_skipped_tests_end_in_one_line_that_names_the_packages() -> None:
    reasons = ["Skipped: mosquitto is not installed", "Skipped: shellcheck is not installed"]
    reasons += ["Skipped: mosquitto is not installed; see there", "Skipped: no fixed disk here"]
    assert missing_packages(reasons) == (
        "4 skipped: install mosquitto, shellcheck; 1 for want of rights, hardware or data "
        "(pytest -rs tells each)"
    )


def test_there_is_a_worker_at_least() -> None:
    assert pytest_xdist_auto_num_workers() >= 1


@pytest.mark.parametrize("path", LONGEST_FIRST)
def test_what_begins_is_there(path: str) -> None:
    assert list(ROOT.glob(f"{path}*"))


def test_a_module_of_tests_stays_with_one_worker() -> None:
    files = ["tests/device/vision/test_nms.py", "tests/device/settings/test_hosts.py"]
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--no-loadscope-reorder"]
    command += ["-p", "no:cacheprovider", *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    ran = re.findall(r"\[(gw\d)\].*PASSED (\S+?)::", done.stdout)
    assert {file for _, file in ran} == set(files), done.stdout
    assert len(set(ran)) == 2
