"""What only a fresh process shows: what it loads, writes, waits for and computes."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lecture_utils.data import PHOTOS, photo
from tests.package.test_mnist import write_parquet
from tools.paths import ROOT

SIZES = 48, 64, 96, 112, 192, 224  # of the photos in the notebooks
CODE = """
import pickle, sys
import lecture_utils
lecture_utils.setup()
start = set(sys.modules)
from lecture_utils import data
light = set(sys.modules)
data.scenes_dataset(2, 32), data.mnist(sys.argv[1])
try:
    data.mnist("hub")
except FileNotFoundError as error:
    refusal = str(error)
photos = [data.photo(n, s).numpy() for n in data.PHOTOS for s in eval(sys.argv[2])]
pickle.dump((start, light, refusal, photos), open(sys.argv[3], "wb"))
"""


NOBODY = """
import os, pwd, sys
try:
    sys.exit(f"there is {pwd.getpwuid(os.getuid())}")
except KeyError:
    pass
from lecture_utils import exercise, setup, show
setup()
exercise("04.1", lambda *args: 3)
from lecture_utils.data import photo
from lecture_utils.metrics import Accuracy
from lecture_utils.vit import wheel
from tools import grade  # knows where the seed of the hidden inputs lies
metric = Accuracy()
metric.add(prediction=1, reference=1)
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.imshow(photo("cat", 48).permute(1, 2, 0))
show(figure, "полосатый кот на фотографии")
print(metric.compute(), wheel().exists())
"""
UNSHARE = "unshare", "--user", "--map-user=12345", "--map-group=12345"


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"]).returncode,
    reason="no user namespaces",
)
def test_a_user_without_a_name_and_a_home():
    """`docker run --user 12345`, in a folder that cannot be written to."""
    unnamed = ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in unnamed}
    run = subprocess.run(
        [*UNSHARE, sys.executable, "-c", NOBODY],
        env=kept | {"PYTHONPATH": str(ROOT)},
        cwd="/proc",
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert "ожидалось 73984" in run.stdout
    assert run.stdout.endswith("{'accuracy': 1.0} False\n")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A process on the oldest kind of processor, without a network and with a new home.

    It starts like a notebook, then it loads the data of the notebooks.
    """
    folder: Path = tmp_path_factory.mktemp("fresh")
    home, report = folder / "home", folder / "report"
    (folder / "rc").write_text("image.origin: lower", "utf-16")  # by Notepad
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            CODE,
            write_parquet(folder / "files"),
            str(SIZES),
            report,
        ],
        env=os.environ
        | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
        # Matplotlib's folders cannot be made: a file stands where they belong.
        | {"XDG_CACHE_HOME": __file__, "XDG_CONFIG_HOME": __file__}
        | {"MATPLOTLIBRC": str(folder / "rc"), "MPLBACKEND": "module://not.there"}
        | {"TMPDIR": str(folder)}
        | {"OMP_DISPLAY_ENV": "verbose", "ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    start, light, refusal, photos = pickle.loads(report.read_bytes())
    written = [path for path in home.rglob("*") if path.is_file()]
    return SimpleNamespace(
        start=start,
        light=light,
        refusal=refusal,
        photos=photos,
        written=written,
        said=run.stderr,
    )


def test_package_and_set_up_stay_light(process):
    heavy = {"transformers", "datasets", "evaluate", "torchvision", "sklearn"}
    heavy |= {"torch._dynamo", "torch._inductor"}
    assert "torch" in process.start
    assert heavy.isdisjoint(process.start), heavy & process.start


def test_data_load_heavy_libraries_when_they_are_asked_for(process):
    heavy = {"transformers", "datasets", "evaluate"}
    assert heavy.isdisjoint(process.light), heavy & process.light


def test_waiting_threads_soon_sleep(process):
    """Two notebooks at once must not fight for the cores."""
    if "GOMP_SPINCOUNT" not in process.said:
        pytest.skip("this OpenMP does not say how its threads wait")
    assert "GOMP_SPINCOUNT = '1000'" in process.said, process.said


def test_a_folder_that_cannot_be_written_to_is_no_news_to_a_reader(process):
    assert "atplotlib" not in process.said


def test_data_without_a_network_say_so_and_write_nothing(process):
    assert process.refusal.startswith("MNIST не удалось взять ни из кэша, ни с Hub")
    assert "запустите Python с HF_HUB_OFFLINE=0" in process.refusal
    assert process.written == []


def test_a_photo_has_the_same_bytes_on_every_processor(process):
    """This processor's own code of ATEN against the one for the oldest processors."""
    here = [photo(name, size) for name in PHOTOS for size in SIZES]
    assert len(here) == len(process.photos)
    for ours, theirs in zip(here, process.photos, strict=True):
        assert torch.equal(ours, torch.tensor(theirs)), ours.shape
