"""How a store is written safely where it lies: SQLite's write-ahead log needs memory that its users share.

Network file systems do not have it, and their locks often do nothing. There a store has a rollback journal and one
writer, which holds a lock file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError

JOURNALS = ("auto", "wal", "rollback")

_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "lustre", "gpfs", "beegfs", "beegfs_nodev", "ceph", "9p", "afs",
    "panfs", "pvfs2", "orangefs", "ocfs2", "gfs2", "glusterfs", "wekafs", "dvs", "virtiofs", "vboxsf", "vmhgfs",
    "prl_fs", "drvfs", "coda",
)  # fmt: skip
_LOCAL_FUSE = ("fuseblk", "fuse.fuse-overlayfs")

BEAT = 15.0
"""Seconds between two signs of life of the writer."""
PATIENCE = 6 * BEAT
"""A lock without a sign of life for so many seconds is of a process that is gone."""


_HELD: set[str] = set()
"""Tokens of the locks that this process holds."""


class JournalWarning(UserWarning):
    """A store is written in another way than usual, because of where it lies."""


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Type of the file system that a path is on, or is to be made on; nothing where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place, best, found = str(path.resolve()), -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _unescaped(before.split()[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # what is mounted over another comes later
            best, found = len(point), after.split()[0]
    return found


def _unescaped(point: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, sign)
    return point


def is_network(kind: str) -> bool:
    """Whether a type of file system may lack what the write-ahead log needs."""
    return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def rolls_back(path: Path, journal: str) -> tuple[bool, str]:
    """Whether a store is to have a rollback journal, and the file system that is the reason, if one is.

    A store that was made with one keeps it.
    """
    if journal not in JOURNALS:
        raise InputError(f"the journal {journal!r} is unknown; choose from {', '.join(JOURNALS)}")
    if journal != "auto":
        return journal == "rollback", ""
    kind = file_system_of(path)
    if is_network(kind):
        return True, kind
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = file.read(20)
        return header.startswith(b"SQLite format 3") and header[18:20] == b"\1\1", ""
    return False, ""


def why_not_written(folder: Path) -> str:
    """What the system says when a file is written in a folder; nothing if that succeeds."""
    trial = folder / f".writing-{uuid.uuid4().hex}"
    try:
        with trial.open("wb") as file:
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):
            trial.unlink(missing_ok=True)
    return ""


def why_not_read(path: Path) -> str:
    """What the system says when a file is read to its end; nothing if that succeeds."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError as error:
        return error.strerror or str(error)
    return ""


def lock_of(path: Path) -> Path:
    """The lock file of a store."""
    return path.with_name(f"{path.name}.lock")


class Lock:
    """The one writer of a store holds its lock file; that of a process that is gone is taken over.

    Nothing rests on clocks: a lock is left if it does not change for :data:`PATIENCE` while it is watched.
    """

    def __init__(self, path: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self.path = lock_of(path)
        self._sleep = sleep
        self._token = uuid.uuid4().hex
        self._ended = threading.Event()

    def take(self) -> None:
        """Take the lock, or refuse because another process holds it."""
        text = json.dumps({"token": self._token, **_own_process()})
        while True:
            try:
                self._make(text)
                break
            except FileExistsError:
                self.refuse_if_held()
                self._put_aside()
            except OSError as error:
                raise InputError(
                    f"{self.path} cannot be written ({error.strerror}); see to its disk, or choose another folder"
                ) from None
        _HELD.add(self._token)
        threading.Thread(target=self._beat, daemon=True).start()

    def _make(self, text: str) -> None:
        """Make the lock file, with its words in it from the first moment where the file system has links."""
        own = self.path.with_name(f".writing-{self._token}.lock")
        try:
            own.write_text(text, encoding="utf-8")
            try:
                os.link(own, self.path)
            except FileExistsError:
                raise
            except OSError:
                if own.stat().st_nlink < 2:  # else it was made, and only the answer was lost
                    with self.path.open("x", encoding="utf-8") as file:
                        file.write(text)
        finally:
            with contextlib.suppress(OSError):
                own.unlink()

    def refuse_if_held(self) -> None:
        """Refuse if another process holds the lock; takes a while if that is on another machine."""
        seen = self._seen()
        if seen is None:
            return
        holder = seen[1]
        if holder.get("place") == _own_process()["place"]:
            if _started(int(holder["pid"])) != holder.get("started"):
                return
            if int(holder["pid"]) == os.getpid() and holder.get("token") not in _HELD:
                return  # this process let it go when its disk failed
        else:
            for _ in range(int(PATIENCE / BEAT * 4)):
                self._sleep(BEAT / 4)
                if (now := self._seen()) is None:
                    return
                if now != seen:
                    break
            else:
                return
        raise InputError(
            f"{self.path.parent} is being written by process {holder.get('pid', '?')} on "
            f"{holder.get('host', 'another machine')}, and on this file system only one process at a time may; wait "
            "until it ends, or measure shards, each into a study of its own (--shard)"
        )

    def check(self) -> None:
        """Refuse to write if the lock was taken over, as by another machine after this process stood still."""
        seen = self._seen()
        if seen is None or seen[1].get("token") != self._token:
            raise InputError(
                f"another process took {self.path.parent} over while this one stood still; everything measured is "
                "kept, and nothing more is written from here"
            )

    def release(self) -> None:
        """Let the lock go, if it is still this one's."""
        self._ended.set()
        _HELD.discard(self._token)
        with contextlib.suppress(OSError, InputError):
            self.check()
            self.path.unlink()

    def _seen(self) -> tuple[int, dict[str, Any]] | None:
        """A number that changes with every sign of life, and what the holder says of itself; None without a lock.

        Opening the file is what makes a network file system ask its server.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                text = file.read()
                return os.fstat(file.fileno()).st_mtime_ns, json.loads(text)
        except FileNotFoundError:
            return None
        except ValueError:  # just being written
            return 0, {}
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read ({error.strerror}); everything measured is kept, so run the same "
                "command again when its file system is back"
            ) from None

    def _put_aside(self) -> None:
        """Remove a lock that was left; one that somebody took meanwhile goes back to its place."""
        seen = self._seen()
        aside = self.path.with_name(f".writing-{self._token}.lock")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
            taken = json.loads(aside.read_text(encoding="utf-8") or "{}")
            if seen is not None and taken.get("token") != seen[1].get("token"):
                aside.rename(self.path)
            else:
                aside.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def _own_process() -> dict[str, Any]:
    """What tells this process apart, and the place within which its number means something."""
    place = [platform.node()]
    for source in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            file = Path(source)
            place.append(str(file.readlink()) if file.is_symlink() else file.read_text().strip())
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "place": " ".join(place), "started": _started(pid)}


def _started(pid: int) -> str | None:
    """When a process of this machine was started, in the kernel's words; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return None
    else:
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    try:  # a system without /proc
        os.kill(pid, 0)
    except OSError as error:
        return "alive" if error.errno == errno.EPERM else None
    return "alive"
