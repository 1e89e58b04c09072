"""Fixtures that several test modules share."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from lecture_utils.exercises import expect
from tools.load import factor
from tools.paths import notebooks


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """The notebooks' own precision, for all tests of a module."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session", autouse=True)
def _answers_have_time_on_a_busy_machine() -> None:
    expect.TIME_LIMIT *= factor()


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The whole site: its folder, its pages and the seconds that it took."""
    from tools import site  # loads Sphinx

    place = tmp_path_factory.mktemp("site")
    start = time.perf_counter()
    site.build(notebooks(), out=place / "site", source=place / "source")
    return SimpleNamespace(
        folder=place / "site",
        pages=sorted((place / "site").glob("*.html")),
        seconds=time.perf_counter() - start,
    )
