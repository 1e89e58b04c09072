"""Fixtures that several test modules share."""

from collections.abc import Iterator

import pytest
import torch

from lecture_utils.exercises import expect
from tools.load import factor


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """The notebooks' own precision, for all tests of a module."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session", autouse=True)
def _answers_have_time_on_a_busy_machine() -> None:
    expect.TIME_LIMIT *= factor()
