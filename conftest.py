"""Settings of every test run, `pytest --nbval` alone included."""

import os

import pytest

# Progress bars are for people; a stored notebook holds none.
os.environ["TQDM_DISABLE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let nbval wait longer for a printed line: its 5 s are few on a busy machine."""
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 60
