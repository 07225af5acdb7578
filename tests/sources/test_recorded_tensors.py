from pathlib import Path

import numpy as np
import pytest
from sample_runs import save_safetensors

from gradcascade.errors import InputError
from gradcascade.sources.recorded_tensors import RecordedTensors
from gradcascade.sources.tensors import open_tensors
from gradcascade.sources.trees.base import Part
from gradcascade.sources.trees.local import LocalTree


def place(name):
    """A file of that name, as a part and as a path."""
    return Part(LocalTree(Path()), "", name), Path(name)


def tensors(tmp_path, **shapes):
    save_safetensors(
        {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, tmp_path / "t.safetensors"
    )
    return open_tensors(tmp_path / "t.safetensors")


def test_the_first_file_decides_names_shapes_and_order(tmp_path):
    record = RecordedTensors(tmp_path / "deep" / "tensors.json", "someone/model", "file")
    first = tensors(tmp_path, b=(2, 3), a=(4,))
    names = list(first)
    assert record.names(first, *place("one")) == names
    assert record.names(dict(reversed(first.items())), *place("two")) == names
    assert RecordedTensors(record.file, "someone/model", "sorted").names(first, *place("three")) == ["a", "b"]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (
            {"a": (4,)},
            r"two has the tensor 'b' not at all, and what was read before of someone/model has it of shape",
        ),
        ({"a": (4,), "b": (3, 2)}, r"two has the tensor 'b' of shape \(3, 2\)"),
        ({"a": (4,), "b": (2, 3), "c": (1,)}, r"two has the tensor 'c' of shape \(1,\), .* has it not at all"),
    ],
)
def test_another_model_is_refused(tmp_path, shapes, words):
    record = RecordedTensors(tmp_path / "tensors.json", "someone/model", "file")
    record.names(tensors(tmp_path, a=(4,), b=(2, 3)), *place("one"))
    with pytest.raises(InputError, match=words):
        record.names(tensors(tmp_path, **shapes), *place("two"))


def test_a_published_repository_with_another_number_of_entries_leaves_no_record(tmp_path):
    record = RecordedTensors(tmp_path / "tensors.json", "EleutherAI/pythia-14m-seed3", "file")
    with pytest.raises(InputError, match=r"gives a field of 10 entries, and that of .* has 14,067,712"):
        record.names(tensors(tmp_path, a=(4,), b=(2, 3)), *place("one"))
    assert not record.file.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a", "b"]]', "null"])
def test_a_damaged_record_is_refused(tmp_path, text):
    (tmp_path / "tensors.json").write_text(text)
    with pytest.raises(InputError, match="is damaged; remove it"):
        RecordedTensors(tmp_path / "tensors.json", "someone/model", "file").names(
            tensors(tmp_path, a=(4,)), *place("one")
        )


def test_a_scale_of_another_kind_is_refused_before_it_is_measured(tmp_path):
    small = RecordedTensors(tmp_path / "small.json", "someone/small", "file")
    small.names(tensors(tmp_path, **{"h.0.up": (4,), "h.0.down": (2,)}), *place("one"))
    others = (("someone/small", small.file), ("someone/not-read-yet", tmp_path / "none.json"))
    large = RecordedTensors(tmp_path / "large.json", "someone/large", "file", others=others)
    with pytest.raises(InputError, match=r"someone/small has the tensor 'h\.0\.down' and someone/large has none"):
        large.names(tensors(tmp_path, **{"h.0.up": (8,), "h.1.up": (8,)}), *place("two"))
    assert not large.file.exists()
    whole = {f"h.{layer}.{name}": (size,) for layer in (0, 1) for name, size in (("up", 8), ("down", 4))}
    assert len(large.names(tensors(tmp_path, **whole), *place("two"))) == 4
