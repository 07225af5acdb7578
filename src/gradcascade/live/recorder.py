"""Records a live model's gradients, checkpoints and evaluations in Pico's layout and file formats."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.files import staged
from gradcascade.live.arriving import ArrivingGradients
from gradcascade.live.fields import FieldMaker
from gradcascade.live.parameters import ModelParameters, some_of
from gradcascade.live.scaling import factor_of, scaler_in_use
from gradcascade.live.sharded import tensors_for
from gradcascade.live.synchronisation import Synchronisation
from gradcascade.live.tensors import GRADIENT, PARAMETER
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

    Where several processes train one model (DDP, FSDP with ``use_orig_params=True``, FSDP2 and other DTensors,
    DeepSpeed's ZeRO), make and call it on **all** ranks: whole tensors are gathered to rank 0, whose memory must hold
    them, and which alone writes.

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
        If a pattern matches no parameter of the model, the folder cannot be made or holds a run of other tensors,
        this process holds only its part of the model and nothing gathers it (Megatron, FSDP without
        ``use_orig_params=True``), or not all ranks make it.
    """

    def __init__(self, folder: Path | str, model: nn.Module, patterns: Sequence[str] | None = None) -> None:
        self.folder = Path(folder)
        self._tensors = tensors_for(model, None, patterns)
        self._writes = self._tensors.measures
        found = self._tensors.describe()
        self._maker = FieldMaker(self._tensors, found.description("file"))
        self._stored = tuple(found.stored)
        self._last: tuple[float, ...] | None = None
        self._warned: set[str] = set()
        self._frozen: list[str] = []
        self._looked = False
        self._synchronisation = Synchronisation(model)
        if self._writes:
            self._begin(found)

    def _begin(self, found: ModelParameters) -> None:
        """Make the folder with its manifest, or check that it is of the same tensors."""
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
                f"{len(found.field)}, or others of them); give every model and choice a folder of its own"
            )
        if found.frozen:
            verb = "is" if len(found.frozen) == 1 else "are"
            self._warn("frozen", f"{some_of(found.frozen)} {verb} frozen and left out of the fields")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters whose gradients are recorded, in file order."""
        return self._maker.names

    def record_gradients(self, step: int, *, loss_scale: Any = None) -> Path:
        """Write the gradients as they are now, float32, to ``train_gradients.pt`` of this step, and give that file.

        ``step`` counts the optimizer steps made so far. ``loss_scale`` is a factor that is still in the gradients,
        which are divided by it, or the ``GradScaler``, which knows it before and after ``scaler.unscale_``; without
        it, a warning says so once where a scaler is seen in use. A parameter that the batch did not use enters as
        zeros, so that N is the same at every step, and so does one that is frozen by now; a warning says so once, and
        also if every gradient is zero or the very one recorded before. InputError if no parameter has a gradient,
        gradients were not averaged over processes, not all ranks call it where the model is sharded, or the file
        cannot be written.
        """
        if not self._synchronisation.averages:
            raise InputError(
                f"the gradients of step {step} are this process's own: the last forward pass ran within no_sync(); "
                "record after a pass that averages them"
            )
        factor = self._factor(loss_scale)
        now = self._tensors.describe()
        self._maker.check(now)
        self._warn_of_frozen(now, step)
        return self.write_gradients(step, self._tensors.take(GRADIENT, self.names), factor)

    @contextmanager
    def within_backward(self, step: int, *, loss_scale: Any = None) -> Iterator[None]:
        """Record gradients as they arrive, for optimizers that step within backward and clear them.

        In place of `record_gradients`: ``with recorder.within_backward(step): loss.backward()``. In a training of one
        process; the hooks are there within this block alone.
        """
        factor = self._factor(loss_scale)
        self._maker.check(self._tensors.describe())
        hooks = ArrivingGradients(self._maker, [FIELD_KINDS["gradient"]])
        try:
            yield
        finally:
            hooks.remove()
        for _, field, missing in hooks.fields(factor):
            self.write_gradients(step, self._maker.parts(field, missing))

    def write_gradients(self, step: int, gradients: Iterable[tuple[str, Any]], loss_scale: float = 1.0) -> Path:
        """Write gradients that were taken already, None for those that are missing, as `record_gradients` does."""
        import torch

        path = self._step(step) / "learning_dynamics" / "train_gradients.pt"
        missing, found = [], {}
        for name, gradient in gradients:  # used up on every process, since gathering takes them all
            if not self._writes:
                continue
            if gradient is None:
                missing.append(name)
            found[name] = _recorded(gradient, self._maker.shapes[name], loss_scale)
        if not self._writes:
            return path
        if len(missing) == len(self.names):
            raise InputError(
                f"no parameter has a gradient at step {step}; record gradients after backward() and before they are "
                "cleared (for an optimizer that steps within backward(): with recorder.within_backward(step): "
                "loss.backward())"
            )
        if missing := [name for name in missing if name not in self._frozen]:
            self._warn("missing", f"{some_of(missing)} had no gradient at step {step} and entered as zeros")
        self._warn_if_stale(step, found)
        with staged(path, self.folder) as target:
            torch.save(found, target)
        return path

    def record_checkpoint(self, step: int) -> Path:
        """Write all parameters, in their own types, to ``model.safetensors`` of this step, and give that file.

        A parameter that is used in two places is written once, and buffers are left out. With DeepSpeed they are the
        float32 ones that its optimizer steps. InputError if not all ranks call it where the model is sharded, or the
        file cannot be written.
        """
        from safetensors.torch import save

        path = self._step(step) / "model.safetensors"
        taken = self._tensors.take(PARAMETER, self._stored)
        found = {name: tensor.detach().cpu().contiguous() for name, tensor in taken if tensor is not None}
        return self._write(path, save(found)) if self._writes else path

    def record_evaluation(self, step: int, values: Mapping[str, float]) -> Path:
        """Write numbers of this step by name, such as held-out perplexities, to ``eval_results/step_N.json``."""
        content = json.dumps({name: float(value) for name, value in values.items()})
        path = self.folder / "eval_results" / f"step_{step}.json"
        return self._write(path, content.encode()) if self._writes else path

    def _step(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step_{step}"

    def _write(self, path: Path, content: bytes) -> Path:
        with staged(path, self.folder) as target:
            target.write_bytes(content)
        return path

    def _factor(self, loss_scale: Any) -> float:
        """The factor that is in the gradients."""
        if loss_scale is not None:
            return factor_of(loss_scale)
        if not self._looked:
            self._looked = True
            if scale := scaler_in_use():
                self._warn(
                    "scaler",
                    f"a GradScaler is in use with the scale {scale:g}, and gradients are recorded as they are; pass "
                    "loss_scale=scaler, or loss_scale=1.0 if it is not of this model",
                )
        return 1.0

    def _warn_of_frozen(self, now: ModelParameters, step: int) -> None:
        """Note and say which parameters of the fields are frozen by now."""
        self._frozen = frozen = [name for name in self.names if not now.stored[name].requires_grad]
        if frozen:
            verb = "is" if len(frozen) == 1 else "are"
            self._warn(
                f"frozen {frozen}",
                f"{some_of(frozen)} {verb} frozen at step {step}, and in the fields as zeros, so that N stays; "
                "record into another folder to leave them out",
            )

    def _warn(self, kind: str, sentence: str) -> None:
        """Say something once for this recorder, at the line of the training that called it."""
        if kind not in self._warned:
            self._warned.add(kind)
            frame, level = sys._getframe(1), 2
            while frame.f_back and frame.f_globals.get("__name__", "").startswith(("gradcascade.", "contextlib")):
                frame, level = frame.f_back, level + 1
            warnings.warn(f"{self.folder.name}: {sentence}", stacklevel=level)

    def _warn_if_stale(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        """Warn of zeros everywhere, or of the numbers recorded last time: the loop is in the wrong order."""
        sums = tuple(float(values.double().abs().sum()) for values in gradients.values())
        if not any(sums):
            self._warn("zero", f"every gradient is zero at step {step}; record before zero_grad()")
        elif sums == self._last:
            self._warn("same", f"the gradients of step {step} are the last ones again; was backward() called since?")
        self._last = sums


def _recorded(gradient: Any, shape: tuple[int, ...], loss_scale: float) -> Tensor:
    """A copy of the gradient, dense, contiguous, float32 on the CPU; zeros if there is no gradient."""
    import torch

    if gradient is None:
        return torch.zeros(shape, dtype=torch.float32)
    gradient = gradient.detach()
    if gradient.layout != torch.strided:
        gradient = gradient.to_dense()
    # clone: a view would be saved with the whole of the storage behind it
    values = gradient.to("cpu", torch.float32).resolve_neg().clone(memory_format=torch.contiguous_format)
    return values if loss_scale == 1.0 else values / loss_scale
