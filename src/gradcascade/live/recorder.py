"""Records a live model's gradients, checkpoints and evaluations in Pico's layout and file formats."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.files import staged
from gradcascade.live.parameters import parameters_of, some_of
from gradcascade.live.synchronisation import Synchronisation
from gradcascade.probe.tensor import refuse_part
from gradcascade.sources.manifest import FILE, read_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

PICO_PATTERNS = ("layers.*.attention.v_proj", "layers.*.attention.o_proj", "layers.*.swiglu.w_2")
"""The 36 tensors that Pico-LM records."""


class Recorder:
    """Writes what the measurement needs, from any training loop in PyTorch.

    Beside the snapshots it writes ``manifest.json`` (names, shapes, which parameters are trained, tied, and part of
    the fields), which `gradcascade measure` reads, so a recorded folder needs no options. At the steps of interest::

        recorder = Recorder("runs/mine", model, patterns=["attn.c_proj", "mlp.c_proj"])
        for step, batch in enumerate(batches):
            if step % 100 == 0:
                recorder.record_checkpoint(step)
            loss(model, batch).backward()
            if step % 100 == 0:
                recorder.record_gradients(step)    # before clipping and before the optimizer's step
            ...

    Parameters
    ----------
    folder : pathlib.Path or str
        Folder of the run; made if needed.
    model : torch.nn.Module
        The model that is being trained. Wrappers (DDP, `torch.compile`, activation checkpointing) are taken off the
        names. Frozen parameters are left out of the fields, with one warning; tied ones count once.
    patterns : sequence of str, optional
        Which parameters make up the fields, gradients and updates alike: those whose names, with or without a final
        ``.weight``, end like one of these (``*`` stands for anything). By default all trainable parameters.

    Raises
    ------
    InputError
        If a pattern matches no parameter of the model, the folder cannot be made or holds a run of other tensors, or
        this process holds only its part of the model (FSDP, tensor parallel, ZeRO-3).
    """

    def __init__(self, folder: Path | str, model: nn.Module, patterns: Sequence[str] | None = None) -> None:
        self.folder = Path(folder)
        found = parameters_of(model, patterns)
        self._stored, self._field = found.stored, found.field
        self._last: tuple[float, ...] | None = None
        self._warned: set[str] = set()
        self._synchronisation = Synchronisation(model)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be made ({error.strerror}); choose a folder where you may write"
            ) from None
        known = read_manifest(self.folder)
        if known is None and (self.folder / FILE).exists():
            raise InputError(f"{self.folder / FILE} is another program's; record into a folder of its own")
        if known is None:
            self._write(self.folder / FILE, found.manifest.text().encode())
        elif not known.same_tensors(found.manifest):
            raise InputError(
                f"{self.folder} was recorded from other tensors ({len(known.field)} in its fields, now "
                f"{len(self._field)}, or others of them); give every model and choice a folder of its own"
            )
        if found.frozen:
            verb = "is" if len(found.frozen) == 1 else "are"
            self._warn("frozen", f"{some_of(found.frozen)} {verb} frozen and left out of the fields")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters whose gradients are recorded, in file order."""
        return tuple(self._field)

    def record_gradients(self, step: int, *, loss_scale: float = 1.0) -> Path:
        """Write the gradients as they are now, float32, to ``train_gradients.pt`` of this step, and give that file.

        ``step`` counts the optimizer steps made so far. ``loss_scale`` is a factor that is still in the gradients,
        such as ``scaler.get_scale()`` before ``scaler.unscale_(optimizer)``; gradients are divided by it. A parameter
        that the batch did not use enters as zeros, so that N is the same at every step; a warning says so once, and
        also if every gradient is zero or the very one recorded before. InputError if no parameter has a gradient, one
        is sharded over processes or was not averaged over them, or the file cannot be written.
        """
        import torch

        if not self._synchronisation.averages:
            raise InputError(
                f"the gradients of step {step} are this process's own: the last forward pass ran within no_sync(); "
                "record after a pass that averages them"
            )
        missing = tuple(name for name, parameter in self._field.items() if parameter.grad is None)
        if len(missing) == len(self._field):
            raise InputError(
                f"no parameter has a gradient at step {step}; record gradients after backward() and before they are "
                "cleared (an optimizer that steps within backward() clears them too early)"
            )
        if missing:
            self._warn("missing", f"{some_of(missing)} had no gradient at step {step} and entered as zeros")
        gradients = {name: _gradient(name, parameter, loss_scale) for name, parameter in self._field.items()}
        self._warn_if_stale(step, gradients)
        path = self._step(step) / "learning_dynamics" / "train_gradients.pt"
        with staged(path, self.folder) as target:
            torch.save(gradients, target)
        return path

    def record_checkpoint(self, step: int) -> Path:
        """Write all parameters, in their own types, to ``model.safetensors`` of this step, and give that file.

        A parameter that is used in two places is written once, and buffers are left out. InputError if a parameter is
        sharded over processes, or the file cannot be written.
        """
        from safetensors.torch import save

        for name, parameter in self._stored.items():
            refuse_part(name, parameter)
        content = save({name: parameter.detach().cpu().contiguous() for name, parameter in self._stored.items()})
        return self._write(self._step(step) / "model.safetensors", content)

    def record_evaluation(self, step: int, values: Mapping[str, float]) -> Path:
        """Write numbers of this step by name, such as held-out perplexities, to ``eval_results/step_N.json``."""
        content = json.dumps({name: float(value) for name, value in values.items()})
        return self._write(self.folder / "eval_results" / f"step_{step}.json", content.encode())

    def _step(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step_{step}"

    def _write(self, path: Path, content: bytes) -> Path:
        with staged(path, self.folder) as target:
            target.write_bytes(content)
        return path

    def _warn(self, kind: str, sentence: str) -> None:
        """Say something once for this recorder."""
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(f"{self.folder.name}: {sentence}", stacklevel=3)

    def _warn_if_stale(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        """Warn of zeros everywhere, or of the numbers recorded last time: the loop is in the wrong order."""
        sums = tuple(float(values.double().abs().sum()) for values in gradients.values())
        if not any(sums):
            self._warn("zero", f"every gradient is zero at step {step}; record before zero_grad()")
        elif sums == self._last:
            self._warn("same", f"the gradients of step {step} are the last ones again; was backward() called since?")
        self._last = sums


def _gradient(name: str, parameter: nn.Parameter, loss_scale: float) -> Tensor:
    """A copy of the gradient, dense, contiguous, float32 on the CPU; zeros if there is no gradient."""
    import torch

    gradient = parameter.grad
    if gradient is None:
        return torch.zeros(parameter.shape, dtype=torch.float32)
    refuse_part(name, gradient)
    gradient = gradient.detach()
    if gradient.layout != torch.strided:
        gradient = gradient.to_dense()
    # clone: a view would be saved with the whole of the storage behind it
    values = gradient.to("cpu", torch.float32).resolve_neg().clone(memory_format=torch.contiguous_format)
    return values if loss_scale == 1.0 else values / loss_scale
