"""Shared helpers of the lecture notebooks: start, pictures, training, checks.

The package stays light: transformers, datasets and evaluate are imported only by
the functions that use them.
"""

import logging

# Where it cannot write, matplotlib keeps its files elsewhere: nothing to tell a reader.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from lecture_utils.exercises import exercise  # noqa: E402
from lecture_utils.figures import live, show  # noqa: E402
from lecture_utils.session import claim, setup  # noqa: E402

__all__ = ["claim", "exercise", "live", "setup", "show"]
