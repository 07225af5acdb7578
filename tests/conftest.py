"""What every test needs: a cache of its own, and reproducible property tests."""

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before anything imports torch

import pytest
from hypothesis import settings

settings.register_profile("gradcascade", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("gradcascade")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    before = os.environ.get("GRADCASCADE_CACHE")
    os.environ["GRADCASCADE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GRADCASCADE_CACHE"]
    else:
        os.environ["GRADCASCADE_CACHE"] = before
