"""Which rights each version of Landlock is asked to hold."""

from __future__ import annotations

import pytest

from copilot_magic.sandbox.landlock import REFER, TRUNCATE, WRITE_FILE, handled


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes"),
    [
        (1, 0x1FFF, 0, 0),
        (2, 0x3FFF, 0, 0),
        (3, 0x7FFF, 0, 0),
        (4, 0x7FFF, 3, 0),
        (5, 0xFFFF, 3, 0),
        (6, 0xFFFF, 3, 3),
        (99, 0xFFFF, 3, 3),
    ],
)
def test_a_version_is_asked_for_what_it_knows(
    version: int, files: int, network: int, scopes: int
) -> None:
    assert handled(version) == (files, network, scopes)


def test_what_came_later_is_not_asked_of_earlier_versions() -> None:
    assert handled(1)[0] & WRITE_FILE
    assert not handled(1)[0] & (REFER | TRUNCATE)
    assert not handled(2)[0] & TRUNCATE
