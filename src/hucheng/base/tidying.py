"""Joining the small files of a table, in a process of its own: ``python -m hucheng.base.tidying TABLE…``.

A commit a second leaves many small files. Joining them takes seconds of one core, and whoever commits has none to
spare: so this process is started beside it, stands back behind everything else (`os.nice`), and ends. Joining changes
no row; a commit that meets it is put after it by Delta. `sole_rewriter` keeps a deletion apart from it: files that are
being joined could otherwise keep what is deleted meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from hucheng.errors import LakeError

FILE_BYTES = 64 << 20
"""Files are joined up to this size."""
KEEP_H = 1
"""So long a file that was joined into another stays, for those who are reading it."""
PATIENCE_S = 30.0


@contextlib.contextmanager
def sole_rewriter(path: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Be the only one who puts files of the table at ``path`` in the place of others; LakeError when that takes long.

    The lock is the kernel's: it goes with whoever holds it, however that one ends.
    """
    deadline = time.monotonic() + patience_s
    with (path / "_rewriting.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise LakeError(
                        "its files are being rewritten", where=str(path), mend="it is tried again"
                    ) from error
                time.sleep(0.05)
        yield


def tidy(path: Path) -> int:
    """Join small files, drop those nobody can be reading any more; gives how many files went into others.

    Raises LakeError: it is tried again.
    """
    try:
        with sole_rewriter(path):
            table = DeltaTable(path)
            told = table.optimize.compact(target_size=FILE_BYTES, max_concurrent_tasks=1)
            table.vacuum(retention_hours=KEEP_H, dry_run=False, enforce_retention_duration=False)
    except CommitFailedError as error:
        raise LakeError("another rewrote the same files", where=str(path), mend="it is tried again") from error
    except (DeltaError, OSError) as error:
        raise LakeError(f"not tidied: {error}", where=str(path), mend="it is tried again") from error
    return int(told["numFilesRemoved"])


def command(paths: Sequence[Path]) -> list[str]:
    """The command line of the process that tidies these tables."""
    return [sys.executable, "-m", "hucheng.base.tidying", *map(str, paths)]


def main(argv: Sequence[str]) -> None:
    """Tidy one table after the other; what failed is told on standard error, with exit code 1."""
    from hucheng.base.tether import die_with_parent

    die_with_parent()
    os.nice(19)
    failed = 0
    for path in map(Path, argv):
        try:
            tidy(path)
        except LakeError as error:
            failed += 1
            print(error, file=sys.stderr)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
