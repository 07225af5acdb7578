import sqlite3

import polars as pl
import pytest
from stored_rows import row

from gradcascade.errors import InputError
from gradcascade.sources.base import Name
from gradcascade.study.store import COLUMNS, METRIC_COLUMNS, Contents, Store

NAME = Name("nano", "d24", "0", 10, "gradient")
UPDATE = NAME._replace(field="update")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "cascades.sqlite") as opened:
        yield opened


def test_what_is_added_comes_back_with_its_types(store):
    store.add(row())
    table = store.cascades()
    assert table.schema == pl.Schema(COLUMNS)
    assert table.row(0, named=True) == row()


def test_an_empty_store_gives_an_empty_table(store):
    assert store.cascades().schema == pl.Schema(COLUMNS)
    assert store.cascades().is_empty() and store.metrics().is_empty() and store.refusals().is_empty()


def test_the_same_measurement_is_kept_once_and_stays_as_it_was(store):
    store.add(row(seconds=0.1))
    store.add(row(seconds=9.0))
    assert store.cascades()["seconds"].to_list() == [0.1]
    store.add(row(content_hash="d"))
    assert len(store.keys()) == 2


def test_a_reader_beside_the_writer_sees_every_cascade_at_once(store):
    with Store(store.path) as other:
        store.add(row())
        assert len(other.cascades()) == 1


def test_a_snapshot_that_was_seen_is_refused_no_longer(store):
    store.refuse(NAME, None, "unreadable", "no")
    assert store.refusals()["reason"].to_list() == ["no"]
    store.set_current(NAME, None, Contents("c"), "train file later")
    assert store.refusals().is_empty()
    store.set_current(NAME, None, Contents("d"), "train file later")
    assert store.current()["content_hash"].to_list() == ["d"]


def test_metrics_are_replaced_by_newer_ones(store):
    for value in (5.0, 4.0):
        store.put_metrics(pl.DataFrame([("nano", "d24", "0", 10, "perplexity", value)], METRIC_COLUMNS, orient="row"))
    assert store.metrics().rows() == [("nano", "d24", "0", 10, "perplexity", 4.0)]


def test_contents_are_remembered_for_one_state_of_the_files(store):
    store.remember_contents("snapshot", "1", Contents("c", "l"))
    assert store.contents("snapshot", "1") == ("c", "l")
    assert store.contents("snapshot", "2") is None


def test_a_snapshot_that_is_set_aside_has_no_current_contents(store):
    store.set_current(NAME, None, Contents("hash"), "conventions")
    store.set_current(NAME._replace(step=20), None, Contents("hash"), "conventions")
    store.set_aside(NAME, None, "quarantine", "in quarantine: no")
    assert store.current()["step"].to_list() == [20]
    assert store.refusals()["reason"].to_list() == ["in quarantine: no"]
    store.set_current(NAME, None, Contents("hash"), "conventions")
    assert store.refusals().is_empty() and store.current().height == 2


def test_updates_of_one_step_that_differ_in_span_are_kept_beside_each_other(store):
    for span in (10, 20):
        store.add(row(field="update", span=span))
        store.set_current(UPDATE, span, Contents("c"), "conventions", (10, 20))
    assert sorted(store.cascades()["span"]) == sorted(store.current()["span"]) == [10, 20]


def test_a_span_that_is_no_longer_at_hand_is_no_longer_current(store):
    store.set_current(UPDATE, 20, Contents("c"), "conventions")
    store.refuse(UPDATE, 20, "gap", "too long")
    store.set_current(UPDATE, 10, Contents("c"), "conventions", (10,))
    assert store.current()["span"].to_list() == [10] and store.refusals().is_empty()


def test_runs_of_one_scale_are_kept_beside_each_other(store):
    for run in ("1", "2"):
        store.add(row(run=run))
        store.set_current(NAME._replace(run=run), None, Contents("c"), "conventions")
    assert store.cascades()["run"].to_list() == store.current()["run"].to_list() == ["1", "2"]
    store.add(row(run="2", seconds=9.0))
    assert len(store.cascades()) == 2


def test_metrics_without_a_run_are_of_run_0(store):
    names = [name for name in METRIC_COLUMNS if name != "run"]
    store.put_metrics(pl.DataFrame([("nano", "d24", 10, "loss", 1.0)], names, orient="row"))
    assert store.metrics()["run"].to_list() == ["0"]


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "cascades.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cascades (x)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match=r"another version of gradcascade \(layout 99"):
        Store(path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "cascades.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(InputError, match="is not a store of cascades"):
        Store(path)


def test_a_disk_without_room_is_said_in_one_sentence_and_loses_nothing(tmp_path):
    path = tmp_path / "cascades.sqlite"
    with Store(path) as store:
        store.add(row())
        pages = store._rows("PRAGMA page_count")[0][0]
        store._rows(f"PRAGMA max_page_count = {pages}")  # SQLite reports this limit as it reports a full disk
        with pytest.raises(InputError, match=r"no room left on the disk .* kept"):
            for step in range(1000):
                store.add(row(step=step, activity=list(range(1000))))
    with Store(path) as store:
        assert row() in store.cascades().to_dicts()
