"""Write ``core/diagnosis/fixed_words.txt``, the words that a report may show (see ``fixed_wording.py`` there).

They are the words that several messages of the corpus share outside quotes, names and paths, and those that the
help texts and module docstrings of Python use often: plain English about programs. What could be anybody's name,
company or table is in :data:`NAMES` and left out. Read the difference before you commit it.
"""

from __future__ import annotations

import ast
import json
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

from airflow_dbt_rerun.core.diagnosis.cleaning import evidence
from airflow_dbt_rerun.core.diagnosis.fixed_wording import FILE

CORPUS = Path(__file__).parents[1] / "tests" / "data"

LEAST_MESSAGES = 2
LEAST_TEXTS = 3

SOURCES: tuple[str, ...] = (
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "tempfile",
    "shutil",
    "sqlite3/dbapi2",
    "http/client",
)
SOURCES += ("urllib/request", "asyncio/streams", "asyncio/base_events", "logging/__init__", "email/message")
SOURCES += ("multiprocessing/pool", "concurrent/futures/_base", "gzip", "argparse", "os")

NAMES = frozenset(
    """acme alice anna bob books burger carol charlie cheese cleese customer customers dave david dev eggs eric eve
    foo guido ham hardy house idle jack john jones jim joe kate knight larry laurel mark mary mike monty nb
    nobody order orders parrot paul payment payments peter prod product products python revenue rossum sales sam
    sally shop smith spam spanish staging steven susan tim tom tutorial user1 wanda william zebra brian cesare
    cork dirk hi bacon sausage dutch holy grail french swallow african castle lancelot arthur bar baz qux quux
    lumberjack jython""".split()
)

MORE = frozenset(
    """abandoned aggregated approval approved archived assume auditor backlog balance balancer balancing banned
    blacklisted breaker brief burst cached calm checkpoint checksum circuit compaction compacted congested
    congestion consume cooldown corrupt corruption crashes critical damaged delay delayed delinquent demand deny
    depleted deprovisioned disallow draining dropped duplicated elastic election emergency eviction evicted
    exhausting exhaustion expiry failover fatally fence fenced flaky flush flushed follower forwarded freeze
    frozen gone greatly grown heartbeat hibernated hibernating idempotent idling impossible inactive instability
    interrupted interruption invalidation isolated jitter journal kernel lagging latency leader lease leased
    license licence licensed maintenance migrated migration missed mount mounted occupied offline ongoing
    orphaned outage outdated overdue overflowed overload overloaded oversized parallel partial partially
    patience pool pooled postponed preempted preemption prepared prohibited provisioned provisioning purged
    quarantined quiesced quorum rebalance rebalancing reboot rebooted rebooting recovering rejects reload
    remaining replication replicated replay reprovisioned rescheduled resharding resize resized resizing respawn
    threadpool whitelist resume resuming revoke rollout rotated saturated saturation scaling scaled schedule
    scheduler scheduling shard shards sharded shed shedding shortage skew skewed snapshots soft spare spilled
    stalled standby starvation starved stopped suspend suspending suspension swap swapped switchover tenant
    termination throttle throttled throttling tombstone transitioning trip tripped undergoing unexpectedly
    unhealthy unloaded unlock unmounted unresponsive unstable upgraded upgrading vacuum volume voted warm
    warming watermark wedged yielded zombie""".split()
)
"""Words of operations that neither source has; of an error that nobody has seen yet, they are the telling ones."""

_WORD = re.compile(r"(?<![\w.@/\\$-])[a-z]{2,25}(?![\w@/\\$(=-]|\.\w)")
_COMPOUND = re.compile(r"(?<![\w.@/\\$-])[a-z]{2,20}[-/][a-z]{2,20}(?![\w@/\\$(=-]|\.\w)")
_ANY_CASE = re.compile(r"(?<![\w.@/\\$-])[A-Za-z]{2,40}(?![\w@/\\$-]|\.\w)")


def main() -> None:
    """Write the file."""
    messages = [evidence(message) for message in _messages()]
    words = _common(messages, _ANY_CASE, LEAST_MESSAGES) | _common(messages, _COMPOUND, LEAST_MESSAGES)
    words |= _common(list(_python()), _WORD, LEAST_TEXTS)
    shown = sorted(word for word in words | MORE if NAMES.isdisjoint(re.split("[-/]", word)))
    FILE.write_text("\n".join(shown) + "\n", encoding="utf-8")


def _messages() -> Iterator[str]:
    for path in sorted(CORPUS.glob("messages*.jsonl")):
        for row in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(row)["message"] or ""


def _python() -> Iterator[str]:
    for text in topics.values():
        yield from text.split("\n\n")
    folder = Path(sysconfig.get_path("stdlib"))
    for name in SOURCES:
        path = folder / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield ast.get_docstring(node) or ""


def _common(texts: list[str], pattern: re.Pattern[str], least: int) -> set[str]:
    """Return the words that at least so many texts contain."""
    found = Counter(word for text in texts for word in {each.lower() for each in pattern.findall(text)})
    return {word for word, count in found.items() if count >= least}


if __name__ == "__main__":
    main()
