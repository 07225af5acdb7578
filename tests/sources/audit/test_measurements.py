"""The streamed numbers against the obvious ones, computed on whole arrays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_runs import save_pt, save_safetensors

from gradcascade.sources.audit import measurements
from gradcascade.sources.audit.measurements import (
    blocks,
    inner_product,
    measure_distances,
    scan,
    unit_in_the_last_place,
)
from gradcascade.sources.choice import parameters
from gradcascade.sources.pieces import Piece, joined
from gradcascade.sources.tensors import open_tensors

DTYPES = ("float16", "float32", "float64")


def model(seed: int, dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"a": (7, 11), "b": (13,), "c": (3, 4, 5), "d": ()}
    return {name: rng.normal(0, 0.1, shape).astype(dtype) for name, shape in shapes.items()}


def opened(tensors: dict[str, np.ndarray], path: Path):
    save_safetensors(tensors, path)
    return parameters(open_tensors(path))


@pytest.mark.parametrize("block", [4, 1 << 18])
@pytest.mark.parametrize("dtype", DTYPES)
def test_distances_are_those_of_whole_arrays(
    dtype: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurements, "_BLOCK", block)
    runs = [model(seed, dtype) for seed in range(5)]
    runs[3] = {
        name: np.nextafter(v, v.dtype.type(9)) if name == "a" else runs[2][name] for name, v in runs[2].items()
    }
    files = [opened(tensors, tmp_path / f"{number}.safetensors") for number, tensors in enumerate(runs)]
    found = measure_distances([lambda file=file: file for file in files])
    assert found.names == ("a", "b", "c", "d") and found.sizes.tolist() == [77, 13, 60, 1]
    wide = [{name: v.astype(np.float64) for name, v in tensors.items()} for tensors in runs]
    for t, name in enumerate(found.names):
        for k in range(5):
            assert found.to_last[k, t] == pytest.approx(((wide[4][name] - wide[k][name]) ** 2).sum(), rel=1e-12)
        for k in range(4):
            difference = np.abs(wide[k + 1][name] - wide[k][name])
            larger = np.maximum(np.abs(runs[k + 1][name]), np.abs(runs[k][name]))
            assert found.next_one[k, t] == pytest.approx((difference**2).sum(), rel=1e-12)
            assert found.zeros[k, t] == (difference == 0).sum()
            assert found.within_unit[k, t] == (difference <= np.spacing(larger).astype(np.float64)).sum()
        for k in range(3):
            assert found.next_but_one[k, t] == pytest.approx(
                ((wide[k + 2][name] - wide[k][name]) ** 2).sum(), rel=1e-12
            )
    assert found.zeros[2].tolist() == [0, 13, 60, 1] and found.within_unit[2, 0] == 77


@given(
    st.floats(width=16, allow_nan=False, allow_infinity=False),
    st.floats(width=16, allow_nan=False, allow_infinity=False),
)
def test_the_unit_is_numpys_spacing(a: float, b: float) -> None:
    for dtype in DTYPES:
        larger = np.array([max(abs(a), abs(b))], dtype)
        unit = unit_in_the_last_place(np.array([a], dtype), np.array([b], dtype), dtype)
        assert unit[0] == np.spacing(larger)[0]


def test_the_unit_of_bfloat16_is_that_of_float32_cut_to_seven_bits() -> None:
    values = np.array([1.0, 1.5, 1.9921875, 2.0, 0.0078125, 3e38], np.float32)
    above = (values.view(np.uint32) + (1 << 16)).view(np.float32)
    unit = unit_in_the_last_place(values, values, "bfloat16")
    finite = np.isfinite(above)
    assert np.array_equal(unit[finite], above[finite].astype(np.float64) - values[finite])


def test_a_scan_tells_norms_digests_and_what_is_broken(tmp_path: Path) -> None:
    tensors = model(0, "float32")
    plain = scan(opened(tensors, tmp_path / "plain.safetensors"))
    assert plain.squares == pytest.approx([(v.astype(np.float64) ** 2).sum() for v in tensors.values()])
    assert plain.broken == ()
    tensors["b"][3] = 0
    zero = scan(opened(tensors, tmp_path / "zero.safetensors"))
    tensors["b"][3] = -0.0
    signed = scan(opened({n: v.astype(np.float64) for n, v in tensors.items()}, tmp_path / "signed.safetensors"))
    assert zero.digests == signed.digests
    assert [x == y for x, y in zip(plain.digests, zero.digests, strict=True)] == [True, False, True, True]
    tensors["b"][3] = np.inf
    tensors["c"][0, 0, 0] = np.nan
    assert scan(opened(tensors, tmp_path / "broken.safetensors")).broken == ("b", "c")


def test_numbers_too_large_to_square_are_broken(tmp_path: Path) -> None:
    huge = {"a": np.full(10, 1e300), "b": np.full(10, 1.0), "c": np.full(10, 3e38, np.float32)}
    assert scan(opened(huge, tmp_path / "huge.safetensors")).broken == ("a",)


def test_tensors_that_lie_transposed_are_read_in_their_own_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(measurements, "_BLOCK", 5)
    values = np.arange(42, dtype=np.float32).reshape(6, 7)
    torch.save({"t": torch.from_numpy(values).t()}, tmp_path / "t.pt")
    save_pt({"t": np.ascontiguousarray(values.T)}, tmp_path / "plain.pt")
    transposed, plain = open_tensors(tmp_path / "t.pt")["t"], open_tensors(tmp_path / "plain.pt")["t"]
    assert np.array_equal(np.concatenate(list(blocks(transposed))), values.T.reshape(-1))
    assert inner_product(transposed, plain) == pytest.approx(float((values.astype(np.float64) ** 2).sum()))


def test_tensors_in_pieces_and_negated_ones_are_read_as_they_are(tmp_path: Path) -> None:
    halves = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "b": np.arange(12, 20, dtype=np.float32).reshape(2, 4),
    }
    stored = opened({**halves, "gap": np.zeros(3, np.float32)}, tmp_path / "halves.safetensors")
    pieces = [Piece((3, 0), stored["b"]), Piece((0, 0), stored["a"])]
    whole = joined("w", (5, 4), pieces, tmp_path)
    assert np.concatenate(list(blocks(whole))).tolist() == list(range(20))
    assert np.concatenate(list(blocks(replace(stored["a"], negative=True)))).tolist() == [-k for k in range(12)]


def test_memory_is_bounded_by_the_blocks(tmp_path: Path) -> None:
    import tracemalloc

    files = [opened({"a": np.full(4_000_000, k, np.float16)}, tmp_path / f"{k}.safetensors") for k in range(4)]
    tracemalloc.start()
    measure_distances([lambda file=file: file for file in files])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24e6  # a whole tensor is 32 MB in float64
