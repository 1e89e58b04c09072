"""The stored outputs of all notebooks, compared on many kinds of machine.

    python -m tools.stability                  the settings that this machine can be
    python -m tools.stability lowest highest   with the oldest and newest packages
    python -m tools.stability noise 04_resnet  one setting, one notebook
    python -m tools.stability --list           what there is

Each setting is one strict `pytest --nbval` run; several conditions share one, so a
failing run has to be looked into by hand. Prints a table; exits with 1 when any
output differed. Linux only: the network is cut with `unshare`.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tools.paths import BUILD, ROOT, notebooks

ENVIRONMENTS = BUILD / "environments"
CONTENT = (
    "conftest.py",
    "lecture_utils",
    "notebooks",
    "pyproject.toml",
    "requirements.txt",
    "tools",
)
# Without network, and nothing may be written into the repository.
SEALED = """ip link set lo up
mount --bind {root} {root} && mount -o remount,ro,bind {root} || exit 1
cd {root} && exec {command} -p no:cacheprovider"""


@dataclass
class Setting:
    """Conditions of one run: variables, and how the command and its folder change."""

    what: str
    variables: dict[str, str] = field(default_factory=dict)
    sealed: bool = False
    moved: str = ""
    notebooks: str = "notebooks"
    resolution: str = ""
    possible: Callable[[], bool] = lambda: True
    asked_only: bool = False


SETTINGS = {
    "one": Setting(
        "1 thread, AVX2 only, locale C",
        {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "avx2", "LC_ALL": "C"},
    ),
    "two": Setting(
        "2 threads, locale ru_RU, a path with spaces and Cyrillic letters",
        {"OMP_NUM_THREADS": "2", "LC_ALL": "ru_RU.UTF-8"},
        moved="лекция 6 (копия)",
    ),
    "four": Setting(
        "4 threads, no network, empty caches, read-only repository",
        {"OMP_NUM_THREADS": "4"},
        sealed=True,
    ),
    "student": Setting("copies for students", notebooks="build/student"),
    "noise": Setting("one random ulp in every sum", {"LECTURE_NOISE": "1"}),
    "gpu": Setting("GPU", {"LECTURE_DEVICE": "cuda"}, possible=torch.cuda.is_available),
    "lowest": Setting(
        "oldest packages allowed", resolution="lowest-direct", asked_only=True
    ),
    "highest": Setting(
        "newest packages allowed", resolution="highest", asked_only=True
    ),
}


def run(setting: Setting, names: Sequence[str] = ()) -> tuple[str, bool]:
    """The closing line of the run, and whether every output was the stored one.

    Without ``names``, all notebooks run.
    """
    python = environment(setting.resolution) if setting.resolution else sys.executable
    command = [str(python), "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    # Several kernels of several threads each would mostly wait for each other.
    alone = int(setting.variables.get("OMP_NUM_THREADS", 1)) > 1
    command += ["-n", "0" if len(names) == 1 else "1" if alone else "auto"]
    command += [f"{setting.notebooks}/{name}.ipynb" for name in names] or [
        setting.notebooks
    ]
    with TemporaryDirectory() as home:
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | setting.variables
        variables["TMPDIR"] = home
        root = ROOT
        if setting.moved:
            root = Path(home) / setting.moved
            for name in CONTENT:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                root.mkdir(exist_ok=True)
                copy(ROOT / name, root / name)
            variables["PYTHONPATH"] = str(root)  # this copy, not the installed one
        if setting.sealed:
            caches = ("HOME", "XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME", "MPLCONFIGDIR")
            variables |= dict.fromkeys(caches, home)
            script = SEALED.format(
                root=shlex.quote(str(root)), command=shlex.join(command)
            )
            command = [
                "unshare",
                "--map-root-user",
                "--net",
                "--mount",
                "sh",
                "-c",
                script,
            ]
        result = subprocess.run(
            command, cwd=root, env=variables, capture_output=True, text=True
        )
    closing = re.findall(r"^.*\b(?:passed|failed|error).* in .*$", result.stdout, re.M)
    if result.returncode:
        print(result.stdout[-8000:], result.stderr[-2000:], file=sys.stderr)
    return (closing or ["did not run"])[-1].strip("= "), result.returncode == 0


def environment(resolution: str) -> Path:
    """A second environment with other versions of the direct packages."""
    folder = ENVIRONMENTS / resolution
    python = folder / "bin/python"
    uv = [sys.executable, "-m", "uv"]
    if not python.exists():
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
    install = [*uv, "pip", "install", "--python", python, "--resolution", resolution]
    subprocess.run([*install, "--upgrade", "-e", f"{ROOT}[dev]"], check=True)
    return python


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="SETTING|NOTEBOOK")
    parser.add_argument("--list", action="store_true", help="name all settings")
    arguments = parser.parse_args()
    known = [path.stem for path in notebooks()]
    if unknown := set(arguments.names) - set(SETTINGS) - set(known):
        parser.error(
            f"no setting or notebook {', '.join(unknown)}; "
            f"there are {', '.join([*SETTINGS, *known])}"
        )
    names = [name for name in arguments.names if name in known]
    if arguments.list:
        print("\n".join(f"{name:8} {s.what}" for name, s in SETTINGS.items()))
        return 0
    usual = [name for name, s in SETTINGS.items() if not s.asked_only]
    subprocess.run([sys.executable, "-m", "tools.student"], cwd=ROOT, check=True)
    failed = False
    print("\n| setting | outputs | seconds |\n|---|---|---|", flush=True)
    for name in [name for name in arguments.names if name in SETTINGS] or usual:
        setting = SETTINGS[name]
        if not setting.possible():
            print(f"| {setting.what} | not on this machine | |", flush=True)
            continue
        start = time.monotonic()
        closing, same = run(setting, names)
        failed |= not same
        seconds = time.monotonic() - start
        print(f"| {setting.what} | {closing} | {seconds:.0f} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
