from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

import gradcascade as gc
from gradcascade.probe.array import as_field

BASE = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_floating_type_gives_the_same_cascade(dtype):
    assert gc.Probe()(BASE.astype(dtype)).activity.tolist() == gc.Probe()(BASE).activity.tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_read_like_arrays(dtype):
    tensor = torch.from_numpy(BASE).to(dtype).requires_grad_()
    expected = tensor.detach().double().numpy()
    assert gc.Probe()(tensor).activity.tolist() == gc.Probe()(expected).activity.tolist()
    assert np.array_equal(as_field(tensor), expected.reshape(-1))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_are_widened_exactly(dtype):
    tensor = torch.from_numpy(BASE).to(dtype)
    assert np.array_equal(as_field(tensor), tensor.double().numpy().reshape(-1))


def test_a_tensor_with_a_pending_sign_is_read():
    tensor = torch.view_as_complex(torch.from_numpy(BASE.astype(np.float32)).reshape(-1, 2)).conj().imag
    assert np.array_equal(as_field(tensor), -BASE.astype(np.float32).reshape(-1, 2)[:, 1])


def test_an_array_at_an_odd_address_is_read():
    data = b"x" + BASE.astype(np.float32).tobytes()
    field = np.frombuffer(data, np.float32, offset=1)
    assert not field.flags.aligned
    assert gc.Probe()(field).activity.tolist() == gc.Probe()(BASE).activity.tolist()


@pytest.mark.parametrize("view", [BASE.T, BASE[:, ::2], BASE[::-1], BASE.astype(">f4"), np.asfortranarray(BASE)])
def test_any_layout_is_read_in_row_major_order(view):
    field = as_field(view)
    assert field.flags.c_contiguous and field.dtype == np.float32
    assert np.array_equal(field, np.array(view.tolist(), np.float32).reshape(-1))


def test_the_input_is_never_modified():
    field = np.random.default_rng(0).standard_normal(1000)
    field.flags.writeable = False
    before = field.copy()
    gc.Probe()(field)
    for kind in ("N0", "N1", "N2"):
        gc.null(kind, field, seed=1)
    assert np.array_equal(field, before)


def test_integers_are_taken_as_numbers():
    assert as_field([3, -1, 2]).tolist() == [3.0, -1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones(2), "at least 3 entries, got 2"),
        (np.ones(5, complex), "real floating-point numbers, got complex128"),
        (np.array(["a", "b", "c"]), "real floating-point numbers"),
        ([[1.0, 2.0], [3.0]], "must be an array of numbers, but this cannot be read as one"),
        (torch.ones(5).to_sparse(), "float32 tensor of this layout"),
        (torch.empty(5, device="meta"), "float32 tensor of this layout"),
        (np.ones(5, bool), r"the field is a mask \(bool\).*pass what it masks"),
        (torch.ones(5, dtype=torch.bool), "the field is a mask"),
        ([True, False, True], "got bool"),
        ([torch.ones(5), torch.ones(5, dtype=torch.bool)], "tensor 1 is a mask"),
        ("gradients.pt", "the field is text; of a file, pass what is in it"),
        (Path("gradients.pt"), "the field is text"),
        (torch.nn.Sequential(torch.nn.Linear(2, 2)), r"the field is a model; pass \{name: p.grad"),
        ([torch.nn.Linear(2, 2), torch.ones(5)], "tensor 0 is a model"),
        (sparse.random(5, 5, 0.3), r"the field is a sparse matrix; pass its toarray\(\)"),
        (sparse.csr_array(np.eye(3)), "the field is a sparse matrix"),
        ([np.ones(5), sparse.csr_array(np.eye(3))], "tensor 1 is a sparse matrix"),
    ],
)
def test_what_is_no_field_is_refused(values, words):
    with pytest.raises(gc.InputError, match=words):
        as_field(values)


@pytest.mark.filterwarnings("ignore")  # torch's, of nested tensors and of quantisation
def test_nested_and_quantised_tensors_are_refused_with_what_to_pass():
    pieces = [torch.ones(4), torch.ones(5)]
    for nested in (torch.nested.nested_tensor(pieces), torch.nested.nested_tensor(pieces, layout=torch.jagged)):
        with pytest.raises(gc.InputError, match=r"the field is a nested float32 tensor; pass its unbind\(\)"):
            as_field(nested)
        assert as_field(nested.unbind()).size == 9
    quantised = torch.quantize_per_tensor(torch.linspace(-1, 1, 9), 0.1, 0, torch.qint8)
    with pytest.raises(gc.InputError, match=r"the field is a qint8 tensor; pass its dequantize\(\)"):
        as_field(quantised)
    assert as_field(quantised.dequantize()).size == 9


def test_a_masked_array_is_refused_rather_than_measured_with_what_it_hides():
    values = np.ma.masked_less(np.linspace(-1, 1, 100), 0)
    with pytest.raises(gc.InputError, match="a masked array cannot be measured"):
        as_field(values)
    assert as_field(values.compressed()).size == 50
