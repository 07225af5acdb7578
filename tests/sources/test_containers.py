from pathlib import Path

import pytest

from gradcascade.errors import InputError
from gradcascade.sources.containers import model_part
from gradcascade.sources.tensors import open_tensors

torch = pytest.importorskip("torch")


def saved(folder: Path, state):
    torch.save(state, folder / "ckpt.pt")
    return open_tensors(folder / "ckpt.pt")


def weights():
    return {"a.weight": torch.randn(3, 4), "a.bias": torch.randn(3)}


def moments():
    return {"state": {0: {"exp_avg": torch.randn(3, 4), "step": torch.tensor(5.0)}}, "param_groups": []}


def test_a_plain_state_is_the_model(tmp_path):
    part, others = model_part(saved(tmp_path, weights()), "it")
    assert (set(part), others) == ({"a.weight", "a.bias"}, ())


@pytest.mark.parametrize(
    ("key", "beside"),
    [
        ("model", {"optimizer": moments(), "iter_num": 5, "best_val_loss": torch.tensor(2.9), "config": {"n": 1}}),
        ("state_dict", {"optimizer_states": [moments()], "callbacks": {"best": torch.tensor(1.0)}, "epoch": 3}),
        ("module", {"lr_scheduler": {"last": torch.tensor(1.0)}}),
        ("model_state_dict", {"optimizer_state_dict": moments(), "rng_state": torch.zeros(9, dtype=torch.uint8)}),
    ],
)
def test_of_a_trainers_state_the_model_alone_is_taken(tmp_path, key, beside):
    values = weights()
    part, others = model_part(saved(tmp_path, {key: values} | beside), "it")
    assert {name: tensor.shape for name, tensor in part.items()} == {"a.weight": (3, 4), "a.bias": (3,)}
    assert len(others) + len(part) == len(open_tensors(tmp_path / "ckpt.pt"))


def test_dictionaries_without_a_trainers_names_are_one_model(tmp_path):
    part, others = model_part(saved(tmp_path, {"encoder": weights(), "decoder": weights()}), "it")
    assert set(part) == {f"{half}.a.{end}" for half in ("encoder", "decoder") for end in ("weight", "bias")}
    assert not others


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"model": weights(), "state_dict": weights()}, "each could be the model"),
        ({"model": weights(), "critic": weights()}, r"'critic\.a\.weight' beside 'model'"),
        ({"weights_of_mine": weights(), "optimizer": moments()}, "no dictionary named model"),
        ({"optimizer": moments()}, "and no model"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path, state, words):
    with pytest.raises(InputError, match=words):
        model_part(saved(tmp_path, state), "it")
