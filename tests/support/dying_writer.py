"""A writer of a store that is killed; a spawned process can import it under any way of starting pytest."""

import os
import signal

from stored_rows import row

from gradcascade.study.store import Store


def write_and_die(path, half):
    store = Store(path, journal="rollback")
    for step in range(3):
        store.add(row(step=step))
    if half:  # killed within a transaction, with pages in the file and the old ones in the journal
        connection = store._connection
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE cascades SET source = printf('%.100000c', 'x')")
    os.kill(os.getpid(), signal.SIGKILL)
