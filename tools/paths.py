"""Where things lie in the repository; every tool and test takes them from here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"


def notebooks() -> list[Path]:
    """The stored notebooks in the order of the lectures."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))
