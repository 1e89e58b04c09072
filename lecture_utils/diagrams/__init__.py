"""Diagrams of blocks and posters of whole networks, drawn from the torch modules."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor, nn

from lecture_utils.diagrams.draw import draw
from lecture_utils.diagrams.layout import lay_out
from lecture_utils.diagrams.names import name_blocks
from lecture_utils.diagrams.poster import poster
from lecture_utils.diagrams.trace import trace

__all__ = ["diagram", "poster"]


def diagram(
    module: nn.Module,
    x: Tensor,
    *,
    leaves: tuple[type[nn.Module], ...] = (),
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the modules and functions that ``module(x)`` calls, and what feeds what.

    The module runs once in eval mode; its weights, statistics and mode stay as they
    are. A network on ``torch.device("meta")`` takes neither time nor memory.
    Each call is one block; a shape (without the batch) is written where it changes.
    Blocks stand in rows as wide as a slide. The artists carry the names of the calls
    as ``gid``.

    Args:
        module: the network or block.
        x: an input of the right shape, such as ``torch.zeros(1, 3, 224, 224)``.
        leaves: classes of modules drawn as one block each; layers of ``torch.nn``
            always are.
        labels: other labels, by the name of a module (``"layer1.0.conv1"``) or of a
            call (``"add"``, ``"output"``).

    Raises:
        TypeError: not a module, or not a tensor.
        ValueError: the module cannot be traced or does not accept ``x``, a key of
            ``labels`` names nothing, the diagram is wider than a slide.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module — это {module!r}, а нужен экземпляр nn.Module: сначала создайте "
            "сеть, потом рисуйте"
        )
    if not isinstance(x, Tensor):
        raise TypeError(
            f"x — это {type(x).__name__}, а нужен тензор, например "
            "torch.zeros(1, 3, 224, 224)"
        )
    blocks = name_blocks(trace(module, x, leaves), len(x), labels or {})
    return draw(blocks, lay_out(blocks))
