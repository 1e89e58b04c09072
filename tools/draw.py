"""What a page needs of a live picture, drawn by the notebook's own function.

Either a frame for every setting of the controls, or the figure as SVG whose parts have
names, so that a formula in JavaScript can move them. `tools.ways` says which.
"""

import base64
import io
import itertools
import json
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

import lecture_utils
from lecture_utils.controls import DigitPad, PhotoPicker
from lecture_utils.figures import pixels, smallest_letters
from tools import live
from tools.cells import code_cells
from tools.ways import WAYS

Values = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """A live picture of a notebook at the moment when the notebook shows it.

    Attributes:
        controls: as `control` makes them.
        point: place in a figure -> controls, see `lecture_utils.live`.
        names: all that the notebook has defined.
    """

    picture: str
    title: str
    draw: Callable[..., Figure]
    point: Callable[[int, float, float], Values] | None
    controls: list[Values]
    names: Values


def draw_missing(name: str) -> None:
    """Draw the pictures of a notebook that are not drawn from its present code."""
    missing = [p for p in live.pictures(name).values() if not live.is_drawn(p)]
    perform(name, missing, store)


def perform(name: str, wanted: Collection[str], visit: Callable[[Scene], None]) -> None:
    """Run a notebook as far as its last picture of ``wanted`` and visit them all."""
    mpl.use("agg")
    shell, left = InteractiveShell.instance(), {*wanted}

    def visit_wanted(scene: Scene) -> None:
        if scene.picture in left:
            left.remove(scene.picture)
            with torch.random.fork_rng():  # what follows draws the same numbers
                visit(scene)

    vars(lecture_utils)["live"] = instead_of_live(name, shell.user_ns, visit_wanted)
    vars(lecture_utils)["show"] = lambda figure, *_, **__: plt.close(figure)
    for cell in code_cells(name):
        if not left:
            return
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            shell.run_cell(cell.source).raise_error()


def instead_of_live(
    notebook: str, names: Values, visit: Callable[[Scene], None]
) -> Callable[..., None]:
    """What stands in for `lecture_utils.live` while a notebook runs."""

    def stand_in(draw: Any, title: str, point: Any = None, **controls: Any) -> None:
        picture = f"{notebook}-{draw.__name__}"
        keep = WAYS[picture].keep
        made = [control(n, widget, keep.get(n)) for n, widget in controls.items()]
        visit(Scene(picture, title, draw, point, made, names))

    return stand_in


def control(name: str, widget: Any, kept: Collection[Any] | None) -> Values:
    """A control of a page: the values that it can have and their texts."""
    kind, start = "slider", widget.value
    if isinstance(widget, DigitPad):
        kind, start = "pad", [*widget.value]
        pairs = [("", start)]
    elif isinstance(widget, widgets.Checkbox):
        kind, pairs = "check", [("нет", False), ("да", True)]
    elif hasattr(widget, "step"):
        count = int((widget.max - widget.min) / widget.step + 1e-9) + 1
        values = [round(widget.min + k * widget.step, 9) for k in range(count)]
        form = "g"
        if isinstance(widget, widgets.FloatLogSlider):
            values, form = [round(widget.base**value, 9) for value in values], ".2g"
        texts = [format(value, form).replace(".", ",") for value in values]
        pairs = zip((text.replace("-", "−") for text in texts), values, strict=True)
    else:
        pairs = [o if isinstance(o, tuple) else (str(o), o) for o in widget.options]
        kind = "slider" if isinstance(widget, widgets.SelectionSlider) else "menu"
    if kept is not None:
        pairs = [p for p in pairs if p[1] == start or p[1] in kept]
    texts, values = map(list, zip(*pairs, strict=True))
    return {
        "name": name,
        "kind": kind,
        "label": widget.description,
        "values": values,
        "texts": texts,
        "start": values.index(start),
        "own": isinstance(widget, PhotoPicker),
    }


# --- frames and figures ---------------------------------------------------------------


def store(scene: Scene) -> None:
    """Write page.json, and beside it the frames, into the folder of the picture."""
    folder = live.OUT / scene.picture
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    way, names = WAYS[scene.picture], [c["name"] for c in scene.controls]
    drawn_for = names if way.figures is None else way.figures
    start = {c["name"]: c["start"] for c in scene.controls} | dict(way.rest)
    grid = [
        range(len(c["values"])) if c["name"] in drawn_for else [start[c["name"]]]
        for c in scene.controls
    ]
    drawn, size, letters = {}, [], []
    for places in itertools.product(*grid):
        state = {
            c["name"]: c["values"][place]
            for c, place in zip(scene.controls, places, strict=True)
        }
        moved = zip(names, places, strict=True)
        key = "-".join(str(p) for name, p in moved if name in drawn_for) or "0"
        figure = scene.draw(**state)
        size = [round(100 * inches) for inches in figure.get_size_inches()]
        letters.append(smallest_letters(figure))
        if way.figures is None:
            drawn[key] = said(figure)
            (folder / f"{key}.webp").write_bytes(webp(Image.fromarray(pixels(figure))))
        else:
            drawn[key] = svg(figure, scene.picture)
            plt.close(figure)
    page = {
        "title": scene.title,
        "controls": scene.controls,
        "pointed": [*scene.point(0, 0.0, 0.0)] if scene.point else [],
        "figures": [*drawn_for],
        "drawn": drawn,
        "size": size,
        "letters": min(filter(None, letters), default=None),
    }
    if way.figures is not None:
        maps = {name for figure in drawn.values() for name in figure.pop("maps")}
        page["maps"] = {name: encoded(colours(name)) for name in sorted(maps)}
        page["data"] = {k: encoded(v) for k, v in way.arrays(scene.names).items()}
    text = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
    (folder / "page.json").write_text(text, encoding="utf-8")
    mark = live.content(scene.picture.partition("-")[0])[scene.picture]
    (folder / "content.txt").write_text(mark, encoding="utf-8")


def webp(image: Image.Image) -> bytes:
    """A frame without loss: with few colours that is smaller than with."""
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=True, quality=60, method=3)
    return file.getvalue()


def said(figure: Figure) -> str:
    """What a frame tells, for those who cannot see it: its titles."""
    titles = [figure.get_suptitle(), *(ax.get_title() for ax in figure.axes)]
    return "; ".join(" ".join(title.split()) for title in titles if title)


def encoded(array: Any) -> Values:
    """An array as JavaScript reads it: little-endian bytes in base64."""
    kinds = {"uint8": "Uint8Array", "int8": "Int8Array", "float64": "Float64Array"}
    values = np.ascontiguousarray(array)
    kind = kinds.get(values.dtype.name, "Float32Array")
    if kind == "Float32Array":
        values = values.astype("<f4")
    content = base64.b64encode(values.tobytes()).decode()
    return {"kind": kind, "shape": list(values.shape), "base64": content}


def colours(name: str) -> np.ndarray:
    """(256, 3) uint8, a colour map."""
    return mpl.colormaps[name](np.arange(256), bytes=True)[:, :3]


# --- a figure as SVG whose parts have names -------------------------------------------


def parts(figure: Figure) -> Iterator[tuple[str, Any]]:
    """What a formula can move; ``a1.image0`` is the first image in the second axes."""
    if figure.get_suptitle():
        yield "title", figure.texts[0]
    for a, ax in enumerate(figure.axes):
        groups = {
            "image": ax.images,
            "line": ax.lines,
            "patch": ax.patches,
            "text": ax.texts,
            "mesh": ax.collections,
        }
        for kind, group in groups.items():
            yield from ((f"a{a}.{kind}{i}", artist) for i, artist in enumerate(group))
        if ax.get_title():
            yield f"a{a}.title", ax.title


def svg(figure: Figure, picture: str) -> Values:
    """SVG text, how data units lie in it, where its texts stand, its colour maps.

    A part has the id PICTURE:PART.
    """
    figure.set_dpi(72)
    named = dict(parts(figure))
    for part, artist in named.items():
        artist.set_gid(f"{picture}:{part}")
        if ".image" in part:
            artist.set_interpolation("none")  # its own pixels; the browser scales them
            if np.ndim(artist.get_alpha()):
                keep_alpha(artist)
        if ".text" in part and artist.get_transform() == artist.axes.transData:
            artist.set_in_layout(False)  # as long as it may be, it moves no axes
    figure.draw_without_rendering()  # the layout settles at the second time
    file = io.StringIO()
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": picture,
        "image.composite_image": False,
        "path.simplify": False,
    }
    with mpl.rc_context(settings):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    # What would reach beyond the picture, and ids that no two pictures may share.
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r' id="[A-Za-z][\w.]*_\d{1,4}"', "", text)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    text = re.sub(r'(<svg[^>]*?) width="\S+" height="\S+"', r"\1", text, count=1)
    height = figure.bbox.height
    axes = []
    for ax in figure.axes:
        box = [ax.bbox.x0, height - ax.bbox.y1, ax.bbox.x1, height - ax.bbox.y0]
        axes.append({"unit": unit(ax.transData, height), "box": box})
    lines = {part: artist for part, artist in named.items() if ".line" in part}
    texts = {part: artist for part, artist in named.items() if ".text" in part}
    maps = [a.get_cmap().name for a in named.values() if is_mapped(a)]
    return {
        "svg": re.sub(r"\s*\n\s*", " ", text),
        "axes": axes,
        "units": {p: unit(line.get_transform(), height) for p, line in lines.items()},
        "texts": {part: place(text) for part, text in texts.items()},
        "maps": [name for name in maps if name in mpl.colormaps],  # not a contour's own
    }


def keep_alpha(image: Any) -> None:
    """Where matplotlib leaves the scaling to others, it forgets the alpha of pixels."""
    plain, alpha = image.to_rgba, image.get_alpha()

    def to_rgba(values: Any, **options: Any) -> Any:
        given = {"alpha": alpha} if values.shape == alpha.shape else {}
        return plain(values, **options | given)

    vars(image)["to_rgba"] = to_rgba


def is_mapped(artist: Any) -> bool:
    """Are these numbers in the colours of a map?"""
    values = artist.get_array() if hasattr(artist, "get_array") else None
    return values is not None and values.ndim < 3


def unit(transform: Any, height: float) -> list[float]:
    """Scale and shift of x, then of y, from data to units of the SVG."""
    (x0, y0), (x1, y1) = transform.transform([(0, 0), (1, 1)])
    return [round(float(v), 5) for v in (x1 - x0, x0, y0 - y1, height - y0)]


def place(text: Any) -> tuple[float, float]:
    """Where a text stands: of an annotation, the point that it belongs to."""
    x, y = getattr(text, "xy", text.get_position())
    return float(x), float(y)
