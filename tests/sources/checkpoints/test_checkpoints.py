"""A kind of checkpoint is one file, and what it opens is measured."""

import numpy as np
from toys import add_module

from gradcascade.sources.folder import discover

TOY = """
from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.tensors import open_tensors

CHECKPOINT = Checkpoint("toy", 5, ("weights.npy",), open_tensors)
"""


def test_one_file_is_all_a_kind_of_checkpoint_takes(tmp_path, monkeypatch):
    values = [np.random.default_rng(seed).standard_normal(50).astype(np.float32) for seed in (1, 2)]
    for step, array in enumerate(values):
        folder = tmp_path / "runs" / "mine" / f"step_{step}"
        folder.mkdir(parents=True)
        np.save(folder / "weights.npy", array)
    add_module(monkeypatch, tmp_path, "gradcascade.sources.checkpoints", "toy", TOY)
    [snapshot] = discover(tmp_path / "runs").snapshots()
    np.testing.assert_array_equal(snapshot.load(), values[1] - values[0])
