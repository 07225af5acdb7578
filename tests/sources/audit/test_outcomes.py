"""Every check ends as passed, failed or not applicable, and says what it looked at."""

from pathlib import Path

import pytest
from imitation_family import STEPS, write_family, write_gradient_family

from gradcascade.sources.audit import audit_family
from gradcascade.sources.audit.evidence import CHECKS
from gradcascade.sources.audit.findings import CONTENTS, LISTING


def ended(audit, scale: str = "w12") -> dict[str, tuple[str, str | None]]:
    return {o.code: (o.outcome, o.why) for o in audit.outcomes if o.scale == scale}


def test_a_clean_family_passes_what_applies(tmp_path: Path) -> None:
    write_family(tmp_path)
    audit = audit_family(tmp_path)
    few = {"missing-shard", "identical-shard", "label", "known", "zero-gradient", "scaled-copy", "copied-gradient"}
    assert ended(audit) == {
        code: ("not applicable", "too few") if code in few else ("passed", None) for code in CHECKS
    }
    (outliers,) = (o for o in audit.outcomes if (o.scale, o.code) == ("w12", "norm-outlier"))
    assert outliers.as_dict() == {
        "code": "norm-outlier",
        "scale": "w12",
        "run": "0",
        "outcome": "passed",
        "looked_at": {"checkpoints": len(STEPS), "gradients": 0},
        "findings": 0,
        "why": None,
        "needs": {"checkpoints": 5, "gradients": 4},
    }


def test_gradients_alone_pass_the_checks_of_gradients(tmp_path: Path) -> None:
    write_gradient_family(tmp_path)
    found = ended(audit_family(tmp_path))
    assert found["scaled-copy"] == found["zero-gradient"] == found["norm-outlier"] == ("passed", None)
    assert found["late-weights"] == found["coarse"] == ("not applicable", "too few")


def test_checks_of_tensors_do_not_apply_where_none_was_read(tmp_path: Path) -> None:
    write_family(tmp_path)
    found = ended(audit_family(tmp_path, contents=False))
    unread = {code for code, (_, why) in found.items() if why == "tensors not read"}
    assert unread == {code for code, check in CHECKS.items() if check.reads == CONTENTS}
    assert found["odd-size"] == ("passed", None)


@pytest.mark.parametrize("code", CHECKS)
def test_every_check_says_what_it_needs_and_its_rule(code: str) -> None:
    check = CHECKS[code]
    assert check.code == code and check.reads in (LISTING, CONTENTS) and check.needs
    assert all(fewest > 0 for fewest in check.needs.values())
    assert check.__doc__ and not check.__doc__.startswith(f"{check.__name__}(")


def test_two_checkpoints_are_too_few_for_a_path(tmp_path: Path) -> None:
    write_family(tmp_path, steps=(0, 100))
    found = ended(audit_family(tmp_path))
    assert found["foreign-weights"] == ("not applicable", "too few") and found["coarse"] == ("passed", None)
