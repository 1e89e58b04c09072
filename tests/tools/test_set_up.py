"""Set-up installs into .venv and nowhere else, and knows what it has set up."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools.paths import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or sys.platform == "win32", reason="no make or no sh"
)
TEXT = "Makefile", "tools/set_up.sh", ".ci/run", "requirements.txt"
BINARY = ".png", ".npy", ".npz", ".safetensors", ".jpg"
# Stands in for every Python: notes how it is called, and makes .venv of itself.
PYTHON = f"""#!/bin/sh
echo "$0 $* | $(env | grep -E '^(UV|PIP|PYTHON|HOME|SSL)_?' | tr '\\n' ' ')" >> "$CALLS"
case "$*" in
    "-m venv --clear .venv")
        mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/uv ;;
    "-m pip config list") cat "$LISTED" 2>/dev/null ||
        echo "global.index-url='https://mirror.example/simple'" ;;
    *"import lecture_utils"*) [ -z "${{BROKEN-}}" ] ;;
    *"import platform"* | *"import json"*) exec "{sys.executable}" "$@" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that set-up needs, and a Python that does nothing."""
    folder = tmp_path / "лекция 6"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "tools/set_up.sh"):
        shutil.copyfile(ROOT / name, folder / name)
    python = tmp_path / "python"
    python.write_text(PYTHON, "utf-8")
    python.chmod(0o755)
    return folder


def make(
    folder: Path,
    target: str = ".venv/.complete",
    within: Sequence[str] = (),
    **variables: str,
) -> tuple[int, list[str], str]:
    """Exit status of make, the calls of Python and uv, all that it said."""
    calls = folder.parent / "calls"
    calls.write_text("", "utf-8")
    run = subprocess.run(
        [*within, "make", target, f"PYTHON={folder.parent / 'python'}"],
        cwd=folder,
        env=os.environ | {"CALLS": str(calls)} | variables,
        capture_output=True,
        text=True,
    )
    return (
        run.returncode,
        calls.read_text("utf-8").splitlines(),
        run.stdout + run.stderr,
    )


def test_nothing_is_installed_elsewhere(folder: Path):
    redirections = dict.fromkeys(
        ["UV_SYSTEM_PYTHON", "UV_TARGET", "PIP_USER", "PIP_PREFIX", "PYTHONPATH"], "1"
    )
    # Nobody thought of these when the variables were chosen that may stay.
    redirections |= dict.fromkeys(
        ["UV_WORKING_DIR", "UV_OVERRIDE", "PIP_DRY_RUN", "PIP_PLATFORM"], "odd"
    )
    redirections |= dict.fromkeys(["PYTHONHOME", "PYTHONINSPECT"], "/odd")
    kept = {"UV_HTTP_TIMEOUT": "9", "PIP_CERT": "/ca.pem", "PIP_EXTRA_INDEX_URL": "x"}
    status, calls, said = make(folder, **redirections, **kept)
    assert status == 0, said
    [download] = [call for call in calls if " pip download " in call]
    assert all(f" {name}={value} " in download for name, value in kept.items())
    installs = [call for call in calls if " install " in call]
    assert len(installs) == 3
    for call in installs:
        assert call.startswith(".venv/bin/")
        assert not [name for name in redirections if f" {name}=" in call]
    assert all(" --python .venv " in call for call in installs if "/uv " in call)


def test_uv_obeys_the_mirror_of_pip(folder: Path):
    _, calls, _ = make(folder)
    uv = [call for call in calls if "/uv pip" in call]
    assert all("UV_DEFAULT_INDEX=https://mirror.example/simple" in call for call in uv)
    shutil.rmtree(folder / ".venv")
    _, calls, _ = make(folder, UV_DEFAULT_INDEX="https://own.example")
    assert not [call for call in calls if "UV_DEFAULT_INDEX=https://mirror" in call]


def test_a_configuration_of_pip_says_where_from_not_where_to(folder: Path):
    _, calls, _ = make(folder, PIP_CONFIG_FILE="/etc/odd.conf")
    [download] = [call for call in calls if " pip download " in call]
    [install] = [call for call in calls if " pip --isolated install " in call]
    assert "PIP_CONFIG_FILE=/dev/null" in download and "PIP_CONFIG_FILE=/dev/null" in (
        install
    )
    assert " --no-index " in install


def test_of_a_configuration_of_pip_only_where_from_counts(folder: Path):
    """Secure shops ask for hashes or for sources; those would stop the set-up."""
    listed = folder.parent / "listed"
    listed.write_text(
        "download.platform='win_amd64'\n"
        "global.cert='/etc/our ca.pem'\n"
        "global.index-url='https://$HOME.example/a b'\n"
        "global.no-binary=':all:'\n"
        "global.require-hashes='true'\n"
        "install.trusted-host='a.example\\nb.example'\n",
        "utf-8",
    )
    none = dict.fromkeys(["PIP_CERT", "SSL_CERT_FILE", "PIP_INDEX_URL"], "")
    _, calls, said = make(folder, LISTED=str(listed), PIP_RETRIES="7", **none)
    [download] = [call for call in calls if " pip download " in call]
    for odd in ("PIP_PLATFORM", "PIP_NO_BINARY", "PIP_REQUIRE_HASHES", "PIP_RETRIES"):
        assert odd not in download
    uv = [call for call in calls if "/uv pip" in call]
    assert len(uv) == 2, said
    for call in uv:
        assert "UV_DEFAULT_INDEX=https://$HOME.example/a b " in call
        assert "SSL_CERT_FILE=/etc/our ca.pem " in call
        assert "UV_INSECURE_HOST=a.example b.example " in call


def test_a_configuration_of_uv_says_where_from_not_where_to(folder: Path):
    settings = folder.parent / "config/uv/uv.toml"
    settings.parent.mkdir(parents=True)
    mirror = 'index-url = "https://own.example/simple"'
    for where_to in (
        "[pip]\ntarget = '/a b'\nprefix=\"/\"",
        'pip = {target = "/a"}',
        'required-version = ">=99"\nexclude-newer = "2020-01-01"\npip.no-deps = true',
        "[pip]\npython-platform = 'windows'\nno-binary = [\n':all:',\n]",
    ):
        settings.write_text(f"{mirror}\n{where_to}\n", "utf-8")
        _, calls, said = make(folder, XDG_CONFIG_HOME=str(folder.parent / "config"))
        uv = [call for call in calls if "/uv pip" in call]
        assert uv and all("UV_CONFIG_FILE=.venv/uv.toml" in call for call in uv), said
        read = tomllib.loads((folder / ".venv/uv.toml").read_text("utf-8"))
        assert read == {"index-url": "https://own.example/simple"}
        shutil.rmtree(folder / ".venv")


def test_a_home_that_cannot_be_written_to(folder: Path):
    ours = f" HOME={folder}/.venv/home "
    assert not [call for call in make(folder)[1] if ours in call]
    for home in ("/dev/null/no folder", ""):
        shutil.rmtree(folder / ".venv")
        _, calls, said = make(folder, HOME=home)
        installs = [call for call in calls if " install " in call]
        assert installs and all(ours in call for call in installs), said


def test_a_user_without_a_name_and_a_home(folder: Path):
    """`docker run --user 12345`: no entry in the list of users, no HOME."""
    ours = f" HOME={folder}/.venv/home "
    unnamed = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if shutil.which("unshare") is None or subprocess.run([*unnamed, "true"]).returncode:
        pytest.skip("no user namespaces")
    status, calls, said = make(folder, within=[*unnamed, "env", "-u", "HOME"])
    assert status == 0, said
    installs = [call for call in calls if " install " in call]
    assert len(installs) == 3 and all(ours in call for call in installs)


def test_wheels_instead_of_the_network(folder: Path):
    _, calls, _ = make(folder, WHEELS="wheels")
    fetching = [call for call in calls if "/uv pip" in call or " pip download " in call]
    assert len(fetching) == 3
    for call in fetching:
        for setting in ("PIP_NO_INDEX=1", "UV_OFFLINE=1"):
            assert setting in call
        assert "PIP_FIND_LINKS=wheels" in call and "UV_FIND_LINKS=wheels" in call
    shutil.rmtree(folder / ".venv")
    _, calls, _ = make(folder)
    assert not [call for call in calls if "UV_OFFLINE" in call]


def test_a_python_of_another_program_is_no_obstacle(folder: Path):
    """`PYTHON` is what node-gyp, configure and tox read, too."""
    (folder / "bin").mkdir()
    shutil.copy(folder.parent / "python", folder / "bin/python3")
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    command = ["make", ".venv/.complete"]
    variables = {"PYTHON": "/no/python2", "PATH": path, "CALLS": f"{folder}/calls"}
    run = subprocess.run(command, cwd=folder, env=os.environ | variables)
    assert run.returncode == 0
    assert "-m venv" in (folder / "calls").read_text("utf-8")


def test_what_does_not_start_is_not_complete(folder: Path):
    status, _, said = make(folder, BROKEN="yes")
    assert status and "do\nnot start" in said
    assert not (folder / ".venv/.complete").exists()


def test_a_moved_folder_is_set_up_again(folder: Path):
    assert make(folder)[1], "first"
    assert not [call for call in make(folder)[1] if "venv" in call.split()[1:4]]
    moved = folder.rename(folder.with_name("moved"))
    assert [call for call in make(moved)[1] if "-m venv" in call], "moved"
    (moved / ".venv/bin/python").unlink()
    assert [call for call in make(moved)[1] if "-m venv" in call], "without its Python"


@pytest.mark.parametrize(
    "name", ["PYTHONSAFEPATH", "PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE"]
)
def test_what_python_is_told_elsewhere_is_not_told_here(folder: Path, name: str):
    _, calls, _ = make(folder, "student", **{name: "2"})
    assert "-m tools.student" in calls[-1] and name not in calls[-1]


def test_an_address_is_one_word_of_the_shell(folder: Path):
    address = "https://a.org/x?a=1&b=$HOME;touch odd"
    _, calls, _ = make(folder, "student", ADDRESS=address)
    assert "-m tools.student https://a.org/x?a=1&b=" in calls[-1]
    assert calls[-1].split(" | ")[0].endswith(";touch odd")
    assert not (folder / "odd").exists()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_an_archive_keeps_line_ends_of_every_file(tmp_path: Path):
    """What hosts offer as a ZIP, made where git writes the line ends of Windows."""
    eol = "-c", "core.eol=crlf", "-c", "core.autocrlf=true"
    command = ["git", *eol, "archive", f"--output={tmp_path / 'a.zip'}", "HEAD"]
    subprocess.run(command, cwd=ROOT, check=True)
    with ZipFile(tmp_path / "a.zip") as archive:
        text = [name for name in archive.namelist() if not name.endswith(BINARY)]
        assert not [name for name in text if b"\r\n" in archive.read(name)]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_a_checkout_on_windows_keeps_line_ends(tmp_path: Path):
    checkout = ["git", "-c", "core.autocrlf=true", "checkout-index"]
    command = [*checkout, f"--prefix={tmp_path}/", "--", *TEXT]
    subprocess.run(command, cwd=ROOT, check=True)
    assert not [name for name in TEXT if b"\r" in (tmp_path / name).read_bytes()]
