"""Every test run, `pytest --nbval` alone included, uses the plugin of `tools`."""

pytest_plugins = ["tools.pytest_plugin"]
