"""A fixture that several test modules share."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """The notebooks' own precision, for all tests of a module."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
