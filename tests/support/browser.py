"""A headless Chromium of the system, and what a person does with it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PICTURES = Path(__file__).parents[2] / "pictures"
"""Where a run of the tests leaves its screenshots."""
_QUIET = (
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-software-rasterizer",  # pages without WebGL need no GPU that is played by the processor
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SERIOUS = ("serious", "critical")
PATIENCE_MS = 15_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, ended with the block."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path is not None, "no Chromium: `.ci/browser` installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_QUIET])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser, address: str, *, width: int = 1440, scheme: str = "light", scripts: bool = True
) -> Iterator[Page]:
    """A page of somebody who comes for the first time; fails when its scripts do, or when anything is loaded from
    elsewhere."""
    context: BrowserContext = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on(
        "request",
        lambda request: None if request.url.startswith((address, "data:")) else errors.append(request.url),
    )
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def sign_in(page: Page, token: str) -> None:
    """As a person does."""
    page.goto("/")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", level=1).wait_for()


def serious_findings(page: Page) -> list[str]:
    """What axe finds wrong with the page for people who hear it, or use no mouse, or see little."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {found['id']}: {node['html'][:200]}"
        for found in violations
        if found["impact"] in _SERIOUS
        for node in found["nodes"]
    ]


def keep_picture(page: Page, name: str, *, whole: bool = True) -> Path:
    """Leave a screenshot in the folder of pictures."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    return path
