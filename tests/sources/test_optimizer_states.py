"""Momenta and directions of what optimizers of torch save: every way to name the parameters, or to number them."""

import json
import warnings

import numpy as np
import pytest

from gradcascade.errors import InputError
from gradcascade.sources import discover

torch = pytest.importorskip("torch")
dcp = pytest.importorskip("torch.distributed.checkpoint")

pytestmark = pytest.mark.alone

STEPS = 3


class Net(torch.nn.Module):
    """Parameters of one shape lie in several layers, and one is tied."""

    def __init__(self):
        super().__init__()
        self.wte = torch.nn.Embedding(11, 4)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(11))
        self.lm_head = torch.nn.Linear(4, 11, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, x):
        x = self.wte(x)
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.lm_head(x).square().sum()


def decayed(net):
    """Groups as nanoGPT makes them."""
    two, one = ([p for p in net.parameters() if (p.ndim > 1) == whether] for whether in (True, False))
    return [{"params": two, "weight_decay": 0.1}, {"params": one, "weight_decay": 0.0}]


def trained(make=lambda net: torch.optim.AdamW(decayed(net), 1e-2, betas=(0.8, 0.99), eps=1e-5)):
    torch.manual_seed(0)
    net = Net()
    optimizer = make(net)
    for step in range(STEPS):
        optimizer.zero_grad()
        net(torch.arange(5) + step).backward()
        optimizer.step()
    return net, optimizer


def of_kind(root, kind, **more):
    [ref] = discover(root, fields=[kind], **more).snapshots()
    assert (ref.step, ref.span) == (3, None)
    return ref


def momentum(net, optimizer, key="exp_avg"):
    return torch.cat([optimizer.state[p][key].reshape(-1) for p in net.parameters()]).numpy()


def direction(net, optimizer, beta1=0.8, beta2=0.99, eps=1e-5):
    """As torch's own formula, in double precision."""
    values = []
    for p in net.parameters():
        state = {key: value.double() for key, value in optimizer.state[p].items()}
        square = state.get("max_exp_avg_sq", state["exp_avg_sq"])
        root = (square / (1 - beta2 ** state["step"])).sqrt() + eps
        values.append((state["exp_avg"] / (1 - beta1 ** state["step"]) / root).float().reshape(-1))
    return torch.cat(values).numpy()


def named(net, optimizer, **options):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    return get_optimizer_state_dict(net, optimizer, options=StateDictOptions(**options))


def save_dcp(state, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(state, checkpoint_id=folder)


def nanogpt(root, net, optimizer):
    torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "iter_num": 3}, root / "ckpt_3.pt")


def lightning(root, net, optimizer):
    state = {"state_dict": net.state_dict(), "optimizer_states": [optimizer.state_dict()], "global_step": 3}
    torch.save(state, root / "epoch=0-step=3.ckpt")


def transformers(root, net, optimizer):
    (root / "checkpoint-3").mkdir()
    torch.save(net.state_dict(), root / "checkpoint-3" / "pytorch_model.bin")
    torch.save(optimizer.state_dict(), root / "checkpoint-3" / "optimizer.pt")


def fsdp_full(root, net, optimizer):
    (root / "step_3").mkdir()
    torch.save(net.state_dict(), root / "step_3" / "pytorch_model_fsdp.bin")
    torch.save(named(net, optimizer), root / "step_3" / "optimizer.bin")


def distributed(root, net, optimizer):
    save_dcp({"model": net.state_dict(), "optim": named(net, optimizer)}, root / "step-3")


def distributed_flat(root, net, optimizer):
    state = {"model": net.state_dict(), "optimizer": named(net, optimizer, flatten_optimizer_state_dict=True)}
    save_dcp(state, root / "step-3")


def distributed_beside(root, net, optimizer):
    save_dcp({"model": net.state_dict()}, root / "step_3" / "pytorch_model_fsdp_0")
    save_dcp({"optimizer": named(net, optimizer)}, root / "step_3" / "optimizer_0")


WRITERS = [nanogpt, lightning, transformers, fsdp_full, distributed, distributed_flat, distributed_beside]


@pytest.mark.parametrize("write", WRITERS)
def test_values_are_those_of_the_optimizer(tmp_path, write):
    net, optimizer = trained()
    write(tmp_path, net, optimizer)
    ref = of_kind(tmp_path, "momentum")
    names = [name for name, _ in ref.layout() or ()]
    assert names == [name for name, _ in net.named_parameters()]
    np.testing.assert_array_equal(ref.load(), momentum(net, optimizer))
    np.testing.assert_array_equal(of_kind(tmp_path, "direction").load(), direction(net, optimizer))


@pytest.mark.parametrize("write", WRITERS)
def test_the_momentum_of_sgd(tmp_path, write):
    net, optimizer = trained(lambda net: torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9))
    write(tmp_path, net, optimizer)
    np.testing.assert_array_equal(of_kind(tmp_path, "momentum").load(), momentum(net, optimizer, "momentum_buffer"))
    with pytest.raises(InputError, match="the optimizer keeps no exp_avg and exp_avg_sq and step of"):
        of_kind(tmp_path, "direction").load()


def test_the_largest_square_of_amsgrad(tmp_path):
    net, optimizer = trained(
        lambda net: torch.optim.AdamW(net.parameters(), betas=(0.8, 0.99), eps=1e-5, amsgrad=True)
    )
    nanogpt(tmp_path, net, optimizer)
    np.testing.assert_array_equal(of_kind(tmp_path, "direction").load(), direction(net, optimizer))


def test_other_rules_have_momenta_and_no_directions(tmp_path):
    for number, rule in enumerate((torch.optim.NAdam, torch.optim.RAdam)):
        root = tmp_path / str(number)
        root.mkdir()
        net, optimizer = trained(lambda net, rule=rule: rule(net.parameters()))
        nanogpt(root, net, optimizer)
        np.testing.assert_array_equal(of_kind(root, "momentum").load(), momentum(net, optimizer))
        with pytest.raises(InputError, match="another direction than Adam's follows from it"):
            of_kind(root, "direction").load()


def test_numbers_are_taken_for_names_only_where_the_shapes_tell_which(tmp_path):
    net, optimizer = trained()
    safetensors = pytest.importorskip("safetensors.torch")
    transformers(tmp_path, net, optimizer)
    state = {name: value for name, value in net.state_dict().items() if name != "lm_head.weight"}
    safetensors.save_file(state, tmp_path / "checkpoint-3" / "model.safetensors")
    (tmp_path / "checkpoint-3" / "pytorch_model.bin").unlink()
    with pytest.raises(
        InputError, match=r"optimizer\.pt: .*numbers for the parameters, not names, and the files of the"
    ):
        of_kind(tmp_path, "momentum").load()


def halves(net):
    everything = list(net.parameters())
    return [{"params": everything[:9]}, {"params": everything[9:]}]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda net: torch.optim.AdamW(halves(net)), "parameters like 'layers.0.weight', .* are in two groups"),
        (lambda net: torch.optim.AdamW(list(net.parameters())[::-1]), "shapes are not in the model's order at 'wte"),
        (lambda net: torch.optim.AdamW(list(net.parameters())[:-1]), "it has 22 of them and the model has 23"),
    ],
)
def test_another_order_than_the_models_is_refused(tmp_path, make, said):
    nanogpt(tmp_path, *trained(make))
    with pytest.raises(InputError, match=said):
        of_kind(tmp_path, "momentum").load()


def test_names_in_the_groups_need_no_order(tmp_path):
    reversed_names = lambda net: torch.optim.AdamW(list(net.named_parameters())[::-1])  # noqa: E731
    net, optimizer = trained(reversed_names)
    if "param_names" not in optimizer.state_dict()["param_groups"][0]:
        pytest.skip("this torch keeps no names")
    nanogpt(tmp_path, net, optimizer)
    np.testing.assert_array_equal(of_kind(tmp_path, "momentum").load(), momentum(net, optimizer))


def test_a_state_behind_a_link_costs_its_own_fields(tmp_path):
    net, optimizer = trained()
    root = tmp_path / "runs"
    root.mkdir()
    transformers(root, net, optimizer)
    path = root / "checkpoint-3" / "optimizer.pt"
    path.rename(tmp_path / "away.pt")
    path.symlink_to(tmp_path / "away.pt")
    with pytest.raises(InputError, match=r"optimizer\.pt is a symbolic link that leads out of"):
        of_kind(root, "momentum").load()
    np.testing.assert_array_equal(of_kind(root, "momentum", links=True).load(), momentum(net, optimizer))


def test_a_parameter_that_has_no_state_can_be_left_out(tmp_path):
    net, optimizer = trained(lambda net: torch.optim.AdamW(list(net.named_parameters())[1:]))
    fsdp_full(tmp_path, net, optimizer)
    with pytest.raises(InputError, match=r"holds nothing of 'wte\.weight'.*--tensors '!wte\.weight'"):
        of_kind(tmp_path, "momentum").load()
    found = of_kind(tmp_path, "momentum", select=["!wte.weight"]).load()
    kept = [optimizer.state[p]["exp_avg"].reshape(-1) for p in list(net.parameters())[1:]]
    np.testing.assert_array_equal(found, torch.cat(kept).numpy())


def test_measure_and_dry_run_take_them(tmp_path):
    from typer.testing import CliRunner

    import gradcascade as gc
    from gradcascade.cli.main import app

    net, optimizer = trained()
    runs = tmp_path / "runs"
    runs.mkdir()
    nanogpt(runs, net, optimizer)
    asked = ["measure", str(runs), "--out", str(tmp_path / "study"), "--nulls", "", "--fields", "momentum,direction"]
    said = CliRunner().invoke(app, [*asked, "--dry-run", "--json"], catch_exceptions=False).stdout
    n = sum(p.numel() for p in net.parameters())
    assert {row["field"]: row["entries"] for row in json.loads(said)["contents"]} == {"momentum": n, "direction": n}
    CliRunner().invoke(app, asked, catch_exceptions=False)
    with gc.Study.open(tmp_path / "study") as study:
        rows = study.cascades()
    assert rows.filter(field="direction")["n"].to_list() == [n]
    [row] = rows.filter(field="momentum").iter_rows(named=True)
    kept = {name: optimizer.state[p]["exp_avg"].reshape(-1) for name, p in net.named_parameters()}
    cascade = gc.Probe()(torch.cat([kept[name] for name in gc.canonical_order(list(kept))]).numpy())
    assert (row["n"], row["size"], row["duration"]) == (n, cascade.size, cascade.duration)


def test_the_state_beside_a_checkpoint_at_fault_is_in_quarantine(tmp_path):
    from gradcascade.sources.audit import audit_family
    from gradcascade.sources.audit.quarantine_list import write_quarantine
    from gradcascade.study.plan import FamilyPlan
    from gradcascade.study.quarantine import quarantined

    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(decayed(net), 1e-2)
    for step in range(1, 7):
        optimizer.zero_grad()
        net(torch.arange(5) + step).backward()
        optimizer.step()
        torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / f"ckpt_{step}.pt")
    (tmp_path / "ckpt_4.pt").write_bytes((tmp_path / "ckpt_4.pt").read_bytes()[:-900])
    write_quarantine(audit_family(tmp_path, "mine").quarantine, tmp_path / "list.toml")
    source = discover(tmp_path, "mine", fields=["momentum", "update"])
    family = FamilyPlan(name="mine", path=".", fields=("momentum", "update"))
    found = quarantined(tmp_path, [(family, source)], source.snapshots(), tmp_path / "list.toml")
    assert {(name.field, name.step) for name in found} == {("update", 4), ("update", 5), ("momentum", 4)}
