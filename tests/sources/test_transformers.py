"""Checkpoints that the transformers library itself writes."""

import warnings

import numpy as np
import pytest

from gradcascade import families
from gradcascade.sources.folder import discover

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    transformers = pytest.importorskip("transformers")

SHAPES = {
    "14m": (128, 6, 4),
    "31m": (256, 6, 8),
    "70m": (512, 6, 8),
    "160m": (768, 12, 12),
    "410m": (1024, 24, 16),
}
"""Width, layers and heads in the published configurations (arXiv:2304.01373)."""


def configuration(width, layers, heads, vocabulary=50_304, **more):
    return transformers.GPTNeoXConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        vocab_size=vocabulary,
        tie_word_embeddings=False,
        **more,
    )


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Two sizes of Pythia's shape, three steps each: a file, shards, and half precision."""
    folder = tmp_path_factory.mktemp("neox")
    torch.manual_seed(5)
    models = {}
    for scale, width in (("tiny", 16), ("small", 32)):
        model = transformers.GPTNeoXForCausalLM(configuration(width, 3, 4, 96, max_position_embeddings=64))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        tokens = torch.arange(40).reshape(2, 20) % 96
        kept = {}
        for step in (0, 1, 2):
            model.save_pretrained(
                folder / f"neox-{scale}" / f"step{step}", max_shard_size="5KB" if step == 1 else "1GB"
            )
            kept[step] = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
            optimizer.zero_grad()
            model(input_ids=tokens, labels=tokens).loss.backward()
            optimizer.step()
        models[scale] = kept
    return folder, models


def test_updates_are_the_differences_of_the_models_own_parameters(family):
    folder, models = family
    assert (folder / "neox-tiny" / "step1" / "model.safetensors.index.json").is_file()
    snapshots = discover(folder, fields=("update",)).snapshots()
    assert [(s.scale, s.step) for s in snapshots] == [("small", 1), ("small", 2), ("tiny", 1), ("tiny", 2)]
    for snapshot in snapshots:
        before, after = (models[snapshot.scale][step] for step in (snapshot.step - 1, snapshot.step))
        field = snapshot.load()
        assert field.dtype == np.float32 and field.size == sum(values.size for values in after.values())
        # The order is the file's, which is the library's business; the values are the model's.
        expected = np.concatenate([(after[name] - before[name]).ravel() for name in after])
        assert np.array_equal(np.sort(field), np.sort(expected))


def test_buffers_of_older_releases_do_not_count(family, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder, models = family
    for step in (0, 2):
        tensors = load_file(folder / "neox-tiny" / f"step{step}" / "model.safetensors")
        for layer in range(3):
            prefix = f"gpt_neox.layers.{layer}.attention"
            tensors[f"{prefix}.bias"] = np.tril(np.ones((1, 1, 64, 64), dtype=bool))
            tensors[f"{prefix}.masked_bias"] = np.array(-1e9, dtype=np.float32)
            tensors[f"{prefix}.rotary_emb.inv_freq"] = np.full(2, step, dtype=np.float32)
        target = tmp_path / "neox-tiny" / f"step{step}"
        target.mkdir(parents=True)
        save_file(tensors, target / "model.safetensors")
    (snapshot,) = discover(tmp_path, fields=("update",)).snapshots()
    parameters = models["tiny"][2]
    assert snapshot.load().size == sum(values.size for values in parameters.values())


def test_half_precision_is_widened_before_it_is_subtracted(family, tmp_path):
    folder, _ = family
    for step in (0, 2):
        model = transformers.GPTNeoXForCausalLM.from_pretrained(folder / "neox-tiny" / f"step{step}")
        model.to(torch.bfloat16).save_pretrained(tmp_path / "neox-tiny" / f"step{step}")
    (snapshot,) = discover(tmp_path, fields=("update",)).snapshots()
    ends = [
        transformers.GPTNeoXForCausalLM.from_pretrained(tmp_path / "neox-tiny" / f"step{step}", dtype=torch.bfloat16)
        for step in (0, 2)
    ]
    pairs = zip(*(model.parameters() for model in ends), strict=True)
    expected = np.concatenate([(after.float() - before.float()).detach().numpy().ravel() for before, after in pairs])
    assert np.array_equal(np.sort(snapshot.load()), np.sort(expected))


@pytest.mark.parametrize("scale", SHAPES)
def test_entries_of_the_published_sizes_follow_from_their_configurations(scale):
    width, layers, heads = SHAPES[scale]
    with torch.device("meta"):
        model = transformers.GPTNeoXForCausalLM(configuration(width, layers, heads))
    entries = sum(parameter.numel() for parameter in model.parameters())
    assert entries == families.family("pythia").entries[scale]
