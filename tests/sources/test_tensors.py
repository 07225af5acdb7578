"""Every kind of file and type of number reads back as what was written."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from sample_runs import save_pt

from gradcascade.errors import InputError
from gradcascade.sources import flatten, open_tensors, read_field, read_tensors
from gradcascade.sources.one_field import open_field

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i4", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 0, 3)], ids=str)
def test_npy(tmp_path: Path, dtype: str, shape: tuple) -> None:
    array = (10 * RNG.normal(size=shape)).astype(dtype)
    np.save(tmp_path / "field.npy", array)
    np.testing.assert_array_equal(read_field(tmp_path / "field.npy"), array)
    np.testing.assert_array_equal(read_tensors(tmp_path / "field.npy")["array"], array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
def test_npy_of_every_version_and_order(tmp_path: Path, version: tuple[int, int]) -> None:
    array = np.asfortranarray(RNG.normal(size=(3, 5)))
    with (tmp_path / "field.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    np.testing.assert_array_equal(read_field(tmp_path / "field.npy"), array)


def write(tensors: dict, path: Path) -> None:
    import safetensors.torch
    import torch

    if path.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        torch.save(tensors, path)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool"],
)
def test_torch_tensors_of_every_type(tmp_path: Path, suffix: str, dtype: str) -> None:
    import torch

    tensors = {
        name: (100 * torch.randn(shape)).to(getattr(torch, dtype))
        for name, shape in {"matrix": (3, 4), "vector": (5,), "number": (), "nothing": (0, 3)}.items()
    }
    path = tmp_path / f"model{suffix}"
    write(tensors, path)
    found = read_tensors(path)
    assert set(found) == set(tensors)
    for name, values in found.items():
        expected = tensors[name].float() if dtype == "bfloat16" else tensors[name]
        np.testing.assert_array_equal(values, expected.numpy())
        assert values.dtype == expected.numpy().dtype


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_torch_files_of_every_pickle_version(tmp_path: Path, protocol: int) -> None:
    import torch

    torch.save({"a": torch.arange(6.0)}, tmp_path / "model.pt", pickle_protocol=protocol)
    np.testing.assert_array_equal(read_field(tmp_path / "model.pt"), np.arange(6, dtype=np.float32))


def test_torch_views_shared_storages_and_nested_dictionaries(tmp_path: Path) -> None:
    import torch

    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "step": 3,
        "transposed": base.t(),
        "inner": OrderedDict(column=base[:, 2], rows=[base[1:3], base[::2, 1::3]]),
        "tied": base,
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "notes": {"text": "hello", "learning_rate": 0.5, "nothing": None, "betas": (0.9, 0.95)},
    }
    torch.save(tensors, tmp_path / "model.pt")
    found = read_tensors(tmp_path / "model.pt")
    assert list(found) == ["transposed", "inner.column", "inner.rows.0", "inner.rows.1", "tied", "parameter"]
    np.testing.assert_array_equal(found["transposed"], base.t())
    np.testing.assert_array_equal(found["inner.column"], base[:, 2])
    np.testing.assert_array_equal(found["inner.rows.1"], base[::2, 1::3])
    np.testing.assert_array_equal(found["parameter"], [1, 1])


def test_a_module_state_with_its_version_table(tmp_path: Path) -> None:
    import torch

    linear = torch.nn.Linear(3, 2)
    module = torch.nn.Sequential(linear, torch.nn.BatchNorm1d(2))
    torch.save(module.state_dict(), tmp_path / "model.pt")
    found = open_tensors(tmp_path / "model.pt")
    assert list(found) == list(module.state_dict())
    np.testing.assert_array_equal(found["0.weight"].read(), linear.weight.detach().numpy())


def test_tensors_that_carry_attributes_are_read_and_those_of_other_kinds_refused(tmp_path: Path) -> None:
    import torch

    class Scaled(torch.Tensor):
        """Its stored numbers need not be its values."""

    marked, parameter = torch.arange(6.0).reshape(2, 3).t(), torch.nn.Parameter(torch.ones(2))
    marked.ds_id = "0_3"  # type: ignore[attr-defined]
    parameter.tensor_model_parallel = True  # type: ignore[attr-defined]
    torch.save({"marked": marked, "parameter": parameter}, tmp_path / "model.pt")
    found = read_tensors(tmp_path / "model.pt")
    np.testing.assert_array_equal(found["marked"], marked)
    np.testing.assert_array_equal(found["parameter"], [1, 1])
    with pytest.MonkeyPatch.context() as patch:  # so that it can be saved from within a test
        patch.setattr(torch, "Scaled", Scaled, raising=False)
        Scaled.__module__, Scaled.__qualname__ = "torch", "Scaled"
        torch.save({"a": torch.ones(2).as_subclass(Scaled)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"asks for 'torch\.Scaled', which no dictionary of tensors needs"):
        read_tensors(tmp_path / "other.pt")


def test_a_single_tensor_saved_alone(tmp_path: Path) -> None:
    import torch

    torch.save(torch.arange(5.0), tmp_path / "one.pt")
    np.testing.assert_array_equal(read_field(tmp_path / "one.pt"), np.arange(5, dtype=np.float32))


def test_only_the_chosen_tensors_are_read(tmp_path: Path) -> None:
    import torch

    write({"a.weight": torch.ones(2), "a.scale": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "m.safetensors")
    found = read_tensors(tmp_path / "m.safetensors", lambda name: name.endswith("weight"))
    assert list(found) == ["a.weight"]
    with pytest.raises(InputError, match="F8_E4M3"):
        read_tensors(tmp_path / "m.safetensors")


def test_a_field_of_all_tensors_is_in_file_order_and_of_the_widest_type(tmp_path: Path) -> None:
    import torch

    write(
        {"b": torch.tensor([[1, 2], [3, 4]]).half(), "a": torch.tensor([0.5], dtype=torch.bfloat16)},
        tmp_path / "m.pt",
    )
    field = read_field(tmp_path / "m.pt")
    assert field.dtype == np.float32
    np.testing.assert_array_equal(field, [1, 2, 3, 4, 0.5])
    write({"b": torch.tensor([1.0]), "a": torch.tensor([0.1], dtype=torch.float64)}, tmp_path / "m.pt")
    assert read_field(tmp_path / "m.pt").dtype == np.float64
    np.testing.assert_array_equal(read_field(tmp_path / "m.pt"), [1.0, 0.1])
    np.testing.assert_array_equal(flatten(read_tensors(tmp_path / "m.pt")), [1.0, 0.1])


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    import torch

    write({"layers.0.o_proj": torch.ones(3), "layers.1.o_proj": torch.ones(3)}, tmp_path / "m.pt")
    with pytest.raises(
        InputError, match=r"no tensor 'layers.0.oproj'; the nearest of its 2 names: 'layers.0.o_proj'"
    ):
        read_field(tmp_path / "m.pt", "layers.0.oproj")


def test_readers_need_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    import torch

    write({"a": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "m.pt")
    write({"a": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "m.safetensors")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from gradcascade.sources import read_field\n"
        f"for suffix in ('pt', 'safetensors'): assert read_field({str(tmp_path / 'm.')!r} + suffix).sum() == 3\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_layout_of_a_file_is_that_of_its_field(tmp_path):
    tensors = {"b": np.ones((2, 3), np.float32), "a": np.zeros(5, np.float32)}
    save_pt(tensors, tmp_path / "t.pt")
    assert open_field(tmp_path / "t.pt").layout == (("a", 5), ("b", 6))
    assert open_field(tmp_path / "t.pt", order="file").layout == (("b", 6), ("a", 5))
    assert open_field(tmp_path / "t.pt", "a").layout == (("a", 5),)
    np.save(tmp_path / "f.npy", np.ones((3, 4)))
    assert open_field(tmp_path / "f.npy").layout == (("array", 12),)
