"""What the table of `make stability` says about a run."""

from tools.stability import SETTINGS, summary

PRINTED = """.F..F
FAILED notebooks/06_attention.ipynb::Cell 84 - Notebook cell execution failed
FAILED notebooks/02_vgg::ipynb::Cell 5 - Notebook cell execution failed
2 failed, 83 passed in 2.03s
"""


def test_failed_cells_are_named():
    assert summary(PRINTED) == "2 failed, 83 passed in 2.03s: 06_attention 84, 02_vgg 5"
    assert summary("==== 85 passed in 9.01s ====") == "85 passed in 9.01s"
    assert summary("Traceback (most recent call last):") == "did not run"


def test_the_oldest_processor_is_all_of_its_parts():
    oldest = SETTINGS["oldest"].variables
    assert len(oldest) == 4
    for name, value in oldest.items():
        assert {name: value} in [setting.variables for setting in SETTINGS.values()]
