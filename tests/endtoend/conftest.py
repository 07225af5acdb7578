import sys

import pytest
from imitation import Imitation
from remote_runs import PICO, PYTHIA, parameters_of, pythia_tensors

from gradcascade.cli.main import main
from gradcascade.sources.trees.hub.retry import RetryPolicy


@pytest.fixture
def hub():
    with Imitation() as imitation:
        yield imitation


@pytest.fixture
def at_the_hub(hub, monkeypatch, tmp_path):
    """The command line, in a process whose hub is the imitation and which waits for nothing."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    waits = []
    monkeypatch.setattr("gradcascade.sources.trees.hub.session.RETRY", RetryPolicy(sleep=waits.append))
    monkeypatch.chdir(tmp_path)
    entries = {}
    for scale, width in PICO.items():
        entries[f"pico-lm/pico-decoder-{scale}"] = 384 * (width // 6) ** 2
    for scale, width in PYTHIA.items():
        size = sum(values.size for values in parameters_of(pythia_tensors(width, 0)).values())
        entries[f"EleutherAI/pythia-{scale}-seed3"] = size
    monkeypatch.setattr("gradcascade.families.expected_entries", entries.get)
    return waits


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command line in this process; gives the exit code, the output and what was said beside it."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gradcascade", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run
