"""What all data share: nothing is loaded before its time, nothing is left behind."""

import os
import subprocess
import sys

from tests.package.test_mnist import write_parquet


def test_light_import_and_nothing_is_written(tmp_path):
    """Heavy libraries wait for their call; the cache of ``datasets`` stays empty."""
    folder = write_parquet(tmp_path / "files")
    code = f"""
import sys
from lecture_utils import data
print({{"transformers", "datasets", "evaluate"}} & set(sys.modules))
data.digits_dataset(), data.scenes_dataset(2, 32), data.photo("cat", 8)
data.mnist({str(folder)!r})
try:
    data.mnist("hub")
except FileNotFoundError as error:
    print(error)
"""
    home = tmp_path / "home"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    first, second = run.stdout.splitlines()
    assert first == "set()"
    assert second.startswith("MNIST нет в кэше, и Hub недоступен")
    assert "Запустите Python с HF_HUB_OFFLINE=0" in second
    assert not [path for path in home.rglob("*") if path.is_file()]
