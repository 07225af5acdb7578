"""A trainer's whole state in one file: which of its dictionaries is the model."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from gradcascade.errors import InputError
from gradcascade.sources.parameters import is_buffer
from gradcascade.sources.stored import FLOATS, StoredTensor, shown

MODEL = ("model", "state_dict", "module", "model_state_dict", "model_state", "network", "net", "params")
"""Keys that hold the model: nanoGPT and Megatron, Lightning, DeepSpeed, common habits."""

TRAINER = "trainer state"
"""Why everything beside the model is left out."""

_STATE = (
    "*optim*", "*sched*", "*scaler*", "callbacks", "loops", "hparams*", "hyper_parameters", "*config*", "args",
    "model_args", "rng*", "*_rng*", "train_state", "trainer*", "dataloader*", "*loader*", "*sampler*", "progress",
    "metrics", "buffer_names", "param_shapes", "frozen_param*", "shared_params", "datamodule*", "ema*", "*_ema",
    "iter_num", "step", "global_step", "epoch",
)  # fmt: skip


def model_part(tensors: Mapping[str, StoredTensor], where: str) -> tuple[dict[str, StoredTensor], tuple[str, ...]]:
    """The model's tensors under their own names, and the names of everything else the trainer kept beside them.

    Refused where two dictionaries could be the model, or tensors lie beside it of which nothing is known.
    """
    groups = dict.fromkeys(tensor.group for tensor in tensors.values())
    models = [group for group in groups if group in MODEL]
    others = [group for group in groups if group and group not in models]
    state = [group for group in others if any(fnmatch.fnmatchcase(group.lower(), pattern) for pattern in _STATE)]
    if not models and not state:
        return dict(tensors), ()
    if not models:
        floating = [name for name, tensor in tensors.items() if tensor.dtype in FLOATS and tensor.group not in state]
        if not floating:
            raise InputError(
                f"{where} holds a trainer's state ({', '.join(map(shown, state))}) and no model; name the file with "
                "the weights"
            )
        if flat := _flat_model(tensors, state):
            return flat
        raise InputError(
            f"{where} holds {shown(floating[0])} beside a trainer's {shown(state[0])}, and no dictionary named "
            f"{' or '.join(MODEL[:4])}; choose the tensors to measure by patterns"
        )
    if len(models) > 1:
        raise InputError(
            f"{where} holds {' and '.join(map(shown, models))}, and each could be the model; choose the tensors of "
            f"one, for example '{models[0]}.*'"
        )
    unknown = [
        name
        for name, tensor in tensors.items()
        if tensor.group not in (*models, *state) and tensor.dtype in FLOATS and tensor.size > 1
    ]
    if unknown:
        raise InputError(
            f"{where} holds {shown(unknown[0])} beside {shown(models[0])}, and it is not known whether that is part "
            "of the model; choose the tensors to measure by patterns"
        )
    start = f"{models[0]}."
    chosen = {name.removeprefix(start): tensor for name, tensor in tensors.items() if tensor.group == models[0]}
    return chosen, tuple(name for name, tensor in tensors.items() if tensor.group != models[0])


def _flat_model(
    tensors: Mapping[str, StoredTensor], state: Sequence[str]
) -> tuple[dict[str, StoredTensor], tuple[str, ...]] | None:
    """The model where it lies beside the trainer's dictionaries, as torchtitan writes it.

    The optimizer's state there is by the parameters' names, which tells that these tensors are the model.
    """
    if any(tensor.group and tensor.group not in state for tensor in tensors.values()):
        return None
    flat = {name: tensor for name, tensor in tensors.items() if not tensor.group}
    beside = tuple(name for name, tensor in tensors.items() if tensor.group)
    trained = {name for name in flat if any(f".{name}." in other for other in beside)}
    doubtful = [name for name in flat if name not in trained and flat[name].dtype in FLOATS and not is_buffer(name)]
    return None if doubtful else (flat, beside)
