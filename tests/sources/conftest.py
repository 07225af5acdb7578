import sys
from pathlib import Path

import pytest

# Tests are imported by file, not as packages; this lets them share the modules beside them.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "trees" / "hub"))

from imitation import Imitation


@pytest.fixture
def hub():
    with Imitation() as imitation:
        yield imitation
