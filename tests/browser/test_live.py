"""Pictures that move in a page without a kernel are those that Python draws.

What Python draws at random settings is stored beside the pictures when they are drawn
(`make live`); a picture that is not drawn is skipped here.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from skimage.metrics import structural_similarity

from tools import live
from tools.load import factor
from tools.paths import notebooks
from tools.ways import WAYS

DRAWN = [picture for picture in WAYS if live.is_drawn(picture)]
FORMULAS = [picture for picture in DRAWN if WAYS[picture].formula]
FRAMES = [picture for picture in DRAWN if not WAYS[picture].formula]
ALIKE = 0.99  # structural similarity of two pictures
QUICK = 50  # ms
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
    return [plain(parts), picture.ms, picture.key(picture.places)];
}"""


def cell_of(picture: str) -> tuple[str, str]:
    name = picture.partition("-")[0]
    return name, {p: c for c, p in live.pictures(name).items()}[picture]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    live.copy_to(out)
    return out


def open_picture(page: Page, site: Path, picture: str) -> None:
    text = live.fragment(*cell_of(picture))
    file = site / f"{picture}.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8">{text}', "utf-8")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("figure.live-ready")
    page.evaluate("document.querySelector('figure.live').live.ready")
    assert not faults


def samples(picture: str) -> list[dict]:
    file = live.OUT / picture / "samples/parts.json"
    return json.loads(file.read_text("utf-8"))


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
            values["values"] = np.clip(
                np.ravel(np.array(values["values"], float)), *values["range"]
            )
    return parts


def far(a: object, b: object, tolerance: float) -> bool:
    """Are two values of a part different?"""
    if isinstance(a, (str, int)) and not isinstance(a, bool) and isinstance(b, str):
        return a != b
    if isinstance(a, list) and a and isinstance(a[0], str):
        return a != b
    first, second = np.ravel(np.array(a, float)), np.ravel(np.array(b, float))
    return first.shape != second.shape or not np.allclose(
        first, second, rtol=0, atol=tolerance, equal_nan=True
    )


@pytest.mark.parametrize("picture", FORMULAS)
def test_a_formula_is_the_function_of_the_notebook(
    picture: str, page: Page, site: Path
):
    open_picture(page, site, picture)
    unmoved: dict[tuple[str, tuple[str, str]], object] = {}
    times, faults = [], []
    for sample in samples(picture):
        parts, ms, key = page.evaluate(GO, sample["places"])
        times.append(ms)
        ours, theirs = flat(shown(parts)), flat(shown(sample["parts"]))
        hidden = {part for part, values in parts.items() if values is None}
        for name in ours.keys() - theirs.keys() - {(p, "ticks") for p in parts}:
            faults.append(f"{sample['places']}: {name} is not in Python's figure")
        for name, value in theirs.items():
            wanted = ours.get(name)
            if name not in ours:  # then it is the same at every setting of this frame
                wanted = unmoved.setdefault((key, name), value)
            if name[0] in hidden or far(wanted, value, WAYS[picture].tolerance):
                wrong = f"{str(wanted)[:80]}, Python's {str(value)[:80]}"
                faults.append(f"{sample['places']}: {name} is {wrong}")
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])
    assert median(times) <= QUICK * factor(), times
    print(f"{picture}: {len(samples(picture))} settings, {median(times):.1f} ms")


def shot(page: Page, selector: str) -> np.ndarray:
    png = page.locator(selector).screenshot()
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def alike(a: np.ndarray, b: np.ndarray) -> float:
    assert abs(a.shape[0] - b.shape[0]) <= 1 and abs(a.shape[1] - b.shape[1]) <= 1
    height, width = np.minimum(a.shape[:2], b.shape[:2])
    return float(
        structural_similarity(a[:height, :width], b[:height, :width], channel_axis=2)
    )


@pytest.mark.parametrize("picture", FORMULAS)
def test_a_moved_figure_looks_as_python_draws_it(picture: str, page: Page, site: Path):
    """Both are rendered by the browser: matplotlib's SVG of the state, and ours."""
    open_picture(page, site, picture)
    page.add_style_tag(content=ALONE)
    for number, sample in enumerate(samples(picture)[:5]):
        page.evaluate(GO, sample["places"])
        ours = shot(page, ".live-picture svg")
        svg = (live.OUT / picture / f"samples/{number}.svg").read_text("utf-8")
        page.evaluate(
            """svg => {
                const old = document.querySelector('.live-picture svg');
                const box = document.createElement('div');
                box.innerHTML = svg;
                const other = box.firstElementChild;
                for (const name of ['width', 'height'])
                    other.setAttribute(name, old.getAttribute(name));
                globalThis.kept = old;
                old.replaceWith(other);
            }""",
            svg,
        )
        theirs = shot(page, ".live-picture svg")
        page.evaluate("document.querySelector('.live-picture svg').replaceWith(kept)")
        assert alike(ours, theirs) >= ALIKE, (sample["places"], alike(ours, theirs))


@pytest.mark.parametrize("picture", FRAMES)
def test_a_frame_is_what_python_draws(picture: str, page: Page, site: Path):
    open_picture(page, site, picture)
    names = page.evaluate(
        "document.querySelector('figure.live').live.page.controls.map(c => c.name)"
    )
    times = []
    for file in sorted((live.OUT / picture / "samples").glob("*.png")):
        places = dict(zip(names, map(int, file.stem.split("-")), strict=True))
        _, ms, _ = page.evaluate(GO, places)
        times.append(ms)
        source = page.get_attribute(".live-picture img", "src")
        shown = Path(url2pathname(urlsplit(source).path))
        ours, theirs = (np.asarray(Image.open(f).convert("RGB")) for f in (shown, file))
        assert alike(ours, theirs) >= ALIKE, places
    assert times and median(times) <= QUICK * factor(), times
    print(f"{picture}: {len(times)} settings, {median(times):.1f} ms")


@pytest.mark.parametrize("picture", DRAWN)
def test_no_picture_is_too_large(picture: str):
    files = (live.OUT / picture / "data.js", *(live.OUT / picture).glob("frames/*"))
    assert sum(file.stat().st_size for file in files) <= 5e6


def every_live_cell() -> Iterator[str]:
    for path in notebooks():
        yield from live.pictures(path.stem).values()


def test_every_live_picture_has_a_way():
    assert [*WAYS] == [*every_live_cell()]


def test_the_script_is_small():
    scripts = live.PAGE.glob("*.js")
    assert sum(len(f.read_text("utf-8").splitlines()) for f in scripts) <= 700
