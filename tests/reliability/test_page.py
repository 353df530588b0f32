from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.reliability.__main__ import read_report
from tests.reliability.attacks import ATTACKS, Attack
from tests.reliability.page import PAGE, ROOT, make_page, read_figures


def test_the_page_is_what_the_last_runs_said() -> None:
    assert PAGE.read_text(encoding="utf-8") == make_page(read_figures())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.key)
def test_nothing_failed_in_the_last_run_of_a_line(attack: Attack) -> None:
    run = read_figures().get(attack.key)
    if run is None:
        pytest.skip(f"not run yet: python -m tests.reliability {attack.key}")
    assert run["passed"] >= len(attack.tests)
    assert (run["failed"], run["skipped"]) == (0, 0)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.key)
def test_each_line_names_tests_that_are_there(attack: Attack) -> None:
    for name in attack.tests:
        path, _, function = name.partition("::")
        tree = ast.parse((ROOT / Path(path)).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function.partition("[")[0] in functions, name


def test_a_report_is_counted_with_what_the_tests_told() -> None:
    told = '<properties><property name="events" value="{}"/></properties>'
    xml = (
        f"<testsuites><testsuite><testcase>{told.format(3)}</testcase>"
        f"<testcase>{told.format(4)}</testcase><testcase><skipped/></testcase>"
        "<testcase><failure/></testcase><testcase><error/></testcase></testsuite></testsuites>"
    )
    run = read_report(xml.encode())
    assert run.pop("date")
    assert run == {"passed": 2, "failed": 2, "skipped": 1, "told": {"events": 7}}
