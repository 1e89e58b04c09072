"""Shared helpers of the lecture notebooks: start, pictures, training, checks.

The package stays light: transformers, datasets and evaluate are imported only by
the functions that use them.
"""

import logging
import os
import sys

# Hub libraries read these at import: nothing is fetched unless the reader asks.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# cuBLAS is deterministic only with a fixed workspace.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# OpenMP reads these when torch is loaded: threads that wait by spinning take the cores
# from whatever runs beside them, threads that sleep at once wake up late. GNU's OpenMP
# spins a little: as fast as by default when alone, far faster beside other notebooks.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A picture is what the lecture shows, not what a user's file or variable asks, even if
# matplotlib can read it: a backend that is not there would end the import.
os.environ["MATPLOTLIBRC"] = os.devnull
os.environ["MPLBACKEND"] = (
    "module://matplotlib_inline.backend_inline" if "ipykernel" in sys.modules else "agg"
)

# Where it cannot write, matplotlib keeps its files elsewhere: nothing to tell a reader.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from lecture_utils.exercises import exercise  # noqa: E402
from lecture_utils.figures import live, show  # noqa: E402
from lecture_utils.presenting import presenter  # noqa: E402
from lecture_utils.session import claim, setup  # noqa: E402

__all__ = ["claim", "exercise", "live", "presenter", "setup", "show"]
