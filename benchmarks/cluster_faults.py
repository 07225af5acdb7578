"""Measurements disturbed at random moments: nothing may be lost, doubled, or differ from the undisturbed table.

    python benchmarks/cluster_faults.py [--faults 200] [--minutes 30] [--seed 1] [--kinds writer,worker,...]
                                        [--results faults.json]

Faults are SIGKILL, SIGTERM and SIGUSR1 of the writer; SIGKILL of workers (processes, Dask), of the scheduler and of
`merge`; a shard measured twice at once; a shard of another plan; a disk that is full, a quota, a disk that fails and
stale file handles, for the study, the snapshots and `merge`; a lock that is held, left, or taken over; a clock that
is set. Each study is then measured to its end and compared with the undisturbed one, cascade by cascade. With
--results the counts are kept in a file, and the same command goes on from there. Needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "sources"))

import failing_files
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.study.journal import lock_of
from gradcascade.study.merging import merge_studies
from gradcascade.study.store import KEY

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["gradcascade.cli.main", "gradcascade.study.runner", "loaded_kernels"])

ROOM = 2**40
"""Bytes to which files may grow where the disk is not to be full."""

JOURNALS = (("--journal", "wal"), ("--journal", "rollback"))


PATIENT = 900
"""Seconds to wait for a command on a busy machine."""


@dataclass(frozen=True)
class Trouble:
    """What happens to the files or the clock of a command, at its start or when it gets SIGUSR2."""

    kind: str = ""
    """One of the failures of files."""
    under: str = ""
    after: int = 0
    """Calls that still go well."""
    clock: int = 0
    """Seconds by which the clock is set."""
    at_start: bool = False

    def begin(self, *_: object) -> None:
        if self.kind:
            failing_files.fail(self.under, self.kind, self.after)
        if self.clock:
            failing_files.shift(self.clock)


def _command(folder: Path, words: list[str], said: Path, room: int, trouble: Trouble) -> None:
    os.chdir(folder)
    sys.stdout = sys.stderr = said.open("w")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, trouble.begin)
    if trouble.at_start:
        trouble.begin()
    if room < ROOM:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    sys.argv = ["gradcascade", *words]
    from gradcascade.cli.main import main

    main()


NONE = Trouble()


class Command:
    """A command of gradcascade, in a process of its own."""

    def __init__(self, base: Path, words: list[str], room: int = ROOM, trouble: Trouble = NONE) -> None:
        self.said = Path(tempfile.mkstemp(dir=base, suffix=".said")[1])
        self.process = _CONTEXT.Process(target=_command, args=(base, words, self.said, room, trouble))
        self.process.start()

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid or 0, number)

    def end(self) -> tuple[int, str]:
        """Exit code and what was said; a traceback, or not ending, is a failure."""
        self.process.join(PATIENT)
        text = self.said.read_text()
        if self.process.exitcode is None or "Traceback" in text:
            self.process.kill()
            raise AssertionError(f"did not end as it should: {text[-3000:]}")
        return self.process.exitcode, text


class Measuring(Command):
    """One `gradcascade measure`."""

    def __init__(self, base: Path, out: str, *options: str, room: int = ROOM, trouble: Trouble = NONE) -> None:
        self.path = base / out / "cascades.sqlite"
        words = ["measure", "runs", "--out", out.partition("/")[0], "--replicates", "2", "--threads", "1", *options]
        super().__init__(base, words, room, trouble)

    def until_more(self, before: int, timeout: float = PATIENT) -> bool:
        """Whether it is still running once it stored another cascade."""
        end = time.monotonic() + timeout
        while self.process.exitcode is None and time.monotonic() < end:
            if stored(self.path) > before:
                return True
            time.sleep(0.005)
        return self.process.exitcode is None


def stored(path: Path) -> int:
    """Cascades in a store, as far as can be seen while it is written."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1)) as connection:
            return connection.execute("SELECT count(*) FROM cascades").fetchone()[0]
    except sqlite3.Error:
        return 0


def table_of(study: Path) -> pl.DataFrame:
    with gc.Study.open(study, read_only=True) as opened:
        return opened.cascades(everything=True).drop("seconds", "source").sort(KEY)


class Campaign:
    """Studies that are disturbed, and what became of them."""

    def __init__(self, base: Path, seed: int, results: Path | None = None) -> None:
        self.base, self.results = base, results
        known = json.loads(results.read_text()) if results is not None and results.exists() else {}
        self.faults: Counter[str] = Counter(known.get("faults", {}))
        self.seconds: float = known.get("seconds", 0.0)
        self.rounds: list[str] = known.get("rounds", [])
        self.lost, self.doubled, self.differing, self.studies = (
            known.get(name, 0) for name in ("lost", "doubled", "differing", "studies")
        )
        self.random = random.Random(f"{seed} {len(self.rounds)}")
        self.serving: Any = None
        self._names = 0
        for width in (6, 12):
            write_pico_run(base / "runs" / f"tiny-d{width}", tuple(range(0, 40, 10)), width, blocks=1)
        code, said = Measuring(base, "whole").end()
        assert code == 0, said
        self.whole = table_of(base / "whole")

    def keep(self, kind: str, seconds: float) -> None:
        """Keep the counts after a round of a kind."""
        self.rounds.append(kind)
        self.seconds += seconds
        if self.results is not None:
            names = ("faults", "lost", "doubled", "differing", "studies", "seconds", "rounds")
            scratch = self.results.with_suffix(".part")
            scratch.write_text(json.dumps({name: getattr(self, name) for name in names}, indent=1))
            scratch.replace(self.results)

    def name(self) -> str:
        self._names += 1
        return f"study{self._names}"

    def compare(self, study: Path) -> None:
        """Count what a study lacks, has twice, or has otherwise."""
        found = table_of(study)
        once = found.unique(KEY)
        key = list(KEY)
        self.lost += self.whole.join(once, on=key, how="anti", nulls_equal=True).height
        self.doubled += found.height - once.height
        self.differing += not once.sort(KEY).equals(self.whole)
        self.studies += 1
        shutil.rmtree(study)

    def finish(self, name: str, *options: str) -> None:
        code, said = Measuring(self.base, name, *options).end()
        assert code == 0, said
        self.compare(self.base / name)

    def during(
        self, name: str, options: tuple[str, ...], fault: Callable[[Measuring], Any], trouble: Trouble = NONE
    ) -> tuple[int, str] | None:
        """Disturb a measurement soon after it stored a cascade; what it ended with, None if it was too fast."""
        before = stored(self.base / name / "cascades.sqlite")
        measuring = Measuring(self.base, name, *options, trouble=trouble)
        if not measuring.until_more(before):
            measuring.end()
            return None
        time.sleep(self.random.uniform(0, 0.03))
        fault(measuring)
        return measuring.end()

    def writer(self) -> None:
        """The writer is killed, or asked to stop, five times."""
        name, options = self.name(), self.random.choice(JOURNALS)
        for _ in range(5):
            number = self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
            ended = self.during(name, options, lambda measuring, number=number: measuring.send(number))
            if ended is None:
                break
            assert ended[0] in (0, -number, 128 + number), ended
            self.faults[f"{number.name} of the writer, {options[1]}"] += ended[0] != 0
        self.finish(name, *options)

    def worker(self) -> None:
        """One of two workers is killed."""
        name = self.name()

        def kill(measuring: Measuring) -> None:
            pid = measuring.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            workers = [
                int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
            ]
            if workers:
                os.kill(self.random.choice(workers), signal.SIGKILL)
                self.faults["SIGKILL of a worker"] += 1

        ended = self.during(name, ("--workers", "2"), kill)
        assert ended is None or ended[0] == 0, ended
        self.finish(name)

    def dask(self) -> None:
        """Workers of a Dask cluster are killed one after the other, and then the scheduler with all of them."""
        ours, theirs = _CONTEXT.Pipe()
        serving = _CONTEXT.Process(target=_serve, args=(theirs,))
        serving.start()
        self.serving = serving
        address = ours.recv()
        from distributed import Client

        for _ in range(3):
            name = self.name()

            def kill(_: Measuring) -> None:
                client: Any = Client(address)
                with client:
                    pids = client.run(os.getpid)
                    os.kill(self.random.choice(sorted(pids.values())), signal.SIGKILL)
                self.faults["SIGKILL of a Dask worker"] += 1

            ended = self.during(name, ("--dask", address), kill)
            # On a busy machine Dask may not get another worker started.
            assert ended is None or ended[0] == 0 or "has had no worker" in ended[1], ended
            self.finish(name)
        name = self.name()
        ended = self.during(name, ("--dask", address), lambda _: serving.kill())
        assert ended is None or (ended[0] == 2 and "is gone" in ended[1]) or ended[0] == 0, ended
        self.faults["SIGKILL of the Dask scheduler"] += ended is not None and ended[0] == 2
        serving.kill()
        serving.join()
        self.finish(name)

    def twice(self) -> None:
        """A shard is measured twice at once, and the shards are joined while they are measured."""
        name, options = self.name(), self.random.choice(JOURNALS)
        parts = [f"{name}/shard-{number}-of-2" for number in (1, 2)]
        both = [Measuring(self.base, parts[0], "--shard", "1/2", *options) for _ in range(2)]
        other = Measuring(self.base, parts[1], "--shard", "2/2", *options)
        early = self.base / f"{name}-early"
        if other.until_more(0) and both[0].until_more(0):
            merged = merge_studies([self.base / name], early)
            assert merged.cascades <= self.whole.height
            shutil.rmtree(early)
        ended = [measuring.end() for measuring in (*both, other)]
        assert ended[2][0] == 0 and 0 in (ended[0][0], ended[1][0]), ended
        for code, said in ended[:2]:
            assert code == 0 or "is being written by process" in said, said
        merged = merge_studies([self.base / name, self.base / parts[0]], self.base / f"{name}-joined")
        assert merged.doubles > 0 and not merged.unmeasured
        self.faults[f"a shard twice at once, joined meanwhile, {options[1]}"] += 1
        self.compare(self.base / f"{name}-joined")
        shutil.rmtree(self.base / name)

    def foreign(self) -> None:
        """A shard of another plan is refused, and nothing is left of the attempt."""
        name = self.name()
        for number, seed in ((1, "42"), (2, str(self.random.randrange(43, 99)))):
            part = f"{name}/shard-{number}-of-2"
            code, said = Measuring(self.base, part, "--shard", f"{number}/2", "--seed", seed).end()
            assert code == 0, said
        try:
            merge_studies([self.base / name], self.base / f"{name}-joined")
            self.differing += 1
        except gc.InputError as error:
            assert "only studies of the same plan" in str(error)
        assert not (self.base / f"{name}-joined").exists()
        self.faults["a shard of another plan"] += 1
        shutil.rmtree(self.base / f"{name}/shard-2-of-2")
        code, said = Measuring(self.base, f"{name}/shard-2-of-2", "--shard", "2/2").end()
        assert code == 0, said
        merge_studies([self.base / name], self.base / f"{name}-joined")
        self.compare(self.base / f"{name}-joined")
        shutil.rmtree(self.base / name)

    def full(self) -> None:
        """Files may not grow any further, five times, each time a little later."""
        name, options = self.name(), self.random.choice(JOURNALS)
        room = 60_000
        for _ in range(5):
            room += self.random.randrange(1_000, 30_000)
            code, said = Measuring(self.base, name, *options, room=room).end()
            assert code in (0, 2), (code, said)
            self.faults[f"a full disk, {options[1]}"] += code == 2
        self.finish(name, *options)

    def lock(self) -> None:
        """SQLite's lock is held for a while; the lock file is held, left by a dead process, and taken over."""
        name = self.name()

        def hold(measuring: Measuring) -> None:
            with closing(sqlite3.connect(measuring.path, timeout=60, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(self.random.uniform(0.1, 1.0))
                connection.execute("ROLLBACK")
            self.faults["SQLite's lock held"] += 1

        ended = self.during(name, ("--journal", "wal"), hold)
        assert ended is None or ended[0] == 0, ended
        self.finish(name)

        name, options = self.name(), ("--journal", "rollback")
        ended = self.during(name, options, lambda measuring: measuring.send(signal.SIGKILL))
        left = lock_of(self.base / name / "cascades.sqlite")
        self.faults["a lock file left behind"] += left.exists()

        def second(_: Measuring) -> None:
            code, said = Measuring(self.base, name, *options).end()
            assert code == 0 or "is being written by process" in said, said
            self.faults["a lock file held"] += code == 2

        def steal(_: Measuring) -> None:
            if left.exists():
                left.write_text(json.dumps({"token": "other"}))
                self.faults["a lock file taken over"] += 1

        self.during(name, options, second)
        ended = self.during(name, options, steal)
        assert ended is None or ended[0] == 0 or "another process took" in ended[1], ended
        left.unlink(missing_ok=True)
        self.finish(name, *options)

    def failing(self) -> None:
        """The study's files fail, at the start or later, or those of the snapshots; five times."""
        name, options = self.name(), self.random.choice(JOURNALS)
        for _ in range(5):
            kind = self.random.choice(list(failing_files.FAILURES))
            if kind in ("EIO", "ESTALE") and self.random.random() < 0.3:
                trouble = Trouble("ESTALE", str(self.base / "runs"), self.random.randrange(400), at_start=True)
                code, said = Measuring(self.base, name, *options, trouble=trouble).end()
                self.faults["snapshots: ESTALE"] += code != 0
                assert code in (0, 2), (code, said)
                continue
            under = str(self.base / name)
            if self.random.random() < 0.5:
                trouble = Trouble(kind, under, self.random.randrange(600), at_start=True)
                ended = Measuring(self.base, name, *options, trouble=trouble).end()
            else:
                trouble = Trouble(kind, under, self.random.randrange(30))
                ended = self.during(name, options, lambda measuring: measuring.send(signal.SIGUSR2), trouble)
            assert ended is None or ended[0] in (0, 2), ended
            self.faults[f"study: {kind}, {options[1]}"] += ended is not None and ended[0] == 2
        self.finish(name, *options)

    def clock(self) -> None:
        """The clock is set back, or on, while it is measured, four times; the writer is then killed, or ends."""
        name, options = self.name(), self.random.choice(JOURNALS)
        for _ in range(4):
            by = self.random.choice([-3600, -86400, -10 * 365 * 86400, 86400])

            def set_and_kill(measuring: Measuring) -> None:
                measuring.send(signal.SIGUSR2)
                measuring.until_more(stored(measuring.path))
                time.sleep(self.random.uniform(0, 0.03))
                measuring.send(signal.SIGKILL)

            ended = self.during(name, options, set_and_kill, Trouble(clock=by))
            if ended is None:
                break
            assert ended[0] in (0, -signal.SIGKILL), ended
            self.faults[f"the clock set {'back' if by < 0 else 'on'}, {options[1]}"] += 1
        self.finish(name, *options)

    def joining(self) -> None:
        """`merge` is killed, or its disk fails, six times: there is a whole study then, or none."""
        name = self.name()
        out = self.base / "joined" / name
        out.parent.mkdir(exist_ok=True)
        for number in (1, 2):
            code, said = Measuring(self.base, f"{name}/shard-{number}-of-2", "--shard", f"{number}/2").end()
            assert code == 0, said
        for turn in range(6):
            kind = "" if turn % 2 else self.random.choice(list(failing_files.FAILURES))
            trouble = Trouble(kind, str(out.parent), self.random.randrange(60), at_start=True) if kind else NONE
            joining = Command(self.base, ["merge", name, "--out", str(out)], trouble=trouble)
            if not kind:
                until = time.monotonic() + PATIENT
                while not list(out.parent.glob(f".{name}-*")) and joining.process.exitcode is None:
                    assert time.monotonic() < until
                    time.sleep(0.001)
                time.sleep(self.random.uniform(0, 0.05))
                joining.send(signal.SIGKILL)
            code, said = joining.end()
            assert code in (0, 2, -signal.SIGKILL), (code, said)
            self.faults[f"merge: {kind or 'SIGKILL'}"] += code != 0
            if out.exists() and any(out.iterdir()):
                self.compare(out)
            else:
                assert code != 0
        merged = merge_studies([self.base / name], out)
        assert not merged.unmeasured and not merged.missing
        self.compare(out)
        shutil.rmtree(self.base / name)
        for left in out.parent.glob(f".{name}-*"):
            shutil.rmtree(left)

    KINDS = (writer, failing, joining, clock, twice, full, lock, foreign, worker, dask)

    def report(self) -> str:
        kinds = "\n".join(f"  {count:4d}  {name}" for name, count in sorted(self.faults.items()) if count)
        return (
            f"{self.faults.total()} faults in {self.studies} studies of {self.whole.height} cascades, in "
            f"{self.seconds / 60:.0f} minutes: {self.lost} lost, {self.doubled} doubled, {self.differing} differing "
            f"tables\n{kinds}"
        )


def _serve(connection: Any) -> None:
    import dask
    import distributed

    dask.config.set({"distributed.comm.timeouts.connect": "300s"})
    start: Any = distributed.LocalCluster
    with start(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs=50,
    ) as cluster:
        connection.send(cluster.scheduler_address)
        time.sleep(3600)


def disturb(campaign: Campaign, faults: int, until: float, kinds: list[Callable[[Campaign], None]]) -> None:
    """All kinds in turn, until there were so many faults or the time is over."""
    begun = time.monotonic()
    while True:
        for kind in kinds:
            if campaign.faults.total() >= faults or time.monotonic() > until:
                return
            start = time.monotonic()
            kind(campaign)
            campaign.keep(kind.__name__, time.monotonic() - start)
            done = campaign.faults.total()
            print(f"{time.monotonic() - begun:6.0f} s  {kind.__name__}: {done} faults", file=sys.stderr, flush=True)


def main() -> None:
    kinds = {kind.__name__: kind for kind in Campaign.KINDS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(kinds))
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        os.environ.setdefault("GRADCASCADE_CACHE", str(Path(folder) / "cache"))
        os.environ["LD_PRELOAD"] = str(failing_files.compiled(Path(folder)))  # for the processes of the commands
        campaign = Campaign(Path(folder).resolve(), given.seed, given.results)
        try:
            disturb(
                campaign, given.faults, begun + given.minutes * 60, [kinds[name] for name in given.kinds.split(",")]
            )
        finally:
            if campaign.serving:
                campaign.serving.kill()
        print(campaign.report())
    sys.exit(bool(campaign.lost or campaign.doubled or campaign.differing))


if __name__ == "__main__":
    main()
