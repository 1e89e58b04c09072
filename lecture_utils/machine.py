"""Check of the reader's machine: one line for each thing, with the way out."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import psutil
import torch
from matplotlib import font_manager
from packaging.requirements import Requirement
from packaging.version import Version

# The largest notebook (VGG-16 at full size) needs 3 GB.
NEEDED_GIB = 3


def check_environment() -> bool:
    """Print what is installed and every problem with its remedy; in Russian.

    Returns:
        Whether everything is as the notebooks need it.
    """
    results = [*_python(), *_packages(), *_font(), *_memory(), *_device()]
    for good, line in results:
        print("✔" if good else "✘", line)
    return all(good for good, _ in results)


def _python() -> Iterator[tuple[bool, str]]:
    found = platform.python_version()
    if Version(found) >= Version("3.11"):
        yield True, f"Python {found}"
    else:
        yield False, f"Python {found}: нужен 3.11 или новее, создайте среду заново"


def _packages() -> Iterator[tuple[bool, str]]:
    """Installed versions against the ranges that this package declares."""
    for text in requires("lecture-utils") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        remedy = f"выполните: pip install '{requirement.name}{requirement.specifier}'"
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield False, f"{requirement.name} не установлен; {remedy}"
            continue
        if requirement.specifier.contains(found, prereleases=True):
            yield True, f"{requirement.name} {found}"
        else:
            yield False, f"{requirement.name} {found} не подходит; {remedy}"


def _font() -> Iterator[tuple[bool, str]]:
    try:
        font_manager.findfont("DejaVu Sans", fallback_to_default=False)
        yield True, "шрифт DejaVu Sans: русские подписи на рисунках видны"
    except ValueError:
        yield False, "нет шрифта DejaVu Sans; переустановите matplotlib"


def _memory() -> Iterator[tuple[bool, str]]:
    free = psutil.virtual_memory().available / 2**30
    written = f"{free:.1f} ГиБ".replace(".", ",")
    if free >= NEEDED_GIB:
        yield True, f"свободной памяти {written}"
    else:
        yield (
            False,
            f"свободной памяти {written}, а самой большой части (VGG) нужно "
            f"{NEEDED_GIB} ГиБ: закройте другие программы и ядра",
        )


def _device() -> Iterator[tuple[bool, str]]:
    if torch.cuda.is_available():
        yield (
            True,
            f"видеокарта {torch.cuda.get_device_name()}: чтобы считать на ней, "
            "запустите JupyterLab с LECTURE_DEVICE=cuda",
        )
    else:
        yield True, "видеокарты нет, и она не нужна: всё считается на процессоре"
