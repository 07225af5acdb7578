import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.probe import machine

WORDS = st.integers(0, 2**64 - 1)


@numba.njit
def _bits(word):
    return machine.count_bits(word), machine.lowest_bit(word)  # pyright: ignore[reportCallIssue]


@numba.njit
def _packed(entries, places, nodes, amounts):
    for k in range(places.shape[0]):
        machine.put_entry(entries, places[k], nodes[k], amounts[k])  # pyright: ignore[reportCallIssue]
    back = np.empty_like(amounts)
    for k in range(places.shape[0]):
        back[k] = machine.entry_amount(entries, places[k])  # pyright: ignore[reportCallIssue]
    return back


@numba.njit
def _fetched(values):
    total = 0
    for i in range(values.shape[0]):
        machine.prefetch(values, np.uint64(i))  # pyright: ignore[reportCallIssue]
        total += values[i]
    return total


@given(WORDS.filter(bool))
def test_bits_are_those_of_python_integers(word):
    count, lowest = _bits(np.uint64(word))  # pyright: ignore
    assert (count, lowest) == (word.bit_count(), (word & -word).bit_length() - 1)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1)), min_size=1), st.randoms())
def test_entries_keep_nodes_and_amounts_apart(pairs, random):
    places = list(range(len(pairs)))
    random.shuffle(places)
    nodes, amounts = (np.array(column) for column in zip(*pairs, strict=True))
    entries = np.zeros(len(pairs) * machine.ENTRY_WORDS, np.int32)
    back = _packed(entries, np.array(places, np.uint64), nodes.astype(np.uint32), amounts.astype(np.int64))
    assert back.tolist() == amounts.tolist()
    assert entries.view(np.uint32)[machine.ENTRY_WORDS * np.array(places)].tolist() == nodes.tolist()


def test_a_prefetch_changes_nothing():
    values = np.arange(1000)
    assert _fetched(values) == values.sum()
