"""A browser that asks nobody for anything and waits longer on a busy machine."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tools.slides import patience, which_chromium

QUIET = (
    "--no-sandbox",  # runs as root in containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the test is skipped, on CI it fails."""
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                args=QUIET, timeout=patience(), **which_chromium()
            )
        except Error as error:
            stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            stop(f"no Chromium: install it or set CHROMIUM to its path\n{error}")
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Pages of 1280x720; how long they wait for a state grows with the load."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        context.set_default_timeout(patience())
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; a request that leaves this machine is a fault."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    assert [url for url in asked if leaves_this_machine(url)] == []


def leaves_this_machine(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in ("http", "https") and address.hostname != "127.0.0.1"
