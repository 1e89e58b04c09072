"""Pictures with alt text, and live controls that redraw a picture."""

import gc
import io
import reprlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
import torch.nn.functional as F
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from lecture_utils.controls import PointedPicture, nearest

# Pixels per inch of the stored PNG and of its place on the page: sharp on dense
# screens and on projectors, at most 1180 px wide on a slide.
_STORED_DPI, _SHOWN_DPI = 150, 100
WIDEST = 11.8  # inches
# Of bars, by colour: colour alone does not speak to everybody.
HATCHES = {"C1": "//", "C2": "..", "C3": "xx"}


def show(figure: Figure, alt: str, *, colours: int | None = None) -> None:
    """Display a matplotlib figure with a text for those who cannot see it.

    The alt text is stored beside the picture, as its text form and as its metadata;
    screen readers read it in the exported slides. ``colours`` is how many the picture
    has in a stored notebook, at most 256: photographs take a fraction of the room with
    64. Who runs the cell sees all of them.

    Raises:
        TypeError: not a Figure.
        ValueError: the alt text says too little, or the figure is wider than a slide.
    """
    gc.collect()  # a figure refers to itself: the last one would stay in memory
    png = _png(figure, full=colours is not None)
    if len(alt) < 20:
        raise ValueError(
            f"подпись {alt!r} слишком коротка: скажите, что видно на рисунке "
            "и чему он учит"
        )
    width, height = (round(inches * _SHOWN_DPI) for inches in figure.get_size_inches())
    metadata = {"width": width, "height": height, "alt": alt}
    if colours:
        metadata["colours"] = colours
    if letters := smallest_letters(figure):
        metadata["letters"] = letters
    display(
        {"image/png": png, "text/plain": alt},
        metadata={"image/png": metadata},
        raw=True,
    )


def smallest_letters(figure: Figure) -> float | None:
    """Their size in px where the figure has 100 px an inch, as on a page."""
    axes = [ax for ax in figure.axes if not (ax.axison and ax.get_visible())]
    unseen = {
        text
        for ax in axes
        for axis in (ax.xaxis, ax.yaxis)
        for text in axis.findobj(Text)
    }
    sizes = [
        float(text.get_fontsize())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen
    ]
    return round(min(sizes) * _SHOWN_DPI / 72, 1) if sizes else None


def live(
    draw: Callable[..., Figure],
    title: str,
    point: Callable[[int, float, float], dict[str, Any]] | None = None,
    **controls: Any,
) -> None:
    """Display ipywidgets and a picture that ``draw(**values)`` redraws at every move.

    ``title`` stands in for the controls where widgets cannot be shown. A slider
    redraws when it is let go: a picture takes longer than the hand. When ``draw`` fails
    after a move, the box says so.

    With ``point`` the reader points at the picture: ``point(ax, x, y)`` turns the
    number of the axes and a place in their data units into values of some controls.
    Those take the nearest value that they have, and are then left to the keyboard.
    """
    message = widgets.HTML()
    picture: Any = PointedPicture() if point else widgets.Image(format="png")
    picture.layout.max_width = "100%"
    shown: list[Figure] = []
    held: list[str] = []  # controls that move together: one redraw

    def values() -> dict[str, Any]:
        return {name: control.value for name, control in controls.items()}

    def redraw() -> None:
        with _half_drawn_closed():
            figure = draw(**values())
            picture.value = _png(figure)
        picture.layout.width = f"{round(figure.get_figwidth() * _SHOWN_DPI)}px"
        if point:
            shown[:] = [figure]

    def moved(_: object) -> None:
        if held:
            return
        message.value = ""
        try:
            redraw()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            given = ", ".join(f"{n} = {reprlib.repr(v)}" for n, v in values().items())
            text = f"Не нарисовать при {given}: {type(error).__name__}: {error}"
            text = text if len(text) <= 500 else f"{text[:500]}…"
            message.value = f"<b>{escape(text)}</b>"

    def pointed(x: float, y: float) -> None:
        before, place = values(), _place(shown[0], x, y)
        wanted = point(*place) if point and place else {}
        held.extend(wanted)
        for name, value in wanted.items():
            controls[name].value = nearest(controls[name], value)
        held.clear()
        if values() != before:
            moved(None)

    for control in controls.values():
        control.style = {"description_width": "initial"}
        control.layout.width = "480px"
        if control.has_trait("continuous_update"):
            control.continuous_update = False
        control.observe(moved, names="value")
    redraw()
    if point:
        picture.on_point(pointed)
        for name in point(0, 0.0, 0.0):
            controls[name].add_class("live-pointed")
    box = widgets.VBox([*controls.values(), message, picture])
    bundle = box._repr_mimebundle_()
    display({**bundle, "text/plain": f"Виджет: {title}"}, raw=True)


def _place(figure: Figure, x: float, y: float) -> tuple[int, float, float] | None:
    """Number of the axes and data units, from shares of the width and height."""
    pixel = (x * figure.bbox.width, (1 - y) * figure.bbox.height)
    for number, ax in enumerate(figure.axes):
        if ax.bbox.contains(*pixel):
            return number, *ax.transData.inverted().transform(pixel).tolist()
    return None


def gallery(
    pictures: Mapping[str, ArrayLike | Tensor] | Iterable[ArrayLike | Tensor],
    titles: Iterable[str] = (),
    *,
    columns: int | None = None,
    height: float = 2.4,
    fontsize: float = 12,
    **options: Any,
) -> Figure:
    """Pictures side by side, each below its title, without axes.

    Args:
        pictures: title -> (H, W), (H, W, 3), or as networks take them (1, H, W),
            (3, H, W); tensors may be on any device. Pixels keep sharp borders. Without
            a mapping the titles, if any, are ``titles``.
        columns: pictures in a row; all of them by default.
        height: of a row, inches.
        options: of ``imshow`` (``cmap``, ``vmin``, ``vmax``, …).

    Raises:
        ValueError: no pictures, or one of another shape; not a title for each.
    """
    if isinstance(pictures, Mapping):
        titles, pictures = map(str, pictures), pictures.values()
    shown = [_for_imshow(picture) for picture in pictures]
    titles = list(titles)
    if not shown:
        raise ValueError("картинок нет: нужна хотя бы одна")
    if titles and len(titles) != len(shown):
        raise ValueError(f"картинок {len(shown)}, а подписей {len(titles)}")
    columns = columns or len(shown)
    rows = -(-len(shown) // columns)
    widest = max(picture.shape[1] / picture.shape[0] for picture in shown)
    room = 0.35 if titles else 0.05  # above a picture, inches
    width = min(WIDEST, columns * (height - room) * widest + 0.2)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width, rows * height),
        layout="constrained",
        squeeze=False,
    )
    options = {"interpolation": "nearest"} | options
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    for ax, picture, title in zip(
        axes.flat, shown, titles or [""] * len(shown), strict=False
    ):
        panel(ax, picture, title, fontsize=fontsize, **options)
    return figure


def panel(
    ax: Axes,
    picture: ArrayLike | Tensor,
    title: str = "",
    *,
    fontsize: float = 12,
    **options: Any,
) -> AxesImage:
    """Draw one picture of a figure, in any form of `gallery`: a title and no axes."""
    image = ax.imshow(_for_imshow(picture), **options)
    ax.set_title(title, fontsize=fontsize)
    ax.set_axis_off()
    return image


def draw_box(ax: Axes, box: Iterable[float] | Tensor, **style: Any) -> None:
    """Draw the outline of a box x1, y1, x2, y2 in a style of matplotlib's patches."""
    x1, y1, x2, y2 = map(float, box)
    ax.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **style))


def make_legible(ax: Axes) -> None:
    """Write the numbers of a seaborn heat map black or white, as each stands out more.

    At a relative luminance of 0.18 both contrasts, as WCAG defines them, are equal.
    """
    mesh = ax.collections[0]
    shown = ~np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).ravel()
    shades = np.asarray(mesh.get_facecolor())[shown]
    for text, shade in zip(ax.texts, shades, strict=True):
        text.set_color("0.1" if sns.utils.relative_luminance(shade) > 0.18 else "w")


def grouped_bars(
    ax: Axes,
    groups: Mapping[str, Iterable[float]],
    names: Sequence[str],
    *,
    horizontal: bool = False,
    number: str = "",
    colours: Sequence[str] = ("C0", "C1", "C2"),
) -> None:
    """Draw bars side by side: at each of ``names`` one bar of every group.

    Args:
        groups: label -> values, one for each of ``names``.
        number: how to write a value at the end of its bar, as in ``"{:.1f} %"``, with
            a decimal comma; by default it is not written.
        colours: of the groups; each has its hatch.
    """
    places, step = np.arange(len(names)), 0.8 / len(groups)
    draw = ax.barh if horizontal else ax.bar
    for k, (label, values) in enumerate(groups.items()):
        middle = places + step * (k - (len(groups) - 1) / 2)
        values = [float(value) for value in values]
        style: dict[str, Any] = {"color": colours[k], "hatch": HATCHES.get(colours[k])}
        bars = draw(middle, values, 0.95 * step, ec="w", label=label, **style)
        if number:
            texts = [number.format(value).replace(".", ",") for value in values]
            ax.bar_label(bars, texts, padding=3, fontsize=12)
    (ax.set_yticks if horizontal else ax.set_xticks)(places, names)
    ax.grid(visible=False, axis="y" if horizontal else "x")
    if horizontal:
        ax.invert_yaxis()


def with_answers(picture: Tensor, answers: Mapping[str, float]) -> Figure:
    """A picture and on its right a network's answers, see `answer_bars`."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.4), layout="constrained", width_ratios=[1, 1.6]
    )
    panel(left, picture)
    answer_bars(right, answers, fontsize=14)
    return figure


def answer_bars(ax: Axes, answers: Mapping[str, float], fontsize: float = 12) -> None:
    """Draw answers with their probabilities as bars, each under its own text."""
    ax.barh(range(len(answers)), list(answers.values()), height=0.9, color="#9ecae9")
    for row, (name, probability) in enumerate(answers.items()):
        percent = f"{100 * probability:.{0 if probability >= 0.0995 else 1}f}"
        text = f"{name}, {percent.replace('.', ',')} %"
        ax.text(0.02, row, text, va="center", fontsize=fontsize)
    ax.set(xlim=(0, 1), ylim=(len(answers) - 0.5, -0.5), xticks=[], yticks=[])
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.grid(False)


def heat_over(ax: Axes, picture: Tensor, heat: Tensor, title: str = "") -> None:
    """Lay what is positive in a map over a picture, grey under it.

    Drawn in 128 x 128 pixels of few shades: a stored notebook stays small.

    Args:
        picture: (3, S, S) uint8.
        heat: (H, W) of any size; it is stretched over the whole picture.
    """
    grey = picture.cpu().double().mean(0) / 255
    grey = F.interpolate(grey[None, None], (128, 128), mode="area")[0, 0]
    positive = heat.detach().cpu().double()[None, None].relu()
    smooth = F.interpolate(positive, (128, 128), mode="bicubic")[0, 0].relu()
    share = smooth / smooth.max().clamp(min=1e-12)
    colours = plt.get_cmap("inferno")((10 * share).round().numpy() / 10)[..., :3]
    shades = (16 * grey).round().numpy()[..., None] / 16
    side = picture.shape[-1]
    mixed = 0.35 * shades + 0.65 * colours
    ax.imshow(mixed, extent=(0, side, side, 0), interpolation="nearest")
    ax.set_title(title, fontsize=13)
    ax.set_axis_off()


def _for_imshow(picture: ArrayLike | Tensor) -> np.ndarray:
    """(H, W) or (H, W, 3) of a picture in any of the forms of `gallery`."""
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu().numpy()
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[0] in (1, 3) and picture.shape[2] != 3:
        picture = picture.transpose(1, 2, 0)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if picture.ndim != 2 and picture.shape[2:] != (3,):
        raise ValueError(
            f"форма картинки {picture.shape}, а нужна (H, W), (H, W, 3), "
            "(1, H, W) или (3, H, W)"
        )
    return picture


def without_noise(values: Tensor, of: Tensor | None = None) -> Tensor:
    """Set what is only rounding to zero: it differs from processor to processor.

    The floor is 1024 units of rounding of the largest absolute value of ``of``, the
    tensor that ``values`` were computed from (by default ``values`` themselves).
    """
    size = (values if of is None else of).detach().abs().max()
    floor = 2**10 * torch.finfo(values.dtype).eps * size
    return values.where(values.abs() > floor, 0)


@contextmanager
def _half_drawn_closed() -> Generator[None]:
    """Nobody else would close, but show, what an error left open."""
    before = set(plt.get_fignums())
    try:
        yield
    except BaseException:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
        raise


def pixels(figure: Figure) -> np.ndarray:
    """Draw a figure as a notebook stores it, (H, W, 3) uint8, and close it.

    Closed, it is neither shown twice nor kept.
    """
    if not isinstance(figure, Figure):
        raise TypeError(
            f"нужен рисунок matplotlib (Figure), а получено {type(figure).__name__}; "
            "закончите функцию рисования строкой return figure"
        )
    if figure.get_figwidth() > WIDEST:
        raise ValueError(
            f"ширина рисунка {figure.get_figwidth():.1f} дюйма, "
            f"а на слайд помещается {WIDEST}"
        )
    figure.set_dpi(_STORED_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    plt.close(figure)
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _png(figure: Figure, full: bool = False) -> bytes:
    # No transparency, which nothing needs, and no date and version: a tenth smaller
    # than savefig's, and the same picture gives the same bytes.
    png = io.BytesIO()
    image = Image.fromarray(pixels(figure))
    if not full and image.getcolors(256):  # the same pixels by number: half as large
        image = image.quantize(256, dither=Image.Dither.NONE)
    # A photograph is packed well when it is stored.
    image.save(png, "PNG", compress_level=1 if full else 6)
    return png.getvalue()
