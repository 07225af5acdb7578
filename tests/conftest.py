"""What every test needs: a cache of its own, reproducible property tests, and one browser for all that open pages."""

import os
import shutil
from pathlib import Path

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before anything imports torch

import pytest
from hypothesis import settings

ALONE = (
    "training",
    "docs",
    "fields/kinds",
    "live",
    "probe/engines/test_cuda.py",
    "sources/test_transformers.py",
    "sources/trainers",
)
"""Tests that compute with torch: its threads and Numba's spin against each other in processes side by side."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

settings.register_profile("gradcascade", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("gradcascade")


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(ALONE):
            item.add_marker("alone")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    before = os.environ.get("GRADCASCADE_CACHE")
    os.environ["GRADCASCADE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GRADCASCADE_CACHE"]
    else:
        os.environ["GRADCASCADE_CACHE"] = before


@pytest.fixture
def no_figures(monkeypatch):
    """Reports without figures for paper: drawing them takes most of the time, and has tests of its own."""
    monkeypatch.setattr("gradcascade.report.figure_views.all_figures", lambda data: [])


@pytest.fixture
def only_svg(monkeypatch):
    """Figures without PDF and PNG, for tests of what is on the page: embedding fonts takes most of the time."""
    from matplotlib.figure import Figure

    save = Figure.savefig

    def save_svg(figure, path, **options):
        if Path(path).suffix == ".svg":
            save(figure, path, **options)
        else:
            Path(path).write_bytes(b"not drawn in this test")

    monkeypatch.setattr(Figure, "savefig", save_svg)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; one for all, since two of Playwright's loops cannot run in a thread."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()
