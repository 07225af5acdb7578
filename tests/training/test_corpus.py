import numpy as np
import pytest

from gradcascade.errors import InputError
from gradcascade.training import corpus as module
from gradcascade.training.corpus import read_corpus


def write(folder, *contents):
    paths = []
    for index, content in enumerate(contents):
        paths.append(folder / f"{index}.txt")
        paths[-1].write_bytes(content)
    return paths


def test_the_default_is_the_standard_library_in_a_fixed_order():
    one, two = read_corpus(), read_corpus()
    assert one.sha256 == two.sha256
    assert len(one.training) > 1_000_000
    assert 0.02 < len(one.held_out) / len(one.training) < 0.1
    assert b"import" in one.training[:100_000].tobytes()


def test_library_files_are_sorted_and_without_tests_packages_and_machine_files(tmp_path):
    names = ["b.py", "a/z.py", "a/b/c.py", "test/t.py", "a/tests/t.py", "site-packages/p.py", "_sysconfigdata_x.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "a.txt").write_text("no source")
    assert module._library_files(tmp_path) == ["a/b/c.py", "a/z.py", "b.py"]


def test_a_library_without_sources_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(InputError, match="--text FILE"):
        read_corpus()


def test_of_few_files_the_last_twentieth_of_the_bytes_is_held_out(tmp_path):
    text = bytes(range(200))
    corpus = read_corpus(write(tmp_path, text[:150], text[150:]))
    assert corpus.training.tobytes() == text[:190]
    assert corpus.held_out.tobytes() == text[190:]
    assert corpus.name == "0.txt, 1.txt"


def test_of_many_files_every_twentieth_is_held_out(tmp_path):
    corpus = read_corpus(write(tmp_path, *(bytes([i]) for i in range(45))))
    assert corpus.held_out.tolist() == [19, 39]
    assert corpus.training.tolist() == [i for i in range(45) if i not in (19, 39)]


def test_the_hash_tells_texts_and_splits_apart(tmp_path):
    files = write(tmp_path, b"a" * 100, b"a" * 99 + b"b", b"a" * 101)
    assert len({read_corpus([path]).sha256 for path in files}) == 3
    assert read_corpus(files[:1]).sha256 == read_corpus(files[:1]).sha256


def test_no_more_than_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 150)
    corpus = read_corpus(write(tmp_path, b"a" * 100, b"b" * 100, b"c" * 100))
    assert corpus.training.tobytes() + corpus.held_out.tobytes() == b"a" * 100 + b"b" * 50


def test_bad_files_are_refused_in_one_sentence(tmp_path):
    empty, good = write(tmp_path, b"", b"x" * 100)
    for path, problem in (
        (tmp_path / "missing", "does not exist"),
        (empty, "is empty"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(InputError, match=problem) as caught:
            read_corpus([good, path])
        assert str(path) in str(caught.value)


def test_a_text_shorter_than_a_window_is_refused(tmp_path):
    corpus = read_corpus(write(tmp_path, b"x" * 100))
    with pytest.raises(InputError, match=r"0\.txt is too short: its held-out part has 5 bytes"):
        corpus.evaluation(1, 5)
    with pytest.raises(InputError, match="training part has 95 bytes"):
        corpus.batch(0, 0, 1, 95)
    assert corpus.evaluation(3, 4).shape == (3, 5)
    assert corpus.batch(0, 0, 2, 94).shape == (2, 95)


def test_batches_are_windows_of_the_training_text_fixed_by_seed_and_step(tmp_path):
    corpus = read_corpus(write(tmp_path, np.random.default_rng(0).bytes(5000)))
    batch = corpus.batch(7, 3, 4, 16)
    assert batch.dtype == np.int64
    assert all(row.astype(np.uint8).tobytes() in corpus.training.tobytes() for row in batch)
    np.testing.assert_array_equal(batch, corpus.batch(7, 3, 4, 16))
    assert not np.array_equal(batch, corpus.batch(7, 4, 4, 16))
    assert not np.array_equal(batch, corpus.batch(8, 3, 4, 16))


def test_every_place_of_the_text_can_be_drawn(tmp_path):
    corpus = read_corpus(write(tmp_path, bytes(range(20))))
    starts = {int(corpus.batch(0, step, 8, 16)[i, 0]) for step in range(20) for i in range(8)}
    assert starts == {0, 1, 2}


def test_evaluation_windows_span_the_held_out_text(tmp_path):
    corpus = read_corpus(write(tmp_path, bytes(i % 251 for i in range(4000))))
    windows = corpus.evaluation(5, 20)
    np.testing.assert_array_equal(windows[0], corpus.held_out[:21])
    np.testing.assert_array_equal(windows[-1], corpus.held_out[-21:])
