"""Whole gradients, parameters and optimizer states of a model, wherever their parts lie."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from gradcascade.errors import InputError
from gradcascade.live.parameters import some_of
from gradcascade.live.sharded import GatheredTensors, Meetings, tensors_for
from gradcascade.live.tensors import GRADIENT, PARAMETER, Tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Named = Iterator[tuple[str, "Tensor"]]

_MEETINGS: WeakKeyDictionary[nn.Module, Meetings] = WeakKeyDictionary()
"""Of every model: processes wait for each other at the first call, and not again."""


def full_gradients(model: nn.Module, patterns: Sequence[str] | None = None) -> Named:
    """Give the whole gradient of every parameter, one after another, on rank 0.

    For a plain model, DDP, FSDP (with ``use_orig_params=True``), FSDP2 and other DTensors, and DeepSpeed's ZeRO 1 to
    3. Call it on **all** ranks and use up the iterator on each; ranks other than 0 get nothing::

        gradients = dict(gc.full_gradients(model))
        if rank == 0:
            print(gc.Probe()(gradients).v_rel)

    Call it after ``backward()`` and before gradients are cleared; with DeepSpeed between ``engine.backward`` and
    ``engine.step``, whose loss scale is taken out. A trainable parameter without a gradient gives zeros, with a
    warning; frozen ones are left out.

    Parameters
    ----------
    model : torch.nn.Module
        The model as it is trained, with its wrappers, which are taken off the names. Tied parameters come once.
    patterns : sequence of str, optional
        Which parameters, as for :class:`gradcascade.Recorder`.

    Yields
    ------
    tuple of str and torch.Tensor
        Name and gradient of the parameter's whole shape, in the order of the model.

    Raises
    ------
    InputError
        If nothing has a gradient, a tensor cannot be made whole, or not all ranks call it; it says what to do.
    """
    tensors = _tensors(model, None, patterns)
    now = tensors.describe()
    names = tuple(now.field)
    missing = []
    for name, gradient in tensors.take(GRADIENT, names):
        if not tensors.measures:
            continue
        if gradient is None:
            import torch

            missing.append(name)
            gradient = torch.zeros(now.shapes[name])
        yield name, gradient.detach()
    if len(missing) == len(names):
        raise InputError(
            "no parameter has a gradient; call full_gradients after backward() and before gradients are cleared"
        )
    if missing:
        warnings.warn(f"{some_of(missing)} had no gradient and became zeros", stacklevel=2)


def full_parameters(model: nn.Module, patterns: Sequence[str] | None = None) -> Named:
    """Give every trained parameter whole, one after another, on rank 0; call it on all ranks.

    As :func:`full_gradients`. With DeepSpeed they are the float32 ones that its optimizer steps.
    """
    tensors = _tensors(model, None, patterns)
    for name, parameter in tensors.take(PARAMETER, tuple(tensors.describe().field)):
        if tensors.measures:
            yield name, parameter.detach()


def full_states(model: nn.Module, optimizer: Any, key: str, patterns: Sequence[str] | None = None) -> Named:
    """Give what the optimizer keeps of every parameter under a key such as ``"exp_avg"``, whole, on rank 0.

    As :func:`full_gradients`. InputError if the optimizer keeps nothing of that name, as before its first step.
    """
    tensors = _tensors(model, optimizer, patterns)
    names = tuple(tensors.describe().field)
    if key not in (known := tensors.state_keys()):
        raise InputError(f"the optimizer keeps no {key!r}; it keeps {', '.join(sorted(known)) or 'nothing so far'}")
    for name, state in tensors.take(key, names):
        if tensors.measures and state is not None:
            yield name, state.detach()


def _tensors(model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> Tensors:
    tensors = tensors_for(model, optimizer, patterns)
    if isinstance(tensors, GatheredTensors):
        tensors.meetings = _MEETINGS.setdefault(model, tensors.meetings)
    return tensors
