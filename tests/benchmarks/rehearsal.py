"""What trying code in a copy of a kernel costs, over running it."""

from __future__ import annotations

import json

from benchmarks.cells import running_kernel
from benchmarks.claims import MISSING, Bench, Claim, Measurement, Unmeasurable

# A million objects, so the memory is in small pages, whose tables a fork copies.
HOLD = """
held = [bytes([number % 256]) * 1000 for number in range(1_000_000)]
"""
# The cell that is timed, and the same code in a copy; by turns, after one of each.
COMPARE = """
import json, statistics, time
from copilot_magic import rehearse

def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

def tried():
    result = rehearse(CODE)
    assert result.ok, result.error

compiled = compile(CODE, "cell", "exec")
first = seconds(tried)
over = []
for _ in range(ROUNDS):
    own = seconds(lambda: exec(compiled, {**globals()}))
    over.append(seconds(tried) - own)
with open("/proc/self/statm") as statm:
    resident = int(statm.read().split()[1]) * 4096
print(json.dumps([first, statistics.median(over), max(over), resident]))
"""
SMALL = "total = len(held)"
# In a copy, an object that is so much as looked at is written to, so its page is copied first.
READING = "total = sum(len(each) for each in held[:200_000])"


def rehearsal(bench: Bench) -> list[Claim]:
    """Measure what a rehearsal takes over the code's own time, in a kernel that holds 1 GB."""
    from copilot_magic.sandbox.support import why_not

    if reason := why_not():
        raise Unmeasurable(reason)
    bench.uses("copilot-magic", "ipykernel")
    rounds = bench.choose(21, 5)
    found = []
    with running_kernel() as kernel:
        kernel.run(HOLD)
        for code in (SMALL, READING):
            bench.say(f"rehearsal of {code}, {rounds} rounds")
            kernel.run(f"CODE, ROUNDS = {code!r}, {rounds}")
            run = kernel.run(COMPARE)
            assert run.reply["status"] == "ok", run.error
            found.append(json.loads(run.text))
    (first, small, most, resident), (_, reading, _, _) = found
    assert resident > 1e9, resident
    bench.note(
        f"The kernel held {resident / 1e9:.1f} GB, in a million objects. Its first rehearsal took "
        f"{1000 * first:.0f} ms in all, the longest of the others {1000 * most:.0f} ms over the "
        "code's own time."
    )
    return [
        Claim(
            "rehearsal in a copy of a kernel that holds 1 GB, over the code's own time, ms",
            MISSING,
            f"{1000 * small:.0f}",
            "≤ 150",
            small <= 0.15,
        ),
        Claim(
            "the same for code that goes through 200 MB of it, which the copy copies, ms",
            MISSING,
            f"{1000 * reading:.0f}",
        ),
    ]


MEASUREMENTS = (
    Measurement(
        rehearsal,
        (
            "rehearsal in a copy of a kernel that holds 1 GB",
            "the same for code that goes through 200 MB of it",
        ),
    ),
)
