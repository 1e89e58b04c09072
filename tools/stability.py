"""The stored outputs of all notebooks, compared on many kinds of machine.

    python -m tools.stability                  the settings that this machine can be
    python -m tools.stability lowest highest   with the oldest and newest packages
    python -m tools.stability noise 04_resnet  one setting, one notebook
    python -m tools.stability --list           what there is

Each setting is one strict `pytest --nbval` run. Prints a table that names the code
cells whose outputs differed, counted from 0; exits with 1 when there are any. Linux
only: the network is cut with `unshare`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from lecture_utils.vit import wheel
from tools import command_line
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
UNSHARE = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c"]
CACHES = ("HOME", "XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME", "MPLCONFIGDIR")


@dataclass
class Setting:
    """Conditions of one run: variables, and how the command and its folder change."""

    what: str
    variables: dict[str, str] = field(default_factory=dict)
    sealed: bool = False
    busy: bool = False
    moved: str = ""
    notebooks: str = "notebooks"
    resolution: str = ""
    possible: Callable[[], bool] = lambda: True
    asked_only: bool = False


# What makes processors differ: the instructions that the libraries choose.
PARTS = {
    "aten-default": {"ATEN_CPU_CAPABILITY": "default"},
    "aten-avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "mkl-compatible": {"MKL_CBWR": "COMPATIBLE"},
    "onednn-sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "onednn-avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "openblas-nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "openblas-haswell": {"OPENBLAS_CORETYPE": "Haswell"},
}


def together(*parts: str) -> dict[str, str]:
    return {name: value for part in parts for name, value in PARTS[part].items()}


SETTINGS = {
    "one": Setting(
        "1 thread, processor with AVX2, locale C",
        together("aten-avx2", "onednn-avx2", "openblas-haswell") | {"LC_ALL": "C"},
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
    "busy": Setting("all cores kept busy by others", busy=True),
    "noise": Setting("one random ulp in every sum", {"LECTURE_NOISE": "1"}),
    "oldest": Setting(
        "oldest processor",
        together("aten-default", "mkl-compatible", "onednn-sse41", "openblas-nehalem"),
    ),
    **{
        name: Setting("=".join(*variables.items()), variables)
        for name, variables in PARTS.items()
    },
    "openblas-skylakex": Setting(
        "OPENBLAS_CORETYPE=SkylakeX",
        {"OPENBLAS_CORETYPE": "SkylakeX"},
        possible=lambda: torch.backends.cpu.get_cpu_capability() == "AVX512",
    ),
    "gpu": Setting("GPU", {"LECTURE_DEVICE": "cuda"}, possible=torch.cuda.is_available),
    "lowest": Setting(
        "oldest packages allowed", resolution="lowest-direct", asked_only=True
    ),
    "highest": Setting(
        "newest packages allowed", resolution="highest", asked_only=True
    ),
}


def run(setting: Setting, names: Sequence[str] = ()) -> tuple[str, bool]:
    """The closing line of the run with the cells that failed, and whether none did.

    Without ``names``, all notebooks run.
    """
    python = environment(setting.resolution) if setting.resolution else sys.executable
    command = [str(python), "-m", "pytest", "-q", "-rfE", "--nbval"]
    # A setting may be slow: other tests watch the time.
    command += ["--nbval-current-env", "--nbval-cell-timeout=1800"]
    # Several kernels of several threads each would mostly wait for each other.
    alone = len(names) == 1 or int(setting.variables.get("OMP_NUM_THREADS", 1)) > 1
    command += ["-n", "0" if alone else "auto"]
    command += [f"{setting.notebooks}/{name}.ipynb" for name in names] or [
        setting.notebooks
    ]
    with TemporaryDirectory() as home:
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | setting.variables
        variables["TMPDIR"] = home
        variables["LECTURE_WEIGHTS"] = str(wheel().parent)  # not of an empty home
        root = ROOT
        if setting.moved:
            root = Path(home) / setting.moved
            for name in CONTENT:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                root.mkdir(exist_ok=True)
                copy(ROOT / name, root / name)
            variables["PYTHONPATH"] = str(root)  # this copy, not the installed one
        if setting.sealed:
            variables |= dict.fromkeys(CACHES, home)
            script = SEALED.format(
                root=shlex.quote(str(root)), command=shlex.join(command)
            )
            command = [*UNSHARE, script]
        with busy_cores() if setting.busy else nullcontext():
            result = subprocess.run(
                command, cwd=root, env=variables, capture_output=True, text=True
            )
    if result.returncode:
        print(result.stdout[-8000:], result.stderr[-2000:], file=sys.stderr)
    return summary(result.stdout), result.returncode == 0


def summary(printed: str) -> str:
    """The closing line of pytest, and every failed cell as «04_resnet 17»."""
    closing = re.findall(r"^.*\b(?:passed|failed|error).* in .*$", printed, re.M)
    failed = re.findall(
        r"^(?:FAILED|ERROR) (?:.*/)?(\w+)(?:\.|::)ipynb::Cell (\d+)", printed, re.M
    )
    line = (closing or ["did not run"])[-1].strip("= ")
    return ": ".join([line, ", ".join(map(" ".join, failed))] if failed else [line])


@contextmanager
def busy_cores() -> Generator[None]:
    """A process beside that never rests, for every core."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


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
    parser = command_line.parser(__doc__)
    stems = [path.stem for path in notebooks()]
    parser.add_argument(
        "names",
        nargs="*",
        metavar="SETTING|NOTEBOOK",
        type=command_line.one_of([*SETTINGS, *stems]),
    )
    parser.add_argument("--list", action="store_true", help="name all settings")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:17} {s.what}" for name, s in SETTINGS.items()))
        return 0
    asked = [SETTINGS[name] for name in arguments.names if name in SETTINGS]
    settings = asked or [s for s in SETTINGS.values() if not s.asked_only]
    names = [name for name in arguments.names if name in stems]
    if SETTINGS["student"] in settings:
        subprocess.run([sys.executable, "-m", "tools.student"], cwd=ROOT, check=True)
    failed = False
    print("\n| setting | outputs | seconds |\n|---|---|---|", flush=True)
    for setting in settings:
        if not setting.possible():
            print(f"| {setting.what} | not on this machine | |", flush=True)
            continue
        start = time.monotonic()
        outputs, same = run(setting, names)
        failed |= not same
        seconds = time.monotonic() - start
        print(f"| {setting.what} | {outputs} | {seconds:.0f} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
