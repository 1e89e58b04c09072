"""Pictures that move in a page without a kernel are those that Python draws.

Every test run compares some pictures that need no trained network; `make compare` runs
the notebooks and compares all of them at fifty settings each.
"""

import base64
import io
import json
import math
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import matplotlib.pyplot as plt
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import BrowserContext, Page
from skimage.metrics import structural_similarity

from lecture_utils.figures import pixels
from tests.browser import test_slides
from tools import draw, live, slides
from tools.cells import code_cells
from tools.definitions import definitions
from tools.paths import notebooks
from tools.pytest_plugin import NEEDS_WEIGHTS, missing_weights
from tools.ways import WAYS, in_steps

NOTEBOOKS = {
    path.stem: path
    for path in notebooks()
    if live.pictures(path.stem)
    and not (path.stem in NEEDS_WEIGHTS and missing_weights())
}
ALL = [picture for name in NOTEBOOKS for picture in live.pictures(name).values()]
NO_NETWORK = (
    "03_googlenet-draw_costs",
    "05_fpn_unet-draw_checkerboard",
    "10_positional_encoding-draw_encoding",
)
ALIKE = 0.99  # structural similarity of two pictures
LOOKED_AT = 5  # settings of a formula at which the whole figure is compared, too
ALONE = """
    .live-picture { position: fixed; inset: 0 auto auto 0 }
    .live > :not(.live-picture) { visibility: hidden }
"""
GO = """async places => {
    const picture = document.querySelector('figure.live').live;
    const parts = await picture.go(places);
    const plain = value => ArrayBuffer.isView(value) ? [...value]
        : value && value.constructor === Object ? Object.fromEntries(
            Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
    return [plain(parts), picture.ms, picture.key()];
}"""
# The pictures inside a new SVG are decoded later than it is put in.
PAINTED = """() => Promise.all(
    [...document.querySelectorAll('.live-picture image')].map(i => i.decode?.()))"""
POINT = """places => places.map(
    place => document.querySelector('figure.live').live.pointedAt(...place))"""
EXCHANGE = """svg => {
    const old = document.querySelector('.live-picture svg');
    const box = document.createElement('div');
    box.innerHTML = svg;
    for (const name of ['width', 'height'])
        box.firstElementChild.setAttribute(name, old.getAttribute(name));
    old.replaceWith(box.firstElementChild);
    globalThis.kept = old;
}"""


# --- what Python draws ----------------------------------------------------------------


def content(figure: Figure) -> dict[str, dict]:
    """What the parts of a figure are like, by the names that formulas give them."""
    figure.draw_without_rendering()  # sets limits
    found: dict[str, dict] = {
        f"a{a}": {"limits": [*ax.get_xlim(), *ax.get_ylim()]}
        for a, ax in enumerate(figure.axes)
    }
    for part, artist in draw.parts(figure):
        kind = part.rstrip("0123456789").rpartition(".")[2]
        if kind == "image" or isinstance(artist, QuadMesh):
            found[part] = of_image(artist)
        elif kind == "line":
            x, y = (np.asarray(v, dtype=float) for v in artist.get_data())
            found[part] = {"x": x, "y": y, "width": artist.get_linewidth()}
        elif kind == "patch":
            fill = to_hex(artist.get_facecolor(), keep_alpha=True).removesuffix("ff")
            x, y = artist.get_xy()
            box = [x, y, x + artist.get_width(), y + artist.get_height()]
            found[part] = {"box": np.array(box, float), "fill": fill}
        elif kind == "mesh":
            vertices = [path.vertices for path in artist.get_paths()]
            found[part] = {"vertices": np.concatenate(vertices) if vertices else []}
        else:
            found[part] = {
                "text": artist.get_text(),
                "fill": to_hex(artist.get_color()),
                "weight": str(artist.get_fontweight()),
            }
            if kind == "text":  # others stand where the layout puts them
                found[part]["x"], found[part]["y"] = draw.place(artist)
    return found


def of_image(artist: Any) -> dict:
    """Numbers and their colour map, or colours."""
    values = np.ma.filled(artist.get_array(), np.nan)
    found: dict[str, Any] = {"shape": list(values.shape[:2])}
    if values.ndim == 3:
        scale = 255 if values.dtype.kind == "f" else 1
        found["rgb"] = np.round(values * scale).astype(np.uint8)
    else:
        found["range"] = np.array(artist.get_clim(), dtype=float)
        found["values"] = np.clip(np.ravel(values.astype(float)), *found["range"])
        found["map"] = artist.get_cmap().name
    if artist.get_alpha() is not None:
        found["alpha"] = np.asarray(artist.get_alpha(), dtype=float)
    return found


class Sampler:
    """Writes what a scene's own function draws at random settings into a folder."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def __call__(self, scene: draw.Scene) -> None:
        if not scene.picture.endswith("draw_own"):
            self.sample(scene)
            return
        weight = scene.names["net"].dense_1.weight.data
        exact, (rounded, step) = weight.clone(), in_steps(weight)
        weight.copy_(rounded * step)  # as the page has them
        self.sample(scene)
        weight.copy_(exact)

    def sample(self, scene: draw.Scene) -> None:
        rng, made = random.Random(0), []
        is_frames = WAYS[scene.picture].figures is None
        target = self.folder / "samples" / scene.picture
        target.mkdir(parents=True, exist_ok=True)
        sizes = [range(len(c["values"])) for c in scene.controls]
        settings = [[rng.choice(size) for size in sizes] for _ in range(self.count)]
        if is_frames and math.prod(map(len, sizes)) <= self.count:
            settings = [*product(*sizes)]
        for number, setting in enumerate(settings):
            state, places = {}, {}
            for c, place in zip(scene.controls, setting, strict=True):
                state[c["name"]], places[c["name"]] = c["values"][place], place
                if c["kind"] == "pad":
                    ink = any_ink(c["values"][0], rng)
                    state[c["name"]], places[c["name"]] = ink, [*ink]
            figure = scene.draw(**state)
            sample = {"places": places}
            if is_frames:
                Image.fromarray(pixels(figure)).save(target / f"{number}.png")
            else:
                if number < LOOKED_AT:  # first of all, as the page had it drawn
                    sample["svg"] = draw.svg(figure, scene.picture)["svg"]
                sample["parts"] = content(figure)
                sample["points"] = points(scene, figure, rng)
            plt.close(figure)
            made.append(sample)
        text = json.dumps(made, default=lambda array: array.tolist())
        (target / "samples.json").write_text(text, "utf-8")


def any_ink(ink: list[int], rng: random.Random) -> bytes:
    """A drawing made from another: moved, mirrored, with a stroke added."""
    side = round(len(ink) ** 0.5)
    drawn = np.array(ink, np.uint8).reshape(side, side)
    drawn = np.roll(drawn, (rng.randrange(-9, 9), rng.randrange(-9, 9)), (0, 1))
    drawn = drawn[:: rng.choice((1, -1)), :: rng.choice((1, -1))].copy()
    if rng.random() < 0.7:
        row, column = rng.randrange(side - 40), rng.randrange(side - 40)
        drawn[row : row + rng.randrange(4, 40), column : column + 9] = 255
    return drawn.tobytes()


def points(scene: draw.Scene, figure: Figure, rng: random.Random) -> list:
    """[place in the figure, the places that controls then take], one for every axes."""
    found = []
    for number, ax in enumerate(figure.axes if scene.point else []):
        where = [rng.uniform(*ax.get_xlim()), rng.uniform(*ax.get_ylim())]
        wanted, places = scene.point(number, *where), {}
        for c in scene.controls:
            if (value := wanted.get(c["name"])) in c["values"]:
                places[c["name"]] = c["values"].index(value)
            elif value is not None:
                far = [abs(v - value) for v in c["values"]]
                places[c["name"]] = far.index(min(far))
        found.append([[number, *where], places])
    return found


# --- where the pictures come from -----------------------------------------------------


@pytest.fixture(scope="module")
def no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Pictures of which definitions are enough: drawn, laid out as a site, sampled."""
    out, site = (tmp_path_factory.mktemp(name) for name in ("drawn", "site"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "OUT", out)
        for picture in NO_NETWORK:
            name, _, _ = picture.partition("-")
            visit_from_definitions(name, picture, [draw.store, Sampler(site, 10)])
        live.copy_to(site, sorted({p.partition("-")[0] for p in NO_NETWORK}))
        yield site


def visit_from_definitions(name: str, picture: str, visits: list[Callable]) -> None:
    names = definitions(name).names
    names["live"] = draw.instead_of_live(
        name, names, lambda scene: [visit(scene) for visit in visits]
    )
    (cell,) = [c for c in code_cells(name) if live.pictures(name).get(c.id) == picture]
    exec(cell.source, names)


@pytest.fixture(scope="module")
def after_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs a notebook once: its pictures, drawn where they are missing, and samples."""

    @cache
    def site_of(name: str) -> Path:
        site = tmp_path_factory.mktemp(name)
        context = get_context("spawn")
        with ProcessPoolExecutor(1, context) as pool:
            pool.submit(run_notebook, name, site).result()
        live.copy_to(site, [name])
        return site

    return site_of


def run_notebook(name: str, site: Path) -> None:
    sample = Sampler(site, 50)

    def visit(scene: draw.Scene) -> None:
        if not live.is_drawn(scene.picture):
            draw.store(scene)
        sample(scene)

    draw.perform(name, live.pictures(name).values(), visit)


@pytest.mark.parametrize("picture", NO_NETWORK)
def test_a_picture_moves_as_python_draws_it(picture: str, page: Page, no_network: Path):
    compare(picture, page, no_network)


@pytest.mark.live
@pytest.mark.parametrize("picture", ALL)
def test_every_picture_moves_as_python_draws_it(
    picture: str, page: Page, after_run: Callable[[str], Path]
):
    compare(picture, page, after_run(picture.partition("-")[0]))


def test_pixels_keep_their_own_alpha():
    figure, ax = plt.subplots()
    ax.imshow(np.ones((2, 2)), cmap="Reds", alpha=np.array([[0, 0.5], [1, 0]]))
    svg = draw.svg(figure, "picture")["svg"]
    plt.close(figure)
    (png,) = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    assert np.asarray(image)[..., 3].tolist() == [[0, 127], [255, 0]]


def test_a_text_moves_no_axes():
    boxes = []
    for text in ("−0,02", "a much longer text than that"):
        figure, axes = plt.subplots(1, 2, layout="constrained")
        axes[1].text(0.9, 0.5, text)
        boxes.append([axes["box"] for axes in draw.svg(figure, "picture")["axes"]])
        plt.close(figure)
    assert boxes[0] == boxes[1]


# --- the comparison -------------------------------------------------------------------


def compare(picture: str, page: Page, site: Path) -> None:
    text = (site / "samples" / picture / "samples.json").read_text("utf-8")
    samples = json.loads(text)
    open_picture(page, site, picture)
    compare_ = compare_frames if WAYS[picture].figures is None else compare_parts
    worst, times = compare_(picture, page, site, samples)
    assert live.size(picture) <= 5  # MB
    print(f"{picture}: {live.size(picture):.2f} MB, {len(samples)} settings, ", end="")
    print(f"{worst}, {median(times):.0f} ms, at most {max(times):.0f}")


def open_picture(page: Page, site: Path, picture: str) -> None:
    name = picture.partition("-")[0]
    cell = {p: c for c, p in live.pictures(name).items()}[picture]
    file = site / f"{picture}.html"
    text = live.fragment(name, cell)
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8">{text}', "utf-8")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("figure.live-ready")
    page.evaluate("document.querySelector('figure.live').live.ready")
    assert not faults


def compare_frames(picture: str, page: Page, site: Path, samples: list) -> tuple:
    """The frame on the page is, but for its compression, the figure."""
    least, times = 1.0, []
    for number, sample in enumerate(samples):
        _, ms, _ = page.evaluate(GO, sample["places"])
        times.append(ms)
        source = page.get_attribute(".live-picture img", "src") or ""
        shown = Path(url2pathname(urlsplit(source).path))
        theirs = site / "samples" / picture / f"{number}.png"
        ours, theirs = (
            np.asarray(Image.open(f).convert("RGB")) for f in (shown, theirs)
        )
        least = min(least, alike(ours, theirs))
        assert least >= ALIKE, (sample["places"], least)
    return f"similarity {least:.4f}", times


def compare_parts(picture: str, page: Page, site: Path, samples: list) -> tuple:
    """Every part of the moved figure is as in Python's, and some look the same."""
    unmoved: dict[tuple, object] = {}
    worst, times = 0.0, []
    for sample in samples:
        parts, ms, key = page.evaluate(GO, sample["places"])
        times.append(ms)
        ours, theirs = flat(shown(parts)), flat(sample["parts"])
        assert ours.keys() <= theirs.keys(), sample["places"]
        for name, value in theirs.items():
            if parts.get(name[0], 0) is None:
                raise AssertionError(f"{sample['places']}: {name} is hidden")
            # What does not move is the same at every setting of this figure.
            wanted = (
                ours[name] if name in ours else unmoved.setdefault((key, name), value)
            )
            far = distance(wanted, value)
            assert far <= WAYS[picture].tolerance, (
                sample["places"],
                name,
                wanted,
                value,
            )
            worst = max(worst, far)
        pointed, places = (
            zip(*sample["points"], strict=True) if sample["points"] else ((), ())
        )
        assert page.evaluate(POINT, pointed) == [*places], sample["places"]
    page.add_style_tag(content=ALONE)
    least = 1.0
    for sample in samples[:LOOKED_AT]:
        page.evaluate(GO, sample["places"])
        ours = shot(page)
        page.evaluate(EXCHANGE, sample["svg"])
        least = min(least, alike(ours, shot(page)))
        page.evaluate("document.querySelector('.live-picture svg').replaceWith(kept)")
        assert least >= ALIKE, (sample["places"], least)
    return f"numbers {worst:.1e}, similarity {least:.4f}", times


def flat(parts: dict) -> dict[tuple[str, str], object]:
    return {
        (part, name): value
        for part, values in parts.items()
        if values
        for name, value in values.items()
    }


def shown(parts: dict) -> dict:
    """The numbers of pictures as their colours tell them: within their range."""
    for values in parts.values():
        if values and "range" in values:
            numbers = np.array(values["values"], float)
            values["values"] = np.clip(numbers, *values["range"])
    return parts


def distance(a: Any, b: Any) -> float:
    """How far numbers are apart; of all else, whether it differs."""
    if isinstance(a, str) or isinstance(b, str):
        return float(a != b)
    first, second = (np.ravel(np.array(values, float)) for values in (a, b))
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return np.inf
    return float(np.nanmax(np.abs(first - second), initial=0.0))


def shot(page: Page) -> np.ndarray:
    page.evaluate(PAINTED)
    png = page.locator(".live-picture svg").screenshot()
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def alike(a: np.ndarray, b: np.ndarray) -> float:
    assert abs(a.shape[0] - b.shape[0]) <= 1 and abs(a.shape[1] - b.shape[1]) <= 1
    height, width = np.minimum(a.shape[:2], b.shape[:2])
    return float(
        structural_similarity(a[:height, :width], b[:height, :width], channel_axis=2)
    )


# --- the pages that they are in -------------------------------------------------------


@pytest.mark.live
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_slides_on_which_pictures_move_can_be_shown(
    name: str, after_run: Callable[[str], Path], context: BrowserContext
):
    deck = after_run(name) / "slides"
    slides.build([NOTEBOOKS[name]], deck)
    assert "live-picture" in (deck / f"{name}.html").read_text("utf-8")
    found = test_slides.faults(context, deck / f"{name}.html")
    assert not [fault for fault in found if not fault.startswith("dead link")]


@pytest.fixture(scope="module")
def whole_site(
    after_run: Callable[[str], Path], request: pytest.FixtureRequest
) -> Path:
    for name in NOTEBOOKS:
        after_run(name)
    return request.getfixturevalue("built_site").folder


@pytest.mark.live
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1366, "light")])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pages_on_which_pictures_move_can_be_read(
    name: str, width: int, scheme: Any, whole_site: Path, page: Page
):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto((whole_site / f"{name}.html").as_uri())
    for figure in page.query_selector_all("figure.live"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.live", arg=figure)
        figure.evaluate("figure => figure.live.ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, context="figure.live")
    assert [v["id"] for v in found.response["violations"]] == []


# --- what pages may weigh -------------------------------------------------------------


def test_every_live_picture_has_a_way():
    assert [*WAYS] == live.every_picture()


def test_the_script_is_small():
    """Beside it a page has only the pad of JupyterLab to draw a digit on."""
    scripts = [*live.PAGE.glob("*.js")]
    assert {*scripts} <= {*live.SCRIPTS}
    assert sum(len(f.read_text("utf-8").splitlines()) for f in scripts) <= 600
