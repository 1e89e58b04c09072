"""Live pictures that move in a page without a kernel.

    python -m tools.live [NAME ...]     draw what is missing into build/live/

A notebook is run as far as its last `live` picture. What a page needs of each is drawn
by the notebook's own function: a frame for every setting, or, where a formula in
JavaScript takes over, the figure as SVG whose parts the formula moves. `tools.ways`
says which. `fragment` puts a picture into a page; `copy_to` lays beside the page what
its fragments ask for. What was drawn from the same code is not drawn again.
"""

import ast
import base64
import hashlib
import html
import io
import itertools
import json
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import numpy as np
from nbformat import NotebookNode
from PIL import Image

from tools import command_line
from tools.cells import tags
from tools.paths import BUILD, NOTEBOOKS, ROOT, notebooks
from tools.warm import PRELOADED
from tools.ways import WAYS

OUT = BUILD / "live"
PAGE = ROOT / "tools/moving"  # what every page with such pictures needs
READER_ONLY = {"exercise", "solution"}
Values = dict[str, Any]


# --- which pictures there are ---------------------------------------------------------


def code_cells(name: str) -> list[NotebookNode]:
    """What is run: all code but exercises and solutions."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    return [
        cell
        for cell in cells
        if cell.cell_type == "code" and not READER_ONLY & {*tags(cell)}
    ]


def drawn_by(source: str) -> str | None:
    """The function that a cell hands to `live`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "live":
            return ast.unparse(node.args[0])
    return None


@cache
def pictures(name: str) -> dict[str, str]:
    """Cell id -> NAME-FUNCTION of every live picture of a notebook."""
    return {
        cell.id: f"{name}-{function}"
        for cell in code_cells(name)
        if (function := drawn_by(cell.source))
    }


@cache
def content(name: str) -> dict[str, str]:
    """NAME-FUNCTION -> hash of all code that its picture depends on."""
    done = hashlib.sha256()
    package = ROOT / "lecture_utils"
    for file in sorted(package.rglob("*.py")):
        if "exercises" not in file.parts:
            done.update(file.read_bytes())
    done.update((ROOT / "requirements.txt").read_bytes())
    found = {}
    for cell in code_cells(name):
        done.update(cell.source.encode())
        if picture := pictures(name).get(cell.id):
            found[picture] = f"{done.hexdigest()[:16]} {WAYS[picture].text()}"
    return found


def is_drawn(picture: str) -> bool:
    name = picture.partition("-")[0]
    mark = OUT / picture / "content.txt"
    return mark.exists() and mark.read_text("utf-8") == content(name)[picture]


# --- what a page gets -----------------------------------------------------------------


def fragment(name: str, cell_id: str) -> str | None:
    """HTML of a live picture that moves without a kernel.

    The page must lie beside the folder that `copy_to` writes. None: the cell shows no
    live picture, or it is not drawn yet (`python -m tools.live`).
    """
    stored = name in {path.stem for path in notebooks()}
    picture = pictures(name).get(cell_id) if stored else None
    if not picture or not is_drawn(picture):
        return None
    return (OUT / picture / "fragment.html").read_text("utf-8")


def copy_to(folder: Path) -> None:
    """Lay what fragments ask for into ``folder``/live."""
    target = folder / "live"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in ("live.css", "live.js", "formulas.js"):
        shutil.copyfile(PAGE / file, target / file)
    pad = (ROOT / "lecture_utils/static/digit_pad.js").read_text("utf-8")
    pad = pad.replace("export default { render };", "live.pad = render;")
    with (target / "live.js").open("a", encoding="utf-8") as script:
        script.write(f"\n(() => {{\n{pad}}})();\n")
        script.write((PAGE / "formulas.js").read_text("utf-8"))
    (target / "formulas.js").unlink()
    for path in notebooks():
        for picture in pictures(path.stem).values():
            if is_drawn(picture):
                data = OUT / picture / "data.js"
                shutil.copyfile(data, target / f"{picture}.js")
                if (frames := OUT / picture / "frames").exists():
                    shutil.copytree(frames, target / picture)


def markup(picture: str, title: str, controls: list[Values], page: Values) -> str:
    """The fragment: controls, the picture at rest, and what is said aloud."""
    way = WAYS[picture]
    start = {c["name"]: c["values"][c["start"]] for c in controls}
    key = key_of(controls, tuple(page["frames"]), start)
    width, height = page["size"]
    size = f'width="{width}" height="{height}"'
    label = html.escape(title)
    if way.formula:
        first = page["drawn"][key]["svg"].replace(
            "<svg", f'<svg role="img" aria-label="{label}" {size}', 1
        )
    else:
        alt = f"{label}: {html.escape(page['drawn'][key])}"
        first = f'<img src="live/{picture}/{key}.webp" alt="{alt}" {size}>'
    own = any(control["own"] for control in controls)
    notes = [way.hint, "Свой снимок можно взять в JupyterLab." if own else ""]
    note = html.escape(" ".join(filter(None, notes)))
    rows = "".join(
        field(control, control["name"] in way.pointed) for control in controls
    )
    return (
        '<link rel="stylesheet" href="live/live.css">'
        f'<figure class="live{" live-points" if way.hint else ""}" '
        f'data-live="{picture}" role="group" aria-label="{label}">'
        f'<div class="live-controls">{rows}<span class="live-note">{note}</span></div>'
        f'<div class="live-picture" style="--wide: {width}px">{first}</div>'
        '<p class="live-said" aria-live="polite"></p></figure>'
        '<script src="live/live.js"></script>'
    )


def field(control: Values, pointed: bool) -> str:
    """A control with its label; where pointing does its work, only keys reach it."""
    label, texts = html.escape(control["label"]), [*map(html.escape, control["texts"])]
    start, of = control["start"], f'data-name="{control["name"]}"'
    if control["kind"] == "pad":
        return f'<div class="live-pad" {of} data-label="{label}"></div>'
    if control["kind"] == "slider":
        last = len(texts) - 1
        inner = (
            f'<input type="range" {of} min="0" max="{last}" value="{start}" '
            f'aria-valuetext="{texts[start]}"><output>{texts[start]}</output>'
        )
    elif control["kind"] == "check":
        inner = f'<input type="checkbox" {of}{" checked" if start else ""}>'
    else:
        options = (
            f"<option{' selected' if k == start else ''}>{text}</option>"
            for k, text in enumerate(texts)
        )
        inner = f"<select {of}>{''.join(options)}</select>"
    kind = ' class="live-pointed"' if pointed else ""
    return f"<label{kind}><span>{label}</span>{inner}</label>"


# --- controls -------------------------------------------------------------------------


def control_of(name: str, widget: Any, kept: Any) -> Values:
    """A control of a page: the values that it can have and their texts."""
    import ipywidgets as widgets

    from lecture_utils.controls import DigitPad, PhotoPicker

    kind, start = "menu", widget.value
    if isinstance(widget, DigitPad):
        values, texts, kind = [widget.value], [""], "pad"
    elif isinstance(widget, widgets.Checkbox):
        values, texts, kind = [False, True], ["нет", "да"], "check"
    elif isinstance(widget, widgets.FloatLogSlider):
        count = round((widget.max - widget.min) / widget.step) + 1
        powers = np.linspace(widget.min, widget.max, count)
        values = [widget.base ** float(power) for power in powers]
        texts, kind = [f"{value:.2g}" for value in values], "slider"
    elif isinstance(widget, (widgets.IntSlider, widgets.FloatSlider)):
        count = int((widget.max - widget.min) / widget.step + 1e-9) + 1
        values = [widget.min + k * widget.step for k in range(count)]
        if isinstance(widget, widgets.FloatSlider):
            values = [round(value, 9) for value in values]
        texts, kind = [f"{value:g}" for value in values], "slider"
    else:
        pairs = [o if isinstance(o, tuple) else (str(o), o) for o in widget.options]
        texts, values = map(list, zip(*pairs, strict=True))
        if isinstance(widget, (widgets.SelectionSlider, widgets.ToggleButtons)):
            kind = "slider" if isinstance(widget, widgets.SelectionSlider) else "menu"
    if kept is not None:
        pairs = [
            p for p in zip(values, texts, strict=True) if is_in(p[0], [*kept, start])
        ]
        values, texts = map(list, zip(*pairs, strict=True))
    if all(isinstance(value, float) for value in values):
        texts = [text.replace(".", ",").replace("-", "−") for text in texts]
    is_start = [same(value, start) for value in values]
    return {
        "name": name,
        "kind": kind,
        "label": widget.description,
        "values": values,
        "texts": [
            text.replace("-", "−") if kind == "slider" else text for text in texts
        ],
        "start": is_start.index(True),
        "own": isinstance(widget, PhotoPicker),
    }


def same(a: object, b: object) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) < 1e-9  # ty: ignore[unsupported-operator]
    return a == b


def is_in(value: object, kept: Any) -> bool:
    return any(same(value, k) for k in kept)


# --- the parts of a figure ------------------------------------------------------------


def parts(figure: Any) -> dict[str, Values]:
    """Everything that a figure shows, by name: numbers in data units, colours, texts.

    ``a1.image0`` is the first picture in the second axes. A formula in JavaScript
    returns the same names with the same content for what it moves.
    """
    from matplotlib.collections import QuadMesh

    figure.draw_without_rendering()  # sets limits and ticks
    found: dict[str, Values] = {}
    for part, artist in artists(figure):
        kind = part.rstrip("0123456789").rpartition(".")[2]
        if kind == "image" or isinstance(artist, QuadMesh):
            found[part] = mapped(artist)
        elif kind == "line":
            x, y = (np.asarray(v, dtype=float) for v in artist.get_data())
            found[part] = {"x": x, "y": y, "width": artist.get_linewidth()}
        elif kind == "patch":
            found[part] = {
                "box": box_of(artist),
                "fill": colour(artist.get_facecolor()),
            }
        elif kind == "mesh":
            edges = [path.vertices for path in artist.get_paths()]
            found[part] = {"vertices": np.concatenate(edges) if edges else []}
        else:
            found[part] = {
                "text": artist.get_text(),
                "fill": colour(artist.get_color()),
                "weight": str(artist.get_fontweight()),
            }
            if kind == "text":  # others stand where the layout puts them
                found[part]["x"], found[part]["y"] = place(artist)
    for a, ax in enumerate(all_axes(figure)):
        found[f"a{a}"] = {
            "limits": np.array([*ax.get_xlim(), *ax.get_ylim()]),
            "x": tick_labels(ax.xaxis),
            "y": tick_labels(ax.yaxis),
        }
    return found


def all_axes(figure: Any) -> list[Any]:
    """The axes of a figure, then the secondary axes within them."""
    return [*figure.axes, *(child for ax in figure.axes for child in ax.child_axes)]


def tick_labels(axis: Any) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    return [
        tick.label1.get_text() or tick.label2.get_text()
        for tick in axis.get_major_ticks()
        if low - slack <= tick.get_loc() <= high + slack
    ]


def artists(figure: Any) -> Iterator[tuple[str, Any]]:
    """The named parts of a figure that can move."""
    if figure._suptitle:
        yield "title", figure._suptitle
    for a, ax in enumerate(all_axes(figure)):
        for kind, group in (
            ("image", ax.images),
            ("line", ax.lines),
            ("patch", ax.patches),
            ("text", ax.texts),
            ("mesh", ax.collections),
        ):
            for i, artist in enumerate(group):
                yield f"a{a}.{kind}{i}", artist
        labels = {"title": ax.title, "xlabel": ax.xaxis.label, "ylabel": ax.yaxis.label}
        for kind, artist in labels.items():
            if artist.get_text():
                yield f"a{a}.{kind}", artist


def mapped(artist: Any) -> Values:
    """Numbers and their colour map, or colours."""
    values = np.ma.filled(artist.get_array(), np.nan)
    found: Values = {"shape": list(values.shape[:2])}
    alpha = artist.get_alpha()
    if values.ndim == 3:
        scale = 255 if values.dtype.kind == "f" else 1
        found["rgb"] = np.round(values * scale).astype(np.uint8)
    else:
        found["values"] = values.astype(float)
        found["range"] = np.array(artist.get_clim(), dtype=float)
        found["map"] = artist.get_cmap().name
    if alpha is not None:
        found["alpha"] = np.asarray(alpha, dtype=float)
    return found


def box_of(artist: Any) -> np.ndarray:
    """x0, y0, x1, y1 of a rectangle in data units."""
    x, y = artist.get_xy()
    return np.array([x, y, x + artist.get_width(), y + artist.get_height()], float)


def place(text: Any) -> tuple[float, float]:
    """Where a text stands: of an annotation, the point that it belongs to."""
    x, y = getattr(text, "xy", text.get_position())
    return float(x), float(y)


def colour(value: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(value, keep_alpha=True).removesuffix("ff")


# --- a figure as SVG whose parts have names -------------------------------------------

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"


def skeleton(figure: Any, salt: str, moving: tuple[str, ...]) -> Values:
    """SVG text, where data units lie in it, and where its texts stand.

    Pictures of the parts in ``moving`` are left empty.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    figure.set_dpi(72)
    named = dict(artists(figure))
    for a, ax in enumerate(all_axes(figure)):
        named |= {f"a{a}.x": ax.xaxis, f"a{a}.y": ax.yaxis}
    for part, artist in named.items():
        artist.set_gid(part)
    file = io.StringIO()
    options: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "image.composite_image": False,
        "path.simplify": False,
    }
    with mpl.rc_context(options):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(file.getvalue())
    height = figure.get_figheight() * 72
    axes = [axes_of(ax, height) for ax in all_axes(figure)]
    units = {
        part: unit
        for part, artist in named.items()
        if ".line" in part
        and (unit := unit_of(artist.get_transform(), height))
        != axes[place_of(part)]["unit"]
    }
    middles = {
        part: artist.get_transform().transform(artist.get_position())[0]
        for part, artist in named.items()
        if hasattr(artist, "get_text") and "\n" in artist.get_text()
    }
    plt.close(figure)  # gives it back its former dots per inch
    for a, ax in enumerate(figure.axes):
        group = root.find(f".//*[@id='axes_{a + 1}']")
        images = sorted(enumerate(ax.images), key=lambda pair: pair[1].get_zorder())
        # A colour bar has pictures of its own, which stay.
        for element, (i, artist) in zip(
            [] if group is None else group.iter(f"{{{SVG}}}image"), images, strict=False
        ):
            lay_image(element, f"a{a}.image{i}", artist, axes[a]["unit"])
            if f"a{a}.image{i}" not in moving:
                element.set("href", data_uri(artist))
    tidy(root, named)
    for part, middle in middles.items():
        centre(root.findall(f".//*[@data-part='{part}']//{{{SVG}}}text"), middle)
    texts = {p: place(t) for p, t in named.items() if ".text" in p}
    svg = ElementTree.tostring(root, encoding="unicode")
    return {"svg": svg, "axes": axes, "texts": texts, "units": units}


def axes_of(ax: Any, height: float) -> Values:
    """How data units lie in the SVG, the place of the axes, the room for ticks."""
    box = ax.bbox
    return {
        "unit": unit_of(ax.transData, height),
        "box": [box.x0, height - box.y1, box.x1, height - box.y0],
        "room": [ax.xaxis.get_tick_space(), ax.yaxis.get_tick_space()],
    }


def unit_of(transform: Any, height: float) -> list[float]:
    """Scale and shift of x, then of y, from data to units of the SVG."""
    (x0, y0), (x1, y1) = transform.transform([(0, 0), (1, 1)])
    return [round(float(v), 5) for v in (x1 - x0, x0, y0 - y1, height - y0)]


def place_of(part: str) -> int:
    """The number of the axes that a part stands in."""
    return int(part[1 : part.index(".")])


def tidy(root: ElementTree.Element, named: Mapping[str, Any]) -> None:
    """Leave out what a page does not need and what would leak into it."""
    for name in ("width", "height"):
        root.attrib.pop(name)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    text = ElementTree.tostring(root, encoding="unicode")
    for element in root.iter():
        if (link := element.attrib.pop(HREF, None)) is not None:
            element.set("href", link)
        own = element.get("id")
        if own in named:
            element.set("data-part", element.attrib.pop("id"))
        elif own and f"#{own}" not in text:
            element.attrib.pop("id")


def centre(lines: list[ElementTree.Element], middle: float) -> None:
    """Lines of text around a vertical, so that others can stand there, too."""
    for line in lines:
        moved = re.match(r"translate\(\S+ (\S+)\)", line.get("transform", ""))
        if moved:
            line.set("transform", f"translate({middle:.3f} {moved[1]})")
        else:
            line.attrib.pop("transform", None)
            line.set("x", f"{middle:.3f}")
        line.set("style", f"{line.get('style', '')}; text-anchor: middle")


def lay_image(element: ElementTree.Element, part: str, artist: Any, unit: list) -> None:
    """A picture in its own pixels, stretched over its place by the browser."""
    left, right, bottom, top = artist.get_extent()
    x = sorted(unit[0] * value + unit[1] for value in (left, right))
    y = sorted(unit[2] * value + unit[3] for value in (bottom, top))
    element.attrib.clear()
    size = {"x": x[0], "y": y[0], "width": x[1] - x[0], "height": y[1] - y[0]}
    for name, value in size.items():
        element.set(name, f"{value:.3f}")
    element.set("preserveAspectRatio", "none")
    element.set("data-part", part)
    if (y[1] - y[0]) / len(artist.get_array()) >= 3 * 72 / 150:
        element.set("class", "live-pixels")


def data_uri(artist: Any) -> str:
    """A picture's own pixels as a link."""
    rgba = artist.to_rgba(artist.get_array(), bytes=True)
    alpha = artist.get_alpha()
    if alpha is not None:
        rgba[..., 3] = np.round(255 * np.asarray(alpha))
    image, file = Image.fromarray(rgba), io.BytesIO()
    large = min(image.size) > 64
    image.save(file, "WEBP", quality=92, lossless=not large, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


# --- drawing --------------------------------------------------------------------------


def webp(image: Image.Image) -> bytes:
    """A frame: without loss where that is small, as in plots with few colours."""
    file = io.BytesIO()
    flat = image.getcolors(2**12) is not None
    image.save(file, "WEBP", lossless=flat, quality=60 if flat else 90, method=3)
    return file.getvalue()


def said(figure: Any) -> str:
    """What a frame tells, for those who cannot see it: its titles."""
    titles = [figure._suptitle.get_text()] if figure._suptitle else []
    titles += [ax.get_title() for ax in figure.axes]
    return "; ".join(" ".join(title.split()) for title in titles if title)


def encoded(array: Any) -> Values:
    """An array as JavaScript reads it: little-endian bytes in base64."""
    values = np.ascontiguousarray(array)
    kind = {"u": "Uint8Array", "i": "Int8Array"}.get(values.dtype.kind, "Float32Array")
    if values.dtype == np.float64:
        kind = "Float64Array"
    elif kind == "Float32Array":
        values = values.astype("<f4")
    content = base64.b64encode(values.tobytes()).decode()
    return {"kind": kind, "shape": list(values.shape), "base64": content}


def key_of(controls: list[Values], frames: tuple[str, ...], values: Values) -> str:
    """The name of the frame for some values of the controls."""
    numbers = []
    for control in controls:
        if control["name"] in frames:
            hit = [same(v, values[control["name"]]) for v in control["values"]]
            numbers.append(str(hit.index(True)))
    return "-".join(numbers) or "0"


class Drawer:
    """Stands in for `live` while a notebook runs, and draws instead of displaying."""

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        self.name, self.names = name, names

    def live(self, draw: Any, title: str, **given: Any) -> None:
        import torch

        given.pop("point", None)
        picture = f"{self.name}-{draw.__name__}"
        if is_drawn(picture):
            return
        way, folder = WAYS[picture], OUT / picture
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "samples").mkdir(parents=True)
        controls = [control_of(n, w, way.grid.get(n)) for n, w in given.items()]
        with torch.random.fork_rng():  # what follows draws the same numbers
            if way.formula:
                page = self.figures(picture, draw, controls)
                self.sample(picture, draw, controls)
            else:
                page = self.frames(picture, draw, controls)
        script = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
        (folder / "data.js").write_text(f'live.add("{picture}",{script});', "utf-8")
        text = markup(picture, title, controls, page)
        (folder / "fragment.html").write_text(text, "utf-8")
        (folder / "content.txt").write_text(content(self.name)[picture], "utf-8")

    def frames(self, picture: str, draw: Callable, controls: list[Values]) -> Values:
        """A frame for every setting; of some also what Python drew, for the tests."""
        folder = OUT / picture
        (folder / "frames").mkdir()
        names = tuple(control["name"] for control in controls)
        states = list(itertools.product(*(control["values"] for control in controls)))
        proven = {*random.Random(0).sample(range(len(states)), min(50, len(states)))}
        drawn = {}
        for number, values in enumerate(states):
            state = dict(zip(names, values, strict=True))
            key = key_of(controls, names, state)
            figure = draw(**state)
            drawn[key] = said(figure)
            size = [round(100 * inches) for inches in figure.get_size_inches()]
            image = Image.fromarray(pixels_of(figure))
            (folder / f"frames/{key}.webp").write_bytes(webp(image))
            if number in proven:
                image.save(folder / f"samples/{key}.png", compress_level=1)
        return {**asked(controls, names), "drawn": drawn, "size": size}

    def figures(self, picture: str, draw: Callable, controls: list[Values]) -> Values:
        """The figures that a formula moves, and what it takes."""
        way, drawn = WAYS[picture], {}
        assert way.formula
        start = {c["name"]: c["values"][c["start"]] for c in controls} | dict(way.rest)
        grid = [c["values"] for c in controls if c["name"] in way.frames]
        for values in itertools.product(*grid):
            names = [c["name"] for c in controls if c["name"] in way.frames]
            state = start | dict(zip(names, values, strict=True))
            figure = draw(**state)
            size = [round(100 * inches) for inches in figure.get_size_inches()]
            key = key_of(controls, way.frames, state)
            drawn[key] = skeleton(figure, picture, way.moves)
        arrays = {k: encoded(v) for k, v in way.formula(self.names).items()}
        page = {"drawn": drawn, "size": size, "formula": True, "data": arrays}
        return {**asked(controls, way.frames), **page, "maps": colour_maps(way.maps)}

    def sample(self, picture: str, draw: Callable, controls: list[Values]) -> None:
        """What Python's figures consist of at random settings, for the tests."""
        way, folder = WAYS[picture], OUT / picture / "samples"
        rng = random.Random(0)
        if way.exact:
            way.exact(self.names)
        found = []
        for number in range(50):
            places: Values = {
                c["name"]: rng.randrange(len(c["values"])) for c in controls
            }
            state = {c["name"]: c["values"][places[c["name"]]] for c in controls}
            for control in controls:
                if control["kind"] == "pad":
                    name, ink = control["name"], any_ink(control["values"][0], rng)
                    places[name], state[name] = list(ink), ink
            figure = draw(**state)
            if number < 5:
                svg = skeleton(figure, f"sample{number}", ())["svg"]
                (folder / f"{number}.svg").write_text(svg, "utf-8")
            found.append({"places": places, "parts": parts(figure)})
            plt_close(figure)
        text = json.dumps(found, default=lambda array: array.tolist())
        (folder / "parts.json").write_text(text, "utf-8")


def pixels_of(figure: Any) -> np.ndarray:
    from lecture_utils.figures import pixels

    return pixels(figure)


def plt_close(figure: Any) -> None:
    import matplotlib.pyplot as plt

    plt.close(figure)


def asked(controls: list[Values], frames: tuple[str, ...]) -> Values:
    """The controls as the script of a page reads them."""
    found = [{k: c[k] for k in ("name", "values", "texts")} for c in controls]
    for control in found:
        if isinstance(control["values"][0], bytes):
            control["values"] = [list(control["values"][0])]
    return {"controls": found, "frames": frames}


def any_ink(ink: bytes, rng: random.Random) -> bytes:
    """A drawing made from another: moved, mirrored, with a stroke added."""
    side = round(len(ink) ** 0.5)
    drawn = np.frombuffer(ink, np.uint8).reshape(side, side).copy()
    drawn = np.roll(drawn, (rng.randrange(-9, 9), rng.randrange(-9, 9)), (0, 1))
    drawn = drawn[:: rng.choice((1, -1)), :: rng.choice((1, -1))].copy()
    if rng.random() < 0.7:
        row, column = rng.randrange(side - 40), rng.randrange(side - 40)
        drawn[row : row + rng.randrange(4, 40), column : column + 9] = 255
    return drawn.tobytes()


def colour_maps(names: tuple[str, ...]) -> Values:
    from matplotlib import colormaps

    steps = np.arange(256)
    return {n: encoded(colormaps[n](steps, bytes=True)[:, :3]) for n in names}


def perform(name: str) -> None:
    """Run a notebook as far as the last of its live pictures that is to be drawn."""
    wanted = [p for p in pictures(name).values() if not is_drawn(p)]
    if not wanted:
        return
    import matplotlib as mpl

    import lecture_utils

    mpl.use("agg")
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    vars(lecture_utils)["live"] = Drawer(name, shell.user_ns).live
    vars(lecture_utils)["show"] = lambda figure, *_, **__: plt_close(figure)
    for cell in code_cells(name):
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            shell.run_cell(cell.source).raise_error()
        if pictures(name).get(cell.id) == wanted[-1]:
            return


def build(names: list[str], processes: int = 2) -> None:
    """Draw all that is missing, each notebook in a process of its own."""
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(PRELOADED)
    pool = ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=1)
    with pool:
        for _ in pool.map(perform, names):
            pass


def table() -> str:
    """Way, number of frames and size of every picture."""
    lines = [f"{'picture':44} {'frames':>6} {'MB':>6}"]
    for path in notebooks():
        for picture in pictures(path.stem).values():
            folder = OUT / picture
            if not is_drawn(picture):
                lines.append(f"{picture:44} not drawn")
                continue
            frames = [*folder.glob("frames/*")]
            size = sum(f.stat().st_size for f in [*frames, folder / "data.js"]) / 1e6
            count = len(frames) or "formula"
            lines.append(f"{picture:44} {count:>7} {size:6.2f}")
    return "\n".join(lines)


def main() -> None:
    stored = [path.stem for path in notebooks()]
    parser = command_line.parser(__doc__)
    known = command_line.one_of(stored)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", type=known, help="as in 04_resnet"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="at a time; %(default)s"
    )
    arguments = parser.parse_args()
    build(arguments.names or stored, arguments.processes)
    print(table())


if __name__ == "__main__":
    sys.exit(main())
