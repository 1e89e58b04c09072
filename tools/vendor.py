"""What the decks need beyond the environment: fetched once, hashes checked.

    python -m tools.vendor          into build/vendor-packages/
    python -m tools.vendor FOLDER   archives of plugins, for a machine without network

reveal.js and MathJax come as Python packages (tools/deck/assets.txt), the plugins for
drawing and pointing from the registry of reveal.js itself. pip's PIP_FIND_LINKS names
the folder where both are looked for first.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from tools import command_line
from tools.paths import BUILD, ROOT

PACKAGES = BUILD / "vendor-packages"
DONE = "done.txt"  # says what is there
WANTED = ROOT / "tools/deck/assets.txt"
REGISTRY = "https://registry.npmjs.org/{0}/-/{0}-{1}.tgz"
PLUGINS = {  # name, version: sha256 of the archive
    ("reveal.js-plugins", "4.6.0"): (
        "f2133296982507c2241e72a62e3e660711d009d64e0da0b6c3a0ab2edb96a49d"
    ),
    ("reveal.js-pointer", "0.1.4"): (
        "21e1e496a9ae1d6d2bfbf0dc8828c6f59487a7a2d3b96d916b1d917773fee9c4"
    ),
}


def has_plugins() -> bool:
    return all((PACKAGES / name).exists() for name, _ in PLUGINS)


def fetch() -> None:
    """Lay packages and plugins into build/, unless they are there already.

    Slides can be shown without the plugins: where their registry cannot be reached, a
    line says so (and `make clean` forgets it).
    """
    wanted = f"{WANTED.read_text('utf-8')}{PLUGINS}"
    if _is_done(wanted):
        return
    BUILD.mkdir(exist_ok=True)
    # Elsewhere first: two processes that fetch at once do not meet.
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="vendor-") as folder:
        fresh = Path(folder, "packages")
        _install(fresh)
        (fresh / DONE).write_text(wanted, encoding="utf-8")
        if not _is_done(wanted):
            shutil.rmtree(PACKAGES, ignore_errors=True)
            fresh.rename(PACKAGES)


def _is_done(wanted: str) -> bool:
    mark = PACKAGES / DONE
    return mark.exists() and mark.read_text("utf-8") == wanted


def _install(folder: Path) -> None:
    pip = ["uv", "pip"] if importlib.util.find_spec("uv") else ["pip"]
    command = [sys.executable, "-m", *pip, "install", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "-r", str(WANTED)]
    command += ["--target", str(folder)]
    if subprocess.run(command).returncode:
        sys.exit(
            "slides: reveal.js and MathJax could not be fetched; the reason stands "
            "above. They are fetched once, into build/, and that needs the network."
        )
    try:
        fetch_plugins(folder)
    except OSError as error:
        print(f"slides without board and pointer: {error}", file=sys.stderr)
        return
    for name, version in PLUGINS:
        with tarfile.open(folder / f"{name}-{version}.tgz") as archive:
            archive.extractall(folder / name, filter="data")


def fetch_plugins(folder: Path) -> None:
    """Store the archives of the plugins in ``folder``.

    Raises:
        OSError: no network, or the archive is not the one that is pinned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for (name, version), sha256 in PLUGINS.items():
        archive = f"{name}-{version}.tgz"
        near = Path(os.environ.get("PIP_FIND_LINKS", "")) / archive
        if near.is_file():
            content = near.read_bytes()
        else:
            with urllib.request.urlopen(
                REGISTRY.format(name, version), timeout=30
            ) as answer:
                content = answer.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise OSError(
                f"{archive} is not the file that is pinned: its sha256 differs"
            )
        (folder / archive).write_bytes(content)


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    fetch_plugins(folder) if folder else fetch()


if __name__ == "__main__":
    main()
