"""Files as lm-evaluation-harness writes them, before and since version 0.4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gradcascade.performance.readers import NAMED_TASKS


def harness_results() -> dict[str, dict[str, float]]:
    exams = {f"hendrycksTest-{i}": {"acc": 0.1, "acc_stderr": 0.01, "acc_norm": 0.3} for i in range(57)}
    named = {name: {"acc": 0.5, "acc_stderr": 0.01} for name in NAMED_TASKS}
    return exams | named | {"crows_pairs_english": {"pct_stereotype": 0.9, "acc": 1.0}}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def renamed(results: dict[str, Any]) -> dict[str, Any]:
    """The same results as version 0.4 writes them, with the entries of groups that it adds."""
    tasks = {name.replace("hendrycksTest-", "mmlu_"): values for name, values in results.items()}
    groups = ("mmlu", "mmlu_stem", "mmlu_other", "mmlu_social_sciences", "mmlu_humanities")
    sums = {name: {"alias": f" - {name}", "acc,none": 0.99, "acc_stderr,none": 0.001} for name in groups}
    own = {n: {"alias": n} | {f"{key},none": value for key, value in v.items()} for n, v in tasks.items()}
    return sums | own


def written_today(folder: Path, results: dict[str, Any], date: str, **config: Any) -> Path:
    """A file as version 0.4 and later write it: in a folder of the model's name, with the time in its own."""
    content = {"results": results, "configs": {}, "versions": {}, "n-shot": {}, "config": {"model": "hf", **config}}
    return write(folder / f"results_{date}.json", content)
