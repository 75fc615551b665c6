"""Plain words, the last resort before unknown: for drivers and servers that have no table.

The order matters. Errors of permissions, memory and size limits have more specific words than errors in the SQL, so
they come first; then all words of permanent errors ("invalid", "must be", "not found"); only then the words of errors
that may heal ("connection lost", "try again"). Words that occur in both kinds are unknown, or in no entry at all.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import permanent
from airflow_dbt_rerun.core.signatures.signature import group

_BROKEN = (
    r"(?:lost|reset|clos(?:ed|ing)|dropped|broken|terminated|aborted|interrupted|unreachable|refused"
    r"|disconnected|unavailable|timed? ?out|died|gone|expired|stale|not (?:available|open|alive|established"
    r"|reachable|responding))"
)
_PEER = (
    r"(?:connection|socket|network|channel|session|transport|broker|coordinator|worker|node|host|peer|server"
    r"|service|endpoint"
    r"|backend|gateway|proxy|cluster|warehouse|executor|replica|leader|master|metastore|remote|stream"
    r"|heartbeat)"
)
DOUBTFUL = group(
    Category.UNKNOWN,
    # A person, a timeout or a shutdown: the words do not say which.
    (
        (
            r"^(?:.{0,60}: )?(?:\w{1,20} )?(?:statement|query|job|task|operation|request|run|execution"
            r"|command|it) (?:was |has been |is )?"
            r"(?:cancell?ed|interrupted|killed|aborted|stopped)\.?$|^(?:.{0,60}: )?(?:context )?cancell?ed\.?$"
        ),
        "any driver",
        "cancelled by someone",
    ),
    (
        (
            r"\b(?:check|verify|make sure|ensure)\b.{0,80}\b(?:host(?:name)?|port|url|address|connection|network"
            r"|endpoint|server|firewall|running)\b"
        ),
        "any driver",
        "no connection, or a wrong address",
    ),
)

FUSION = (
    *group(
        Category.ACCESS,
        (
            (
                r"\bdbt(?:1066|1068|125[0-4]"
                r"|1301)\b"
            ),
            "dbt v2 codes.rs: license, rights, credentials",
            "access denied",
        ),
    ),
)

THROTTLED = group(
    Category.THROTTLED,
    (
        (
            r"\b(?:too many (?!(?:\w{1,20} )?(?:columns|arguments|parameters|values|fields|tables|levels|expressions"
            r"|keys|rows|partitions|elements|characters|entries|constraints|arms|operands|variables)\b)"
            r"|(?:throttl\w+|rate[ -]?limit\w*|backpressure|back.?off|overload(?:ed)?|slow ?down"
            r"|queue (?:limit|length|size|depth|is full|full))\b)"
        ),
        "any service",
        "too many at once",
    ),
    (
        (
            r"\b(?:rate|requests?|queries|calls|connections?|sessions?|jobs|concurren\w+|slots?"
            r"|per (?:second|minute|hour|day|\d+ ?s\w*))\b.{0,60}"
            r"\b(?<!retries )(?:exceed(?:s|ed|ing)?|reached|hit|exhausted|too high)\b"
            r"|\b(?:exceed(?:s|ed|ing)?|reached|hit|over)\b.{0,80}\b(?:rate|requests|queries|calls"
            r"|concurren\w+|connections|sessions|slots?"
            r"|per[ -](?:second|minute|hour|day))\b"
        ),
        "any service",
        "quota over time",
    ),
    (
        (
            r"\b(?:no (?:free|available|idle|more) (?:slots?|connections?|workers?|capacity)|at capacity"
            r"|capacity (?:exceeded|not available|reached)|server busy|is busy)\b"
        ),
        "any service",
        "no capacity",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (
        (
            r"\b(?:timed[ -]?out|time-?out (?:was |has been )?(?:reached|exceeded|expired|elapsed|after|of"
            r"|while|waiting|error)|\w{0,40}Timeout(?:Error|Exception|Expired)"
            r"|deadline(?:[ _](?:was )?exceeded|Exceeded)|(?:took|ran|running|waited) (?:too long"
            r"|longer than)|time (?:limit|budget) (?:was )?(?:exceeded|reached))\b"
            r"(?! (?:must|should|value|setting|parameter|config))"
        ),
        "any driver",
        "timed out",
    ),
)

QUOTA = group(
    Category.UNKNOWN,
    # Of bytes it stays, of requests it refills.
    (
        (
            r"\b(?:quota|limit)\b.{0,60}\b(?:exceed\w*|reached|hit|exhausted)\b|\b(?:exceed\w*|reached|hit"
            r"|over)\b.{0,60}\b(?:quota|limit)\b"
        ),
        "any service",
        "some quota",
    ),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (r"\b" + _PEER + r"s?\b(?: \S{1,60}){0,5}? " + _BROKEN + r"\b", "any driver", "connection lost"),
    (
        r"\b(?:(?:lost|lose|losing|broken|dropped|dead|stale|interrupted) |(?:unable to|could not|cannot"
        r"|can.t|failed to|failure to) (?:establish|reach|contact|connect"
        r"|communicate|send|receive)\b.{0,60}\b|(?:error|problem|failure|exception) (?:while |when |in "
        r"|during )?(?:communicating|connecting|communication|establishing|sending|receiving)"
        r"\b.{0,60}\b)" + _PEER + r"\b",
        "any driver",
        "no connection",
    ),
    (
        (
            r"\b(?:connection|network|socket|communication|handshake|transport|link) (?:failed|failure|error"
            r"|problem|issue|exception)s?\b(?!: \S)"
            r"|^(?:.{0,80}: )?(?:failed to connect|unable to connect|could not connect|cannot connect"
            r"|connect(?:ion)? (?:failed|failure|error))\b(?!\W*\Z)"
        ),
        "any driver",
        "no connection",
    ),
    (
        r"\b(?:no (?:alive|live|healthy|available) "
        + _PEER
        + r"s?|(?:connection|cluster|node|worker|broker|coordinator|executor|backend|server|leader|replica"
        r"|host|instance)s?"
        r"\b(?: \S{1,60}){0,5}? (?:crashed|left|down|died|killed|lagging|changed|terminated|not found))\b",
        "any cluster",
        "a node is gone",
    ),
    (
        (
            r"\b(?:temporarily|(?:temporary|transient) (?:\w{1,20} )?(?:failure|error|problem|outage|issue"
            r"|condition|fault)|intermittent|momentar(?:y|ily)|retry?able|please retry|try again|retry later"
            r"|(?:is|are|being) restart(?:ing|ed)|shutting down|starting up|shut ?down"
            r"|failover|fail-over|maintenance|preempted|evicted|unavailable|unreachable|not (?:responding"
            r"|reachable|ready))\b"
        ),
        "any service",
        "temporarily unavailable",
    ),
    (
        (
            r"\b(?:deadlock\w*|lock(?:ed)? (?:by|conflict|wait|timeout|not available)|serializ\w+ (?:failure"
            r"|error|conflict)|concurrent(?:ly)?|collision|snapshot too old|optimistic)\b"
        ),
        "any database",
        "concurrent change",
    ),
    (
        (
            r"\b(?:\w{0,40}(?:Connect\w{0,4}|Connection\w{0,10}|Network|Socket|Transport"
            r"|Communication\w{0,4}|Unavailable|Interface|Operational(?!Error)|Disconnect\w{0,3}|EOF"
            r"|ThriftRPC))"
            r"(?:Error|Exception)\b"
        ),
        "any driver's exception class",
        "no connection",
    ),
)

TABLE = (
    *DOUBTFUL,
    *FUSION,
    *permanent.ACCESS,
    *permanent.RESOURCES,
    *permanent.CODE,
    *THROTTLED,
    *TIMED_OUT,
    *QUOTA,
    *TRANSIENT,
    *group(
        Category.TRANSIENT,
        (r"\bdbt(?:1200|1300|1304)\b", "dbt v2 codes.rs: network, SQLSTATE 08 and 57", "not available"),
    ),
    *group(
        Category.CODE,
        (
            r"\bdbt(?:1001|1003|1015|1016|1017|1021|1151|1153|1154|1501)\b",
            "dbt v2 codes.rs: files, Jinja, packages",
            "project error",
        ),
    ),
)
