"""``python -m tests.reliability [KEY...]``: attacks the product and keeps what came of it.

Runs the tests behind the lines of docs/reliability.md (all of them: about an hour), writes
docs/reliability.json and the page. 1 when a test failed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

from tests.reliability.attacks import ATTACKS, Attack
from tests.reliability.page import FIGURES, PAGE, ROOT, make_page, read_figures


def main() -> int:
    """Runs the attacks that are named."""
    keys = [attack.key for attack in ATTACKS]
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("keys", nargs="*", metavar="KEY", help=", ".join(keys))
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    args = parser.parse_args()
    if unknown := set(args.keys) - set(keys):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}; there are: {', '.join(keys)}")
    failed = 0
    for attack in ATTACKS if not args.page else ():
        if attack.key in (args.keys or keys):
            run = carry_out(attack)
            failed += run["failed"]
            figures = {**read_figures(), attack.key: run}
            FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(make_page(read_figures()), encoding="utf-8")
    return int(failed > 0)


def carry_out(attack: Attack) -> dict[str, Any]:
    """Runs an attack's tests, as politely as they can be run beside other work."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ["nice", "-n", "5", sys.executable, "-m", "pytest", "-q", *attack.tests]
        command += ["-m", "slow or not slow", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "MIEN_IMAGE_TEST": "1"}, check=False)
        return read_report(report.read_bytes())


def read_report(xml: bytes) -> dict[str, Any]:
    """Date, how many tests passed, failed and were skipped, and what they told of themselves."""
    cases = list(ET.fromstring(xml).iter("testcase"))
    told: Counter[str] = Counter()
    for case in cases:
        for each in case.iter("property"):
            told[each.attrib["name"]] += int(each.attrib["value"])
    skipped = sum(case.find("skipped") is not None for case in cases)
    failed = sum(case.find("failure") is not None or case.find("error") is not None
                 for case in cases)  # fmt: skip
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "passed": len(cases) - skipped - failed,
        "failed": failed,
        "skipped": skipped,
        "told": dict(told),
    }


if __name__ == "__main__":
    sys.exit(main())
