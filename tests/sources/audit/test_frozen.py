"""Tensors that nothing trains are reported, and a trainer's whole state is audited as the model in it."""

import torch

from gradcascade.sources.audit import audit_family
from gradcascade.sources.folder import discover


def write(folder, *, frozen: bool) -> None:
    for step in range(4):
        rng = torch.Generator().manual_seed(step)
        state = {f"h.{i}.w": torch.randn(40, 40, generator=rng) for i in range(3)}
        state["wte.weight"] = torch.ones(9, 40) if frozen else torch.randn(9, 40, generator=rng)
        path = folder / f"step_{step}" / "ckpt.pt"
        path.parent.mkdir(parents=True)
        torch.save({"model": state, "optimizer": {"exp_avg": torch.randn(9)}, "iter_num": step}, path)


def findings(folder):
    return [finding for finding in audit_family(folder).findings if finding.code in ("frozen", "unreadable")]


def test_a_tensor_that_never_changes_is_reported_and_can_be_left_out(tmp_path):
    write(tmp_path, frozen=True)
    (found,) = findings(tmp_path)
    assert (found.code, found.severity) == ("frozen", "note")
    assert found.evidence.data() == {"tensors": ["wte.weight"], "entries": 360, "of_entries": 5160}
    assert "never changes from step 0 to step 3" in found.sentence
    assert "--tensors '!wte.weight'" in found.sentence
    (first, *_) = discover(tmp_path, select=["!wte.weight"]).snapshots()
    assert first.load().size == 4800


def test_trained_tensors_are_not(tmp_path):
    write(tmp_path, frozen=False)
    assert findings(tmp_path) == []
