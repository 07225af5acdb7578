import pytest
from imitation import Imitation


@pytest.fixture
def hub():
    with Imitation() as imitation:
        yield imitation
