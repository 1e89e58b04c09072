"""Shared helpers of the lecture notebooks: start, pictures, training, checks.

The package stays light: transformers, datasets and evaluate are imported only by
the functions that use them.
"""

from lecture_utils.exercises import exercise
from lecture_utils.figures import live, show
from lecture_utils.session import claim, setup

__all__ = ["claim", "exercise", "live", "setup", "show"]
