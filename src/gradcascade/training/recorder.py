"""Records a live model's gradients, checkpoints and evaluations in Pico's layout and file formats."""

from __future__ import annotations

import difflib
import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.training.files import staged

if TYPE_CHECKING:
    from torch import nn

PICO_PATTERNS = ("layers.*.attention.v_proj", "layers.*.attention.o_proj", "layers.*.swiglu.w_2")
"""The 36 tensors that Pico-LM records."""

_WRAPPER = "_forward_module."
_WEIGHT = ".weight"


class Recorder:
    """Writes what the measurement needs, from any training loop in PyTorch.

    Parameters
    ----------
    folder : pathlib.Path or str
        Folder of the run; made if needed.
    model : torch.nn.Module
        The model that is being trained.
    patterns : sequence of str
        Which parameters make up the gradient field: those whose names, without a final ``.weight``, end like one of
        these (``*`` stands for anything). The order is that of the model.

    Raises
    ------
    InputError
        If a pattern matches no parameter of the model, or the folder cannot be made.

    Examples
    --------
    In a loop, at the steps of interest (``folder`` then measures as it is)::

        recorder = Recorder("runs/mine", model, patterns=["attn.c_proj", "mlp.c_proj"])
        for step, batch in enumerate(batches):
            if step % 100 == 0:
                recorder.record_checkpoint(step)
            loss(model, batch).backward()
            if step % 100 == 0:
                recorder.record_gradients(step)    # before clipping and before the optimizer's step
            ...
    """

    def __init__(self, folder: Path | str, model: nn.Module, patterns: Sequence[str] = PICO_PATTERNS) -> None:
        self.folder = Path(folder)
        self._model = model
        self._recorded = _matching(model, patterns)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be made ({error.strerror}); choose a folder where you may write"
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters whose gradients are recorded, in file order."""
        return tuple(self._recorded)

    def record_gradients(self, step: int) -> Path:
        """Write the gradients as they are now, float32, to ``train_gradients.pt`` of this step.

        Parameters
        ----------
        step : int
            Number of optimizer steps made so far.

        Returns
        -------
        pathlib.Path
            The file: a dict of contiguous tensors, keys behind Pico's wrapper prefix ``_forward_module.``.

        Raises
        ------
        InputError
            If a parameter has no gradient, or the file cannot be written.
        """
        import torch

        gradients = {}
        for name, parameter in self._recorded.items():
            if parameter.grad is None:
                raise InputError(
                    f"parameter {name} has no gradient at step {step}; "
                    "record gradients after backward() and before they are cleared"
                )
            gradient = parameter.grad.detach().to("cpu", torch.float32)
            # clone: a view would be saved with the whole of the storage behind it
            gradients[_WRAPPER + name.removesuffix(_WEIGHT)] = gradient.clone(memory_format=torch.contiguous_format)
        path = self._step(step) / "learning_dynamics" / "train_gradients.pt"
        with staged(path, self.folder) as target:
            torch.save(gradients, target)
        return path

    def record_checkpoint(self, step: int) -> Path:
        """Write all parameters, as they are now and in their own types, to ``model.safetensors`` of this step.

        Parameters
        ----------
        step : int
            Number of optimizer steps made so far.

        Returns
        -------
        pathlib.Path
            The file; a parameter that is used in two places is written once, and buffers are left out.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from safetensors.torch import save

        content = save({name: p.detach().cpu().contiguous() for name, p in self._model.named_parameters()})
        return self._write(self._step(step) / "model.safetensors", content)

    def record_evaluation(self, step: int, values: Mapping[str, float]) -> Path:
        """Write external numbers of this step, such as held-out perplexities, to ``eval_results/step_N.json``.

        Parameters
        ----------
        step : int
            Number of optimizer steps made so far.
        values : mapping of str to float
            Perplexity by data set.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        content = json.dumps({name: float(value) for name, value in values.items()})
        return self._write(self.folder / "eval_results" / f"step_{step}.json", content.encode())

    def _step(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step_{step}"

    def _write(self, path: Path, content: bytes) -> Path:
        with staged(path, self.folder) as target:
            target.write_bytes(content)
        return path


def _matching(model: nn.Module, patterns: Sequence[str]) -> dict[str, nn.Parameter]:
    parameters = dict(model.named_parameters())
    plain = {name: name.removesuffix(_WEIGHT) for name in parameters}
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, f"*{pattern}") for name in plain.values()):
            near = difflib.get_close_matches(pattern, plain.values(), 1, 0.0)
            hint = f"its names look like {near[0]!r}" if near else "it has none"
            raise InputError(f"no parameter of the model has a name that ends like {pattern!r}; {hint}")
    return {
        name: parameters[name]
        for name, short in plain.items()
        if any(fnmatch.fnmatchcase(short, f"*{pattern}") for pattern in patterns)
    }
