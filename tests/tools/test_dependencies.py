"""pyproject.toml, requirements.txt and environment.yml describe one environment."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.paths import ROOT

CONDA_NAMES = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",  # without the Qt window system
    "seaborn-base": "seaborn",
}
Ranges = dict[str, SpecifierSet]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def ranges(requirements: list[str]) -> Ranges:
    """Package name -> allowed versions."""
    parsed = [Requirement(line) for line in requirements]
    return {canonicalize_name(r.name): r.specifier for r in parsed}


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
DIRECT = ranges(PROJECT["dependencies"])
WITH_PYTHON = DIRECT | {"python": SpecifierSet(PROJECT["requires-python"])}
DEV = ranges(PROJECT["optional-dependencies"]["dev"])


def conda_ranges(environment: str) -> Ranges:
    """All packages of an environment.yml, under their names on PyPI."""
    conda: list[str] = []
    pip: list[str] = []
    for entry in yaml.safe_load(environment)["dependencies"]:
        if isinstance(entry, dict):
            pip += [line for line in entry["pip"] if not line.startswith("-e")]
        else:
            conda.append(entry)
    found = ranges(conda) | ranges(pip)
    found.pop("pip")
    return {CONDA_NAMES.get(name, name): allowed for name, allowed in found.items()}


def lock_problems(lock: str, direct: Ranges) -> list[str]:
    """What is wrong with a lock file for these direct packages."""
    problems = [f"an address: {url}" for url in re.findall(r"\S*://\S*", lock)]
    missing = set(direct)
    lines = re.sub(r"#.*", "", lock).replace("\\\n", " ").splitlines()
    for line in filter(str.strip, lines):
        if line.startswith("--"):
            problems.append(f"an option: {line}")
            continue
        pin, *hashes = re.split(r"\s+--", line)
        requirement = Requirement(pin)
        name = canonicalize_name(requirement.name)
        missing.discard(name)
        exact = re.fullmatch(r"==([^*]+)", str(requirement.specifier))
        if not exact:
            problems.append(f"not an exact version: {pin}")
        elif exact[1] not in direct.get(name, SpecifierSet()):
            problems.append(f"{pin} is outside {direct[name]}")
        if not any(option.startswith("hash=sha256:") for option in hashes):
            problems.append(f"{pin} has no hash")
    return problems + [f"{name} is not locked" for name in sorted(missing)]


def test_conda_and_pyproject_agree():
    assert conda_ranges(read("environment.yml")) == WITH_PYTHON


def test_lock_and_pyproject_agree():
    assert lock_problems(read("requirements.txt"), DIRECT | DEV) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (r"^tqdm==\S+", "tqdm==5.1", "tqdm==5.1 is outside"),
        (r"^tqdm==", "tdqm==", "tqdm is not locked"),
        (r"^(tqdm==\S+) (.*\\\n)+.*\n", r"\1\n", "has no hash"),
        (r"^tqdm==\S+", "tqdm>=4.67", "not an exact version: tqdm>=4.67"),
        (r"^tqdm==", "--index-url https://x.org/\ntqdm==", "an address: https://x"),
    ],
)
def test_a_wrong_lock_is_noticed(old: str, new: str, problem: str):
    planted = re.sub(old, new, read("requirements.txt"), count=1, flags=re.MULTILINE)
    assert any(problem in line for line in lock_problems(planted, DIRECT | DEV))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python >=3.11", "python >=3.10"),
        ("pytorch >=2.10,", "pytorch >=2.8,"),
        ("  - tqdm >=4.67,<5\n", ""),
        ("evaluate>=0.4.6", "evaluate>=0.4.5"),
        ("  - pip\n", "  - pip\n  - pandas\n"),
    ],
)
def test_a_wrong_conda_environment_is_noticed(old: str, new: str):
    environment = read("environment.yml")
    assert old in environment
    assert conda_ranges(environment.replace(old, new)) != WITH_PYTHON
