"""A slide shows the telling lines of a class that its notebook holds whole."""

import ast

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools.cells import excerpt
from tools.slides import talk

SOURCE = '''\
import torch

class Block(nn.Module):
    """Остаточный блок."""

    expansion = 1

    def __init__(self, c):  # c каналов
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3)

    @torch.no_grad()
    def forward(self, x):
        # складываем

        return x + self.conv(x)  # (B, c, H, W)

    def extra_repr(self):
        return "block"


class Bare(nn.Module):
    def forward(self, x):
        return x

block = Block(8)'''
FORWARD = '''\
...
class Block(nn.Module):
    """Остаточный блок."""
    ...
    @torch.no_grad()
    def forward(self, x):
        # складываем

        return x + self.conv(x)  # (B, c, H, W)
    ...
class Bare(nn.Module):
    def forward(self, x):
        return x
...'''
BOTH = '''\
...
class Block(nn.Module):
    """Остаточный блок."""
    ...
    def __init__(self, c):  # c каналов
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3)
    ...
    def extra_repr(self):
        return "block"


class Bare(nn.Module):
    ...'''


def cell(*names: str, source: str = SOURCE):
    tags = [f"slide:{name}" for name in names]
    slide = {"slide_type": "slide"}
    return new_code_cell(source, metadata={"tags": tags, "slideshow": slide})


@pytest.mark.parametrize(
    ("names", "shown"),
    [((), SOURCE), (("forward",), FORWARD), (("__init__", "extra_repr"), BOTH)],
)
def test_a_slide_shows_the_methods_of_its_tags(names, shown):
    long = cell(*names)
    assert excerpt(long) == shown
    ast.parse(shown)
    assert [c.source for c in talk(new_notebook(cells=[long])).cells] == [shown]
    assert long.source == SOURCE, "the notebook keeps its cell whole"


def test_functions_are_shown_by_name():
    source = "def one():\n    return 1\n\ndef two():\n    return 2"
    assert excerpt(cell("two", source=source)) == "...\ndef two():\n    return 2"


def test_a_tag_must_name_a_function():
    with pytest.raises(ValueError, match="slide:forwards, but the cell defines no"):
        excerpt(cell("forwards", "forward"))
