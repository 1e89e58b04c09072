"""The notebooks as a site that opens from a file, a stick or any host.

    python -m tools.site        build/site/index.html

Nothing is executed, and no page asks for anything outside build/site/.
"""

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import nbformat

from tools import pages, slides
from tools.paths import BUILD, ROOT, notebooks

OUT = BUILD / "site"
SOURCE = BUILD / "site-source"
BOOK = ROOT / "tools/book"

INDEX = """# {title}

Интерактивная лекция по машинному зрению: тексты, рисунки и опыты всех тетрадей.

```{{toctree}}
:caption: Лекции

{lectures}
```
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lay_out(paths: list[Path], source: Path) -> list[pages.Page]:
    """Write what Sphinx reads: pages, pictures, notebooks, styles."""
    shutil.rmtree(source, ignore_errors=True)
    stored = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    places = pages.Places(stored)
    made = [pages.page(name, nb, places) for name, nb in stored.items()]
    for page in made:
        write(source / f"{page.name}.md", page.text)
        for file, data in page.images.items():
            target = source / "files/images" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for path in paths:
        slides.copy(path, source / "files/notebooks" / path.name)
    lectures = "\n".join(stored)
    title = "Продвинутые модели глубокого машинного зрения"
    write(source / "index.md", INDEX.format(title=title, lectures=lectures))
    shutil.copytree(BOOK / "static", source / "static")
    shutil.copytree(BOOK / "templates", source / "templates")
    slides.copy(BOOK / "conf.py", source / "conf.py")
    callouts = (ROOT / "lecture_utils/static/callouts.css").read_text("utf-8")
    dark = ('[data-jp-theme-light="false"]', 'html[data-theme="dark"]')
    write(source / "static/callouts.css", callouts.replace(*dark))
    slides.fetch_packages()
    mathjax = slides.PACKAGES / "sphinx-mathjax-offline/static/mathjax/tex-svg-full.js"
    slides.copy(mathjax, source / "static/mathjax" / mathjax.name)
    sections = [asdict(section) for page in made for section in page.sections]
    listed = json.dumps(sections, ensure_ascii=False)
    write(source / "static/sections.js", f"const SECTIONS = {listed};\n")
    return made


def build(paths: list[Path], out: Path = OUT, source: Path = SOURCE) -> None:
    """Build the site; a warning of Sphinx ends it."""
    from sphinx.application import Sphinx  # slow to import

    lay_out(paths, source)
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


def main() -> None:
    build(notebooks())
    print(f"{(OUT / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
