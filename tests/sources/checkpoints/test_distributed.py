"""Distributed checkpoints as torch.distributed.checkpoint writes them, one process and two."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from sharded_checkpoint import sharded

from gradcascade.errors import InputError
from gradcascade.sources.checkpoint import described
from gradcascade.sources.containers import model_part
from gradcascade.sources.tensors import open_tensors

torch = pytest.importorskip("torch")
dcp = pytest.importorskip("torch.distributed.checkpoint")

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of one process, and the state it holds."""
    folder = tmp_path_factory.mktemp("dcp")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Linear(8, 50).bfloat16())
    optimizer = torch.optim.AdamW(model.parameters())
    model[0](torch.arange(4)).sum().backward()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 5},
            checkpoint_id=folder / "step-5",
        )
    return folder / "step-5", model.state_dict()


def test_the_model_has_the_values_that_were_saved(saved):
    folder, state = saved
    part, others = model_part(described(folder / ".metadata"), "it")
    assert set(part) == set(state)
    for name, tensor in part.items():
        np.testing.assert_array_equal(tensor.read_field(), state[name].float().numpy())
    assert {name.split(".")[0] for name in others} == {"optimizer"}


def test_pieces_of_two_processes_are_put_together(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(sharded, (str(tmp_path), port), 2)
    whole = torch.load(tmp_path / "whole.pt", weights_only=True)
    part, _ = model_part(described(tmp_path / "sharded" / ".metadata"), "it")
    assert set(part) == set(whole)
    for name, tensor in part.items():
        np.testing.assert_array_equal(tensor.read_field(), whole[name].numpy())
    assert len(list((tmp_path / "sharded").glob("*.distcp"))) == 2
    next(iter(sorted((tmp_path / "sharded").glob("*.distcp")))).unlink()
    with pytest.raises(InputError, match="does not exist"):
        described(tmp_path / "sharded" / ".metadata")


def test_one_file_of_many_is_refused(saved, tmp_path):
    folder, _ = saved
    [file] = folder.glob("*.distcp")
    with pytest.raises(InputError, match="holds more than one zip"):
        open_tensors(shutil.copy(file, tmp_path))
    with pytest.raises(InputError, match=r"one file of a distributed checkpoint, and \.metadata"):
        described(Path(shutil.copy(file, tmp_path)))


@pytest.mark.parametrize("damage", ["cut", "metadata", "renamed"])
def test_broken_folders_are_refused(saved, tmp_path, damage):
    folder = shutil.copytree(saved[0], tmp_path / "step-5")
    [file] = folder.glob("*.distcp")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:700])
    elif damage == "metadata":
        (folder / ".metadata").write_bytes((folder / ".metadata").read_bytes()[:-300])
    else:
        file.rename(folder / "__1_0.distcp")
    with pytest.raises(InputError):
        described(folder / ".metadata")


def test_metadata_that_asks_for_anything_else_is_refused(tmp_path):
    (tmp_path / ".metadata").write_bytes(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.")
    with pytest.raises(InputError, match=r"asks for 'posix\.system'"):
        described(tmp_path / ".metadata")
