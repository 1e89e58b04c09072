"""The notebooks as a site that opens from a file, a stick or any host.

    python -m tools.site [--colab ADDRESS] [--binder ADDRESS]     build/site/index.html

Nothing is executed, and no page asks for anything outside build/site/. With an address,
in which NAME stands for the name of the notebook, every lecture has a link to it there.
"""

import argparse
import html
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import nbformat
import sphinx.search
from sphinx.search.ru import SearchRussian

from tools import command_line, live, pages, reference, slides, vendor
from tools.paths import BUILD, ROOT, notebooks

OUT = BUILD / "site"
SOURCE = BUILD / "site-source"
BOOK = ROOT / "tools/book"
SERVICES = ("Colab", "Binder")
MATHJAX = vendor.PACKAGES / "sphinx-mathjax-offline/static/mathjax/tex-svg-full.js"
STEMMERS = Path(sphinx.search.__file__).parent / "minified-js"
# Words of questions: what is asked for, not where it stands.
ASKED = """
    брать делать зачем значит использовать какая какие какое какой код ли лучше
    можно нельзя нужен нужна нужно нужны объяснить одно отличается отличаются
    отличие получить почему пример простыми работает разница реализация реализовать
    сделать сколько словами такое устроен устроена формула чем code example formula
    how python pytorch what why"""

INDEX = """# Продвинутые модели глубокого машинного зрения

Интерактивная лекция: каждая архитектура собрана с нуля и сверена с эталоном, каждое
утверждение измерено, каждый рисунок построен кодом. Здесь её можно читать без
установки, с телефона и без сети; чтобы менять код, скачайте тетрадь — ссылка стоит в
начале каждой части.

```{{toctree}}
:caption: Лекции
:maxdepth: 1

{lectures}
```

```{{toctree}}
:caption: Справочник
:maxdepth: 1

exercises
claims
glossary
bibliography
```
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def links(name: str, services: dict[str, str]) -> str:
    """Where a reader gets the notebook itself; NAME in an address is its name."""
    found = [f'<a href="notebooks/{name}.ipynb" download>Скачать тетрадь</a>']
    for service, address in services.items():
        address = html.escape(address.replace("NAME", name))
        found.append(f'<a href="{address}">Открыть в {service}</a>')
    return f'<p class="get">{" · ".join(found)}</p>'


def lay_out(paths: list[Path], services: dict[str, str], source: Path) -> None:
    """Write what Sphinx reads: pages, pictures, notebooks, styles, data of search."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(BOOK, source)
    stored = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    places = pages.Places(stored)
    terms = [
        term
        for term in reference.terms(BOOK / "glossary.md")
        if int(term.where.split(".")[0]) in places.parts
    ]
    made = [
        pages.page(name, nb, places, terms, links(name, services))
        for name, nb in stored.items()
    ]
    lectures = "\n".join(stored).replace("00_start", "Начало <00_start>")
    texts = {page.name: page.text for page in made} | {
        "index": INDEX.format(lectures=lectures),
        "exercises": reference.tasks(stored),
        "claims": reference.claims(stored, made, places),
        "glossary": reference.glossary(terms, places),
        "bibliography": reference.bibliography(reference.sources(stored)),
    }
    for name, text in texts.items():
        write(source / f"{name}.md", text)
    (source / "files/images").mkdir(parents=True)
    for page in made:
        for file, data in page.images.items():
            (source / "files/images" / file).write_bytes(data)
    for path in paths:
        slides.copy(path, source / "files/notebooks" / path.name)
    static = source / "static"
    callouts = (ROOT / "lecture_utils/static/callouts.css").read_text("utf-8")
    dark = ('[data-jp-theme-light="false"]', 'html[data-theme="dark"]')
    write(static / "callouts.css", callouts.replace(*dark))
    vendor.fetch()
    slides.copy(MATHJAX, static / "mathjax" / MATHJAX.name)
    for file in ("base-stemmer.js", "russian-stemmer.js", "english-stemmer.js"):
        slides.copy(STEMMERS / file, static / file)
    told = reference.told(stored, terms)
    asked = reference.asked(BOOK / "asked.txt", made)
    words = (BOOK / "words.txt").read_text("utf-8")
    searched = {
        "SECTIONS": [
            asdict(section)
            | reference.spoken_of(section, terms)
            | {
                "told": told.get(section.id, []),
                "asked": asked.get((section.page, section.id), []),
            }
            for page in made
            for section in page.sections
        ],
        "TERMS": [term.names for term in terms],
        "WORDS": [line.split() for line in words.splitlines()],
        "STOPWORDS": sorted({*SearchRussian.stopwords, *ASKED.split()}),
    }
    lines = [
        f"const {name} = {json.dumps(value, ensure_ascii=False)};\n"
        for name, value in searched.items()
    ]
    write(static / "sections.js", "".join(lines))


def build(
    paths: list[Path],
    services: dict[str, str] | None = None,
    out: Path = OUT,
    source: Path = SOURCE,
) -> None:
    """Build the site; a warning of Sphinx ends it."""
    from sphinx.application import Sphinx  # slow to import

    lay_out(paths, services or {}, source)
    shutil.rmtree(out, ignore_errors=True)
    app = Sphinx(
        source,
        source,
        out,
        source / ".doctrees",
        "html",
        confoverrides={"nitpicky": True},
        status=None,
        warningiserror=True,
        parallel=2,
    )
    app.build()
    if app.statuscode:
        sys.exit(app.statuscode)
    live.copy_to(out, [path.stem for path in paths])


def address(text: str) -> str:
    """The ``type`` of an argument that becomes a link: nothing but a page."""
    if not text.startswith("https://"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected https://…")
    return text


def main() -> None:
    parser = command_line.parser(__doc__)
    for service in SERVICES:
        parser.add_argument(f"--{service.lower()}", metavar="ADDRESS", type=address)
    given = vars(parser.parse_args())
    services = {s: given[s.lower()] for s in SERVICES if given[s.lower()]}
    build(notebooks(), services)
    print(f"The site: {(OUT / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
