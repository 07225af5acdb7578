"""Checkpoints of many architectures, saved by transformers: N is the number of parameters, tied ones once."""

import json
import warnings

import pytest

from gradcascade.sources.parameters import VERIFIED, Evidence, contents_of
from gradcascade.sources.tensors import open_tensors

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.alone, pytest.mark.filterwarnings("ignore")]

TINY = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=64,
    vocab_size=101,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
ARCHITECTURES = [
    "apertus",
    "arcee",
    "bert",
    "biogpt",
    "bitnet",
    "bloom",
    "cohere",
    "cohere2",
    "diffllama",
    "electra",
    "exaone4",
    "falcon",
    "falcon_mamba",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gemma4_unified_text",
    "glm",
    "glm4",
    "gpt2",
    "gpt_bigcode",
    "gpt_neox",
    "gpt_neox_japanese",
    "granite",
    "granitemoe",
    "llama",
    "mamba",
    "minimax",
    "mistral",
    "mixtral",
    "mpt",
    "nemotron",
    "olmo",
    "olmo2",
    "olmoe",
    "openai-gpt",
    "opt",
    "persimmon",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "roberta",
    "rwkv",
    "smollm3",
    "stablelm",
    "starcoder2",
    "xglm",
    "xlm",
]


def test_the_architectures_that_are_called_verified_are_more_than_these():
    assert len(ARCHITECTURES) >= 40
    assert set(ARCHITECTURES) <= VERIFIED


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_n_is_the_number_of_parameters(name, tmp_path):
    names = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    torch.manual_seed(0)
    model = getattr(transformers, names[name])(transformers.AutoConfig.for_model(name, **TINY))
    wanted = sum(parameter.numel() for parameter in model.parameters())
    model.save_pretrained(tmp_path)
    state = model.state_dict()
    torch.save(state, tmp_path / "views.bin")
    torch.save({key: value.clone() for key, value in state.items()}, tmp_path / "copies.bin")
    said = json.loads((tmp_path / "config.json").read_text())["model_type"]
    for file in ("model.safetensors", "views.bin", "copies.bin"):
        tensors = open_tensors(tmp_path / file)
        found = contents_of(tensors, tmp_path / file, Evidence(model_type=said))
        assert sum(tensors[key].size for key in found.names) == wanted, (file, found.left_out)
        assert found.certain
