"""Memory that this process shares with others, made private to the copy.

A fork copies private memory at the first write, but shared mappings stay shared: a `numpy.memmap`,
`multiprocessing.shared_memory`, a semaphore. What a copy writes there would change the file, or the
parent.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import libc

__all__ = ["Mapping", "make_private", "own_mappings", "parse"]

_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000
_PRIVATE_COPY = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS if os.name == "posix" else 0

# Of what is mapped under /dev, these are memory; the rest are devices.
_MEMORY = ("/dev/shm/", "/dev/zero", "/dev/hugepages/")
_NO_FILE = ("anon_inode:", "socket:", "/dmabuf")


@dataclass(frozen=True)
class Mapping:
    """A line of ``/proc/self/maps``; see proc(5).

    Attributes:
        start: Its first address.
        length: Its length in bytes.
        rights: Such as ``rw-s``; the last letter is ``s`` if it is shared.
        offset: Where in the file it begins.
        device: The file's device, as major and minor number.
        inode: The file's inode, or 0.
        path: The file, or what else is mapped.
    """

    start: int
    length: int
    rights: str
    offset: int
    device: tuple[int, int]
    inode: int
    path: str

    @property
    def protection(self) -> int:
        """Return its rights as mmap(2) has them."""
        bits = {"r": 1, "w": 2, "x": 4}
        return sum(bits.get(letter, 0) for letter in self.rights[:3])

    @property
    def is_device(self) -> bool:
        """Say whether it is not memory, but a device or a queue of the kernel."""
        in_dev = self.path.startswith("/dev/") and not self.path.startswith(_MEMORY)
        return in_dev or self.path.startswith(_NO_FILE)


def parse(lines: Iterable[str]) -> Iterator[Mapping]:
    """Yield the mappings that the lines of ``/proc/self/maps`` describe."""
    for line in lines:
        span, rights, offset, device, inode, *path = line.rstrip("\n").split(None, 5)
        start, end = (int(part, 16) for part in span.split("-"))
        major, minor = (int(part, 16) for part in device.split(":"))
        yield Mapping(
            start,
            end - start,
            rights,
            int(offset, 16),
            (major, minor),
            int(inode),
            path[0] if path else "",
        )


def own_mappings() -> list[Mapping]:
    """Return the mappings of this process.

    Raises:
        OSError: There is no ``/proc``.
    """
    text = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return list(parse(text.split("\n")[:-1]))


def make_private(limit: int) -> None:
    """Replace each shared mapping that could be written to by a private one at the same address.

    A file that can be opened is mapped privately, which copies nothing. Other memory is copied, up
    to `limit` bytes in all. What cannot be had is made inaccessible, devices among it.
    """
    left = limit
    for mapping in own_mappings():
        if not mapping.rights.endswith("s") or not (mapping.is_device or _is_writable(mapping)):
            continue
        if not mapping.is_device and _map_file(mapping):
            continue
        if not mapping.is_device and mapping.length <= left:
            _copy(mapping)
            left -= mapping.length
        else:
            flags = _PRIVATE_COPY | _MAP_FIXED | _MAP_NORESERVE
            libc.map_memory(mapping.start, mapping.length, 0, flags)


def _is_writable(mapping: Mapping) -> bool:
    """Say whether it can be written to, now or after a change of its rights."""
    if mapping.protection & 2:
        return True
    try:
        libc.protect_memory(mapping.start, mapping.length, mapping.protection | 3)
    except OSError as error:
        return error.errno != errno.EACCES
    return True


def _map_file(mapping: Mapping) -> bool:
    """Map the file behind a mapping privately; return False if it cannot be found again."""
    try:
        # So as not to wait if a FIFO is there now.
        descriptor = os.open(mapping.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return False
    try:
        found = os.fstat(descriptor)
        device = os.major(found.st_dev), os.minor(found.st_dev)
        if (device, found.st_ino) != (mapping.device, mapping.inode):
            return False
        if not stat.S_ISREG(found.st_mode):
            return False
        libc.map_memory(
            *(mapping.start, mapping.length, mapping.protection),
            *(mmap.MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE, descriptor, mapping.offset),
        )
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _copy(mapping: Mapping) -> None:
    """Replace a mapping by a copy of what is in it; what cannot be read becomes zeros."""
    if not mapping.protection & 1:
        libc.protect_memory(mapping.start, mapping.length, mapping.protection | 1)
    copy = libc.map_memory(0, mapping.length, 3, _PRIVATE_COPY)
    # Not by reading the memory itself: behind the end of a file that has shrunk that is fatal.
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        done = 0
        while done < mapping.length:
            left = mapping.length - done
            try:
                count = libc.read_memory(memory, copy + done, left, mapping.start + done)
            except OSError:
                count = 0
            done += count or mmap.PAGESIZE - done % mmap.PAGESIZE
    finally:
        os.close(memory)
    libc.protect_memory(copy, mapping.length, mapping.protection)
    libc.move_memory(copy, mapping.length, mapping.start)
