"""What students have handed in: a folder or a zip, from Moodle or from a disk."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tools.paths import notebooks

LARGEST = 20 << 20  # bytes of a notebook
MOST = 50  # notebooks of a student
DEEPEST = 3  # zips in zips
MOODLE = re.compile(r"_\d+_assignsubmission_.*")

File = tuple[tuple[str, ...], Callable[[], bytes]]  # its path, and how to read it


@dataclass
class Student:
    """Who has handed in which notebooks."""

    name: str
    files: list[Callable[[], bytes]] = field(default_factory=list)

    def notebooks(self) -> list[list[str]]:
        """Sources of the code cells of each notebook; none for what is no notebook."""
        return [_code_cells(read()) for read in self.files[:MOST]]

    def digest(self, version: str) -> str:
        """Another one for other notebooks, or another ``version`` of the judge."""
        digest = hashlib.sha256(f"{version} {self.name}".encode())
        for read in self.files[:MOST]:
            digest.update(hashlib.sha256(read()).digest())
        return digest.hexdigest()


def students(path: Path) -> list[Student]:
    """Each folder, zip or notebook at the top is a student; names may repeat.

    Raises:
        ValueError: there is no notebook at all.
    """
    files = [(parts or (path.name,), read) for parts, read in _files(path, ())]
    one = len({parts[0] for parts, _ in files}) == 1
    # A zip of a folder, unless that folder is a student.
    if one and path.is_file() and all(len(parts) > 2 for parts, _ in files):
        files = [(parts[1:], read) for parts, read in files]
    found: dict[str, Student] = {}
    for parts, read in files:
        name = _name(parts[0])
        found.setdefault(name, Student(name)).files.append(read)
    if not found:
        raise ValueError(f"no notebook (.ipynb) in {path}")
    return list(found.values())


def _files(path: Path, above: tuple[str, ...]) -> Iterator[File]:
    if path.is_dir():
        for child in sorted(path.iterdir()):
            # A link may lead anywhere.
            if not child.is_symlink() and not child.name.startswith("."):
                yield from _files(child, (*above, child.name))
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path, above, 1)
    elif path.suffix.lower() == ".ipynb" and path.stat().st_size <= LARGEST:
        yield above, path.read_bytes


def _zipped(
    archive: Path | io.BytesIO, above: tuple[str, ...], depth: int
) -> Iterator[File]:
    try:
        # What Windows in Russian writes where a name is not said to be UTF-8.
        opened = zipfile.ZipFile(archive, metadata_encoding="cp866")
    except zipfile.BadZipFile:
        return
    for member in opened.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if member.file_size > LARGEST or "__MACOSX" in parts:
            continue
        match PurePosixPath(member.filename).suffix.lower():
            case ".ipynb":
                yield (*above, *parts), lambda member=member: _read(opened, member)
            case ".zip" if depth < DEEPEST:
                inner = io.BytesIO(_read(opened, member))
                yield from _zipped(inner, (*above, *parts), depth + 1)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """At most what it says it holds; nothing of a broken or locked one."""
    try:
        with archive.open(member) as file:
            return file.read(LARGEST)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError):
        return b""


def _name(top: str) -> str:
    name = MOODLE.sub("", re.sub(r"\.(zip|ipynb)$", "", top, flags=re.IGNORECASE))
    for lecture in notebooks():
        name = name.replace(lecture.stem, "")
    return name.strip(" _-") or top


def _code_cells(notebook: bytes) -> list[str]:
    try:
        cells = json.loads(notebook)["cells"]
        return [
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
