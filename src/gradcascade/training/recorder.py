"""The recorder: writes what a live model has at a step, in Pico's layout.

It needs nothing of this project's own training loop::

    recorder = Recorder("runs/my-run", model)
    loss.backward()
    recorder.record_gradients(step)      # before clipping
    recorder.record_checkpoint(step)     # theta at this step, before the optimizer moves it
    recorder.record_evaluation(step, {"perplexity": 31.5})
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

PICO_ENDINGS = ("attention.v_proj", "attention.o_proj", "swiglu.w_2")
"""The tensors whose gradients Pico-LM records, by the ending of their names."""

PICO_PREFIX = "_forward_module."
"""What Pico's wrapper puts before every name."""


class Recorder:
    """Records one run.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of the run; made if it does not exist.
    model : torch.nn.Module
        The model that is trained.
    endings : sequence of str
        Gradients are recorded of the parameters whose names, without ``.weight``, end in one of these.

    Raises
    ------
    InputError
        If no parameter has such a name.
    """

    def __init__(self, folder: str | Path, model: nn.Module, endings: Sequence[str] = PICO_ENDINGS) -> None:
        self.folder = Path(folder)
        self._model = model
        self._recorded = {
            name.removesuffix(".weight"): parameter
            for name, parameter in model.named_parameters()
            if name.removesuffix(".weight").endswith(tuple(endings))
        }
        if not self._recorded:
            raise InputError(f"the model has no parameter whose name ends in {' or '.join(endings)}; choose others")

    def gradients(self) -> dict[str, Tensor]:
        """Copies of the gradients as they are now, float32, in the order of the model.

        Raises
        ------
        InputError
            If a parameter has none.
        """
        import torch

        result = {}
        for name, parameter in self._recorded.items():
            if parameter.grad is None:
                raise InputError(
                    f"the parameter {name} has no gradient; record after backward() and before zero_grad()"
                )
            copy = torch.empty(parameter.shape, dtype=torch.float32)
            result[PICO_PREFIX + name] = copy.copy_(parameter.grad.detach())
        return result

    def record_gradients(self, step: int) -> Path:
        """Write the raw gradients of a step; call it after ``backward`` and before clipping."""
        import torch

        tensors = self.gradients()
        path = self._step_folder(step) / "learning_dynamics" / "train_gradients.pt"
        return replace_file(path, lambda scratch: torch.save(tensors, scratch))

    def record_checkpoint(self, step: int) -> Path:
        """Write all parameters of a step, before the optimizer moves them."""
        from safetensors.torch import save_file

        tensors = {
            name: tensor.detach().cpu().contiguous().clone() for name, tensor in self._model.state_dict().items()
        }
        path = self._step_folder(step) / "model.safetensors"
        return replace_file(path, lambda scratch: save_file(tensors, scratch))

    def record_evaluation(self, step: int, values: Mapping[str, float]) -> Path:
        """Write external performance numbers of a step, by name."""
        path = self.folder / "eval_results" / f"step_{step}.json"
        return replace_file(
            path, lambda scratch: scratch.write_text(json.dumps(dict(values)) + "\n", encoding="utf-8")
        )

    def _step_folder(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step_{step}"


def replace_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file as a whole, or not at all.

    Parameters
    ----------
    path : pathlib.Path
        File to make or replace; its folder is made if need be.
    write : callable
        Writes to the path it is given, which has the same name.

    Returns
    -------
    pathlib.Path
        ``path``.

    Raises
    ------
    InputError
        If the disk has no room or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
            scratch = Path(folder) / path.name  # the same name, because torch.save writes it into the file
            write(scratch)
            scratch.replace(path)
    except OSError as error:
        said = error.strerror or error
        raise InputError(f"{path} cannot be written: {said}; free space or choose another folder") from None
    return path
