"""Settings and fixtures that several test modules share."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import torch
from playwright.sync_api import Browser, Error, Page, Route, sync_playwright

QUIET = (  # a browser that asks nobody for anything, and runs as root in containers
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """The notebooks' own precision, for all tests of a module."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the test is skipped, on CI it fails."""
    from tools.slides import which_chromium  # slow to import, few tests need it

    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(args=QUIET, **which_chromium())
        except Error as error:
            stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            stop(f"no Chromium: install it or set CHROMIUM to its path\n{error}")
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280x720; a request that leaves this machine is a fault."""
    outside: list[str] = []

    def stay_inside(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("http", "https", "ws", "wss") and (
            address.hostname != "127.0.0.1"
        ):
            outside.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        context.route("**/*", stay_inside)
        yield context.new_page()
    assert outside == []
