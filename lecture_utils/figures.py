"""Pictures with alt text, and live controls that redraw a picture."""

import io
from collections.abc import Callable

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

# Pixels per inch of the stored PNG and of its place on the page: sharp on dense
# screens and on projectors, at most 1180 px wide on a slide.
_STORED_DPI, _SHOWN_DPI = 150, 100
_WIDEST = 11.8


def show(figure: Figure, alt: str) -> None:
    """Display a matplotlib figure with a text for those who cannot see it.

    The alt text is stored beside the picture, as its text form and as its metadata;
    screen readers read it in the exported slides.

    Raises:
        TypeError: not a Figure.
        ValueError: the alt text says too little, or the figure is wider than a slide.
    """
    png = _png(figure)
    if len(alt) < 20:
        raise ValueError(
            f"alt text {alt!r} is too short: say what the picture shows and teaches"
        )
    width, height = (round(inches * _SHOWN_DPI) for inches in figure.get_size_inches())
    display(
        {"image/png": png, "text/plain": alt},
        metadata={"image/png": {"width": width, "height": height, "alt": alt}},
        raw=True,
    )


def live(
    draw: Callable[..., Figure], title: str, **controls: widgets.ValueWidget
) -> None:
    """Display controls and a picture that ``draw(**values)`` redraws at every move.

    ``title`` stands in for the controls where widgets cannot be shown.
    """
    picture = widgets.Image(format="png", layout={"max_width": "100%"})

    def redraw(_=None) -> None:
        values = {name: control.value for name, control in controls.items()}
        figure = draw(**values)
        width, _ = figure.get_size_inches()
        picture.layout.width = f"{round(width * _SHOWN_DPI)}px"
        picture.value = _png(figure)

    for control in controls.values():
        control.style = {"description_width": "initial"}
        control.layout.width = "480px"
        control.observe(redraw, names="value")
    redraw()
    box = widgets.VBox([*controls.values(), picture])
    bundle = box._repr_mimebundle_()
    display({**bundle, "text/plain": f"Виджет: {title}"}, raw=True)


def _png(figure: Figure) -> bytes:
    """Encode a figure and close it, so that it is neither shown twice nor kept."""
    if not isinstance(figure, Figure):
        raise TypeError(
            f"expected a matplotlib Figure, got {type(figure).__name__}; "
            "end the drawing function with `return figure`"
        )
    if figure.get_figwidth() > _WIDEST:
        raise ValueError(
            f"the figure is {figure.get_figwidth():.1f} in wide, a slide holds "
            f"{_WIDEST} in"
        )
    drawn, png = io.BytesIO(), io.BytesIO()
    # Hardly compressed, for it is read again at once.
    figure.savefig(drawn, dpi=_STORED_DPI, pil_kwargs={"compress_level": 1})
    plt.close(figure)
    # No transparency, which nothing needs, and no date and version: a tenth smaller,
    # and the same picture gives the same bytes.
    Image.open(drawn).convert("RGB").save(png, "PNG")
    return png.getvalue()
