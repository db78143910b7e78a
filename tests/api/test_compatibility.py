"""The page that says what of MailSlurp's API is here is what the code says."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from posthouse.api.operations import known_operations

from .cases import BUILT

SCRIPT = Path(__file__).parents[2] / "scripts" / "compatibility.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compatibility", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    assert script.PAGE.read_text("utf-8") == script.page(), "run scripts/compatibility.py"


def test_what_differs_is_built(script: ModuleType) -> None:
    assert set(script.DIFFERENCES) <= BUILT == script.built()


def test_every_operation_that_a_mail_product_needs_is_in_the_page_once(script: ModuleType) -> None:
    wanted = [one for one in known_operations().operations if one.tier < 3]
    assert len(wanted) == 310
    rows = [line for line in script.page().splitlines() if line.startswith("| `")]
    assert len(rows) == 310
    for one in wanted:
        [row] = [row for row in rows if row.startswith(f"| `{one.name}` | {one.method} `{one.path}` |")]
        assert row.endswith("| 501 |") is (one.name not in BUILT)
