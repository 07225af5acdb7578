import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

import gradcascade as gc
from gradcascade.fields.drawing import null
from gradcascade.probe import parts
from gradcascade.probe.array import as_field
from gradcascade.probe.threshold import SUBSAMPLE, quantile, subsample

RANDOM = np.random.default_rng(5)
TENSORS = {
    "layers.10.w.weight": torch.from_numpy(RANDOM.standard_t(3, (30, 40)).astype(np.float32)),
    "layers.2.w.weight": torch.from_numpy(RANDOM.standard_t(3, (50, 20)).astype(np.float32)),
    "norm.bias": torch.from_numpy(RANDOM.standard_t(3, 7).astype(np.float32)),
    "nothing": torch.empty(0),
}
IN_ORDER = ["layers.2.w.weight", "layers.10.w.weight", "norm.bias", "nothing"]
ONE = np.concatenate([TENSORS[name].numpy().ravel() for name in IN_ORDER])


def result(cascade):
    return cascade.tau, cascade.max_over_tau, cascade.zero_share, cascade.activity.tolist()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize(
    "given",
    [
        TENSORS,
        TENSORS.items(),
        [(f"module.{name}", tensor) for name, tensor in TENSORS.items()],
        [TENSORS[name] for name in IN_ORDER],
        tuple(TENSORS[name].numpy() for name in IN_ORDER),
        {name: tensor.numpy() for name, tensor in TENSORS.items()},
        {f"_orig_mod.{name}": tensor.requires_grad_() for name, tensor in TENSORS.items()},
    ],
    ids=["mapping", "items", "pairs", "list", "arrays", "mapping of arrays", "wrapped"],
)
def test_tensors_give_the_cascade_of_one_field(given, engine, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 1100)  # so that some tensors are read together and others by themselves
    assert result(gc.Probe(engine=engine)(given)) == result(gc.Probe(engine=engine)(ONE))


def test_an_iterator_is_read_once():
    assert result(gc.Probe()(TENSORS[name] for name in IN_ORDER)) == result(gc.Probe()(ONE))
    assert result(gc.Probe()(dict(enumerate_names()).values())) == result(gc.Probe()(ONE))


def enumerate_names():
    return ((name, TENSORS[name]) for name in IN_ORDER)


def test_a_model_is_measured_by_its_named_parameters():
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(11)))
    names = [f"{i}.{end}" for i in range(11) for end in ("weight", "bias")]
    known = dict(model.named_parameters())
    expected = torch.cat(
        [known[name].flatten() for name in sorted(names, key=lambda n: (int(n.split(".")[0]), n[-1] != "t"))]
    )
    by_name = {name: known[name] for name in names}
    assert result(gc.Probe()(model.named_parameters())) == result(gc.Probe()(by_name))
    assert gc.Probe()(model.parameters()).n == expected.numel()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn])
def test_types_may_differ(kind):
    mixed = [
        TENSORS[name].detach().to(kind) if number == 1 else TENSORS[name] for number, name in enumerate(IN_ORDER)
    ]
    widened = np.concatenate([tensor.detach().double().numpy().ravel() for tensor in mixed])
    assert result(gc.Probe()(mixed)) == result(gc.Probe()(widened))
    assert as_field(mixed).dtype == (np.float64 if kind == torch.float64 else np.float32)


def test_views_are_read_as_what_they_show():
    pending = torch.view_as_complex(torch.randn(50, 2)).conj().imag
    views = [pending, torch.randn(20, 30).T, torch.randn(100)[::2]]
    assert result(gc.Probe()(views)) == result(gc.Probe()(torch.cat([view.flatten() for view in views])))


def test_numbers_in_a_list_stay_one_field():
    assert result(gc.Probe()([1.0, -2.0, 3.0])) == result(gc.Probe()(np.array([1.0, -2.0, 3.0])))
    assert gc.Probe()([[1.0, 2.0], [3.0, 4.0]]).n == 4
    assert gc.Probe()([np.ones(3), np.ones(3)]).n == 6


class _Sharded(torch.Tensor):
    def full_tensor(self):
        raise NotImplementedError


class _Quantised:
    """What a quantised tensor shows of itself; making one warns."""

    dtype = "torch.qint8"
    detach = cpu = numel = None


def _marked(name):
    tensor = nn.Parameter(torch.ones(4))
    setattr(tensor, name, 1)
    return tensor


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (None, "bad.w is None.*leave it out, or pass zeros"),
        (torch.ones(5).to_sparse(), r"bad.w is a float32 tensor of this layout: sparse_coo; pass its to_dense\(\)"),
        (torch.empty(5, device="meta"), "bad.w .*meta, without values"),
        (torch.ones(5).as_subclass(_Sharded), r"bad.w is sharded over processes.*gc.full_gradients\(model\)"),
        (_marked("_fsdp_flattened"), "bad.w is sharded by FSDP"),
        (_marked("ds_id"), "bad.w is partitioned by DeepSpeed"),
        (torch.ones(5, dtype=torch.int64), "bad.w holds int64 numbers"),
        (torch.ones(5, dtype=torch.complex64), "bad.w holds complex64 numbers"),
        (_Quantised(), r"qint8 tensor.*dequantize"),
        (np.array([1.0, np.nan]), "1 of 2,209 entries that are NaN.*at index 1 of bad.w"),
        ([[1.0], [1.0, 2.0]], "cannot be read as an array of numbers"),
        (np.ma.masked_less(np.ones(3), 0), "a masked array cannot be measured"),
    ],
)
def test_a_tensor_that_cannot_be_read_is_refused_by_name(bad, words):
    with pytest.raises(gc.InputError, match=words):
        gc.Probe()({**TENSORS, "bad.w": bad})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "a field needs at least 3 entries|got 0"),
        ([torch.ones(5), None], "tensor 1 is None"),
        ([("w", torch.ones(5)), ("w", torch.ones(5))], "two tensors are called w"),
        ({1: torch.ones(5)}, "one is called 1; pass strings"),
        ({torch.ones(5)}, "a set of tensors has no order"),
        (torch.ones(5).as_subclass(_Sharded), "the field is sharded over processes"),
        (iter(()), "at least 3 entries, got 0"),
        ([torch.ones(2, dtype=torch.complex64)] * 2, "got complex64"),
    ],
)
def test_what_makes_up_no_field_is_refused(given, words):
    with pytest.raises(gc.InputError, match=words):
        gc.Probe()(given)


def test_the_subsample_of_parts_has_the_entries_of_the_one_field():
    names = parts.in_parts(TENSORS)
    drawn = subsample(names, 3, 500)
    assert isinstance(drawn, np.ndarray)
    assert np.array_equal(np.sort(drawn), np.sort(subsample(ONE, 3, 500)))
    assert quantile(drawn, 0.9) == quantile(subsample(ONE, 3, 500), 0.9)
    assert subsample(names, 3, SUBSAMPLE) is names


@pytest.mark.parametrize("kind", ["N0", "N1", "N2", "signs", "clipped"])
def test_a_null_takes_tensors_too(kind):
    assert np.array_equal(null(kind, TENSORS, 7), null(kind, ONE, 7))


def test_the_names_of_a_mapping_are_the_layout_of_its_nulls():
    layout = [(name, TENSORS[name].numel()) for name in IN_ORDER]
    assert np.array_equal(null("in-tensor", TENSORS, 7), null("in-tensor", ONE, 7, layout=layout))
    with pytest.raises(gc.InputError, match="needs the layout"):
        null("in-tensor", list(TENSORS.values()), 7)


def test_no_copy_of_all_tensors_is_made(monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 1 << 14)
    tensors = {f"layers.{i}.w": RANDOM.standard_normal(1 << 18).astype(np.float32) for i in range(4)}
    one = np.concatenate(list(tensors.values()))
    probe = gc.Probe(max_steps=3)

    def peak(field):
        probe(field)  # compiles, and keeps the workspace
        tracemalloc.start()
        probe(field)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(tensors) < peak(one) + one.nbytes / 2
