"""The descriptors that a copy inherits: none may reach what the parent has open."""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["detach", "raised"]

HIGH = 512
"""From here on is the descriptor of the reports: code that closes "all" from 3 to 255 misses it."""


def raised(descriptor: int) -> int:
    """Return a duplicate of `descriptor` numbered `HIGH` or more, if the limit allows that."""
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    except OSError:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def detach(kept: int) -> int:
    """Replace all descriptors except `kept`, and return the highest one that is open.

    A file that is open for reading is opened anew, read-only, at the same place: the copy can go on
    reading, and the parent's place in the file does not move. Everything else becomes the null
    device. The numbers stay taken: when the copy drops an object of the parent's, that closes its
    descriptor, which must not be one that the copy has opened since.
    """
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    listed = [int(name) for name in os.listdir("/proc/self/fd")]
    for descriptor in listed:
        if descriptor > 2 and descriptor not in (kept, null, output):
            _replace(descriptor, null)
    for descriptor, source in enumerate((null, output, output)):
        if source != descriptor:
            os.dup2(source, descriptor)
    for descriptor in (null, output):
        if descriptor > 2:
            os.close(descriptor)
    return max(*listed, 2)


def _replace(descriptor: int, null: int) -> None:
    import fcntl

    source = null
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        kind = os.fstat(descriptor).st_mode
        is_readable = flags & os.O_ACCMODE != os.O_WRONLY and not flags & os.O_PATH
        if is_readable and (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            source = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            if stat.S_ISREG(kind):
                os.lseek(source, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
    except OSError as error:
        if error.errno == errno.EBADF:
            return  # it was the listing's own, which is closed by now
    os.dup2(source, descriptor, inheritable=False)
    if source != null:
        os.close(source)
