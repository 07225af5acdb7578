from pathlib import Path

import numpy as np
import pytest
from sample_runs import save_safetensors

from gradcascade.errors import InputError
from gradcascade.sources.parameters import CONFIG, FLOATING, GRADIENTS, MANIFEST, PATTERNS, Evidence, contents_of
from gradcascade.sources.stored import CODES, StoredTensor, row_major_strides
from gradcascade.sources.tensors import open_tensors

FILE = Path("model.safetensors")


def stored(shape=(4, 3), dtype="float32", seed=0, offset=None):
    """A tensor in a file of its own place; equal seeds hold equal values."""
    size = int(np.prod(shape))
    width = np.dtype(CODES.get(dtype, "|u1")).itemsize
    raw = np.random.default_rng(seed).integers(0, 120, max(size * width, 1), dtype=np.uint8)
    place = seed * 10_000 + 1 if offset is None else offset
    held = np.concatenate([np.zeros(place, np.uint8), raw])
    return StoredTensor("", dtype, shape, row_major_strides(shape, width), place, held, FILE)


def many(**dtypes):
    return {name.replace("__", "."): stored(dtype=dtype, seed=i) for i, (name, dtype) in enumerate(dtypes.items(), 1)}


def test_floating_tensors_are_the_parameters_and_the_caveat_is_known():
    found = contents_of(many(wte__weight="float32", norm__weight="bfloat16"), FILE)
    assert found.names == ("wte.weight", "norm.weight")
    assert (found.rule, found.certain, found.left_out) == (FLOATING, False, {})


def test_a_known_architecture_is_certain():
    found = contents_of(many(w="float32"), FILE, Evidence(model_type="llama"))
    assert (found.rule, found.certain) == (CONFIG, True)


@pytest.mark.parametrize(
    "name",
    [
        "transformer.h.0.attn.bias",
        "gpt_neox.layers.3.attention.masked_bias",
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "inv_freq",
        "model.layers.1.self_attn.slope_rate",
        "model.layers.0.mlp.gate.e_score_correction_bias",
        "model.layers.0.mlp.act_fn.beta",
        "layer1.0.bn1.running_mean",
        "pos_encoder.pe",
    ],
)
def test_buffers_are_left_out_and_counted(name):
    found = contents_of({"w": stored(), name: stored(seed=2)}, FILE)
    assert found.names == ("w",)
    assert found.left_out == {"buffer": (name,)}


@pytest.mark.parametrize(
    "name",
    ["layers.0.attention.dense.bias", "h.0.attn.c_attn.bias", "beta", "norm.bias", "router.bias", "mask_token", "pe"],
)
def test_parameters_that_sound_like_buffers_stay(name):
    assert contents_of({name: stored()}, FILE).names == (name,)


def test_integers_go_silently_but_are_counted():
    found = contents_of(many(w="float32", position="int64", seen="bool"), FILE)
    assert found.left_out == {"integers": ("position", "seen")}


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int8", "uint8"])
def test_half_of_a_quantised_model_is_refused(dtype):
    tensors = many(embed__weight="bfloat16", layers__0__q="float32") | {
        "layers.0.weight": stored(dtype=dtype, seed=9)
    }
    with pytest.raises(InputError, match=rf"is quantised: {dtype} in 'layers\.0\.weight'"):
        contents_of(tensors, FILE)


@pytest.mark.parametrize("name", ["layers.0.qweight", "layers.0.SCB", "layers.0.weight_packed"])
def test_packed_weights_are_refused_whatever_their_type(name):
    with pytest.raises(InputError, match="is quantised: packed weights"):
        contents_of({"w": stored(), name: stored(dtype="int32", seed=2)}, FILE)


def test_masks_of_bytes_are_no_quantised_weights():
    found = contents_of({"w": stored(), "h.0.attn.bias": stored(dtype="uint8", seed=2)}, FILE)
    assert found.left_out == {"buffer": ("h.0.attn.bias",)}


def test_an_empty_part_is_refused():
    with pytest.raises(InputError, match=r"no entries of 'a' and 1 more: .* partitioned"):
        contents_of({"a": stored((0,)), "b": stored((0, 3), seed=2), "c": stored(seed=3)}, FILE)


def test_an_unknown_type_is_refused():
    with pytest.raises(InputError, match=r"holds 'complex64' in 'spectrum'"):
        contents_of({"w": stored(), "spectrum": stored(dtype="complex64", seed=2)}, FILE)


@pytest.mark.parametrize(
    "order", [("lm_head.weight", "model.embed_tokens.weight")] * 1 + [("wte.weight", "head.weight")]
)
@pytest.mark.parametrize("as_view", [True, False])
def test_a_tied_output_counts_once_under_the_name_of_the_embedding(order, as_view):
    tensors = {name: stored((50, 4), seed=1, offset=1 if as_view else 1 + 900 * i) for i, name in enumerate(order)}
    found = contents_of(tensors, FILE)
    embedding = next(name for name in order if "embed" in name or "wte" in name)
    assert found.names == (embedding,)
    assert found.left_out["tied"] == (f"{next(name for name in order if name != embedding)} (is {embedding})",)


def test_layers_that_start_equal_are_not_tied():
    tensors = {f"layers.{i}.weight": stored((4, 4), seed=1, offset=1 + 100 * i) for i in range(3)}
    assert contents_of(tensors, FILE).names == tuple(tensors)


def test_patterns_decide_first_also_within_a_quantised_file():
    tensors = {"w": stored(), "v": stored(seed=2), "q.weight": stored(dtype="int8", seed=3)}
    found = contents_of(tensors, FILE, Evidence(patterns=lambda names: ["v"], manifest=["w"]))
    assert (found.names, found.rule) == (("v",), PATTERNS)
    assert found.left_out == {"not chosen": ("w", "q.weight")}


def evidence(rule, *names):
    return Evidence(manifest=names) if rule == MANIFEST else Evidence(gradients=names)


@pytest.mark.parametrize(("rule", "words"), [(MANIFEST, "manifest names"), (GRADIENTS, "gradients of its run have")])
def test_what_the_run_says_decides_and_must_all_be_there(rule, words):
    tensors = {"w": stored(), "v": stored(seed=2)}
    found = contents_of(tensors, FILE, evidence(rule, "v"))
    assert (found.names, found.rule, found.left_out) == (("v",), rule, {"not chosen": ("w",)})
    with pytest.raises(InputError, match=rf"lacks 'u', which .*{words}"):
        contents_of(tensors, FILE, evidence(rule, "v", "u"))


def test_a_file_without_parameters_is_refused():
    with pytest.raises(InputError, match="no parameters"):
        contents_of(many(a="int64"), FILE)


def test_a_bias_named_as_a_mask_is_told_by_its_shape(tmp_path):
    tensors = {
        "layers.0.attention.weight": np.ones((4, 4), np.float32),
        "layers.0.attention.bias": np.ones(4, np.float32),
        "layers.1.attention.bias": np.ones((1, 1, 4, 4), np.float32),
        "layers.1.attention.masked_bias": np.ones((), np.float32),
    }
    save_safetensors(tensors, tmp_path / "model.safetensors")
    found = contents_of(open_tensors(tmp_path / "model.safetensors"), "it")
    assert set(found.names) == {"layers.0.attention.weight", "layers.0.attention.bias"}
