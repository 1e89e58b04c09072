"""A kernel that starts in a moment is as empty and as obedient as any other."""

import os
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from tools.load import factor
from tools.paths import ROOT
from tools.warm import WarmProvisioner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
LOOK = """
import matplotlib, os, sys
loaded = "torchvision" in sys.modules
print([loaded, matplotlib.get_backend(), os.getcwd(), os.environ["WHO"], *sys.path],
      [name for name in ("torch", "lecture_utils") if name in globals()])
"""


def test_a_warm_kernel_is_a_fresh_one(tmp_path: Path):
    env = os.environ | {"WHO": "студент"}
    manager, client = start_new_kernel(60 * factor(), cwd=str(tmp_path), env=env)
    try:
        assert isinstance(manager.provisioner, WarmProvisioner)
        printed: list[str] = []
        client.execute_interactive(
            LOOK, output_hook=lambda m: printed.append(m["content"].get("text", ""))
        )
        text = "".join(printed)
        backend = "module://matplotlib_inline.backend_inline"
        assert text.startswith(str([True, backend, str(tmp_path), "студент", ""])[:-1])
        assert text.endswith("[]\n"), "nothing has a name yet"
        assert repr(str(ROOT)) not in text
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()
