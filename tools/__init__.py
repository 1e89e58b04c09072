"""What a maintainer runs: `python -m tools.NAME`, as the Makefile does."""
