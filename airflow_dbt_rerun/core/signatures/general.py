"""Errors that every warehouse, driver, proxy and git server can send. Tried after all warehouses' own tables.

The order resolves ambiguities: a refused login inside "failed to connect" is access, a rate limit sent as 403 is
throttled, and an untrusted certificate does not heal although "max retries exceeded" surrounds it.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import git, http, network, others, sql
from airflow_dbt_rerun.core.signatures.signature import group

TOO_MANY = group(
    Category.THROTTLED,
    (
        (
            r"\btoo many (?:concurrent |open |simultaneous |active |running |existing |queued )*"
            r"(?:\w{1,20} )?(?:connections|queries|sessions|clients|statements|jobs|runs|requests"
            r"|transactions)\b"
        ),
        "MySQL 1040 and others",
        "too many at once",
    ),
    (
        (
            r"\b(?:connection|session|concurrency|concurrent \w{1,20}) (?:limit|quota) .{0,60}\b(?:reached"
            r"|exceeded|hit)\b"
            r"|\b(?:queue|pool) (?:is |was )?(?:full|exhausted|limit)\b|\bno (?:free|available"
            r"|more) connections?\b"
            r"|\bremaining connection slots\b"
        ),
        "drivers, connection pools",
        "too many at once",
    ),
    (
        (
            r"\b(?:maximum|max|limit) (?:number )?(?:of |on )?(?:allowed |concurrent |simultaneous |active "
            r"|open |parallel |running ){1,3}"
            r"(?:\w{1,20} )?(?:connections|queries|sessions|clients|statements|jobs|runs|requests|tasks)\b"
        ),
        "drivers",
        "too many at once",
    ),
)

ACCESS = group(
    Category.ACCESS,
    (
        (
            r"\b(?:incorrect|invalid|wrong|bad) (?:user ?(?:name)?|password|login|credentials?|access key"
            r"|api key)\b"
            r"|\bpassword (?:has )?expired\b|\b(?:username|login|user|account) (?:or|and|/) password\b"
        ),
        "drivers",
        "wrong credentials",
    ),
    (r"\bno longer has access to\b", "git hosts, drivers", "right taken away"),
    (
        (
            r"\binvalid_grant\b|\b(?:authentication|authorization|login|logon|sign-?in) (?:has )?(?:failed|failure|error"
            r"|denied|required)\b"
            r"|\bnot authenticated\b|\b(?:failed|unable|could not|cannot) (?:to )?(?:authenticate|log ?in"
            r"|sign in)\b"
            r"|\b(?:invalid|missing|no|without) (?:authentication|authorization)\b|\bAuthentication(?:Error"
            r"|Exception)\b"
        ),
        "drivers",
        "login failed",
    ),
    (
        (
            r"\b(?:invalid|expired|revoked|missing) (?:(?:OAuth|access|refresh|auth|bearer|security|JWT"
            r"|session|ID) )*token\b"
            r"|\binvalid_(?:grant|client|token)\b|\bunauthorized_client\b"
        ),
        "drivers, OAuth 2",
        "token refused",
    ),
    (
        (
            r"\b(?:token|secret|api key|access key|client secret|service account key) .{0,60}?"
            r"(?:is |has |was )(?:been |not )?(?:invalid|expired|revoked|disabled|valid)\b|\bAADSTS\d+"
        ),
        "drivers, Microsoft Entra",
        "token refused",
    ),
    (
        (
            r"\b(?:access|permission)s? (?:is |was |has been )?(?:denied|forbidden)\b|\b(?:insufficient"
            r"|missing|lacks?|lacking|not have"
            r"|no|without) (?:\S{1,40} ){0,3}?(?:privilege|permission|right|grant|authority)s?\b"
        ),
        "drivers",
        "access denied",
    ),
    (
        (
            r"\bnot (?:authorized|permitted|entitled)\b(?! in\b)|\bunauthori[sz]ed\b|\bforbidden\b"
            r"|\bAccess ?Control ?Exception\b"
            r"|\bAccess ?Denied\w*|\bpermission[_ ]denied\b|\bEACCES\b|\bEPERM\b|\bPermissionError\b"
            r"|\boperation not permitted\b"
        ),
        "drivers, POSIX EACCES",
        "not authorized",
    ),
)

RESOURCES = group(
    Category.RESOURCES,
    (r"\bcan't start new thread\b", "Python: threads of the container used up", "no more threads"),
    (
        (
            r"\bNo space left on device\b|\bdisk (?:is )?full\b|\bdisk quota exceeded\b|\bENOSPC\b|\bEDQUOT\b"
            r"|\b(?:out of|not enough|insufficient|no more) (?:\w{1,20} )?(?:disk|storage|space|tablespace)\b"
        ),
        "POSIX ENOSPC, EDQUOT",
        "disk full",
    ),
    (
        (
            r"\bout[ -]?of[ -]?memory\b|\bOutOfMemory\w*|\b(?:Memory|ArrowMemory)Error\b"
            r"|\bcannot allocate memory\b|\bstd::bad_alloc\b"
            r"|\bENOMEM\b|\bJava heap space\b|\bGC overhead limit\b|\bunable to create (?:new )?native thread\b"
        ),
        "POSIX ENOMEM, JVM, C++",
        "out of memory",
    ),
    (
        (
            r"\bmemory (?:limits?|quota|budget|threshold)\b.{0,40}\b(?:exceeded|reached|hit)\b"
            r"|\bOOM ?-?Killed\b|\boom-?killer\b"
            r"|\bexceed(?:s|ed|ing)?\b.{0,60}\bmemory\b|\b(?:not enough|insufficient|ran out of"
            r"|low on) (?:\w{1,20} )?(?:memory|heap)\b"
            r"|\b(?:failed|unable|could not|cannot) (?:to )?(?:allocate|reserve)\b.{0,40}\b(?:bytes|memory"
            r"|[KMGT]i?B)\b"
        ),
        "Kubernetes, JVM and others",
        "out of memory",
    ),
    (
        (
            r"\bkilled: (?:signal )?9\b|\bsignal: killed\b|\bSIGKILL\b|\bsignal 9\b"
            r"|\bWorker was terminated due to a memory\b"
            r"|\bexit(?:ed)?(?: with)? (?:code|status):? 137\b|^Killed$"
        ),
        "killed by the kernel",
        "out of memory",
    ),
    (
        (
            r"\b(?:billing|budget|credits?|spend(?:ing)?|usage limit|free (?:trial|tier)|subscription"
            r"|trial)\b.{0,60}\b(?:exceeded"
            r"|exhausted|depleted|has ended|expired|used up|ran out|is disabled|suspended)\b"
            r"|\bpayment required\b|\bout of credits\b"
        ),
        "drivers, HTTP 402",
        "budget spent",
    ),
    (r"\btoo many open files\b|\bEMFILE\b|\bENFILE\b", "POSIX EMFILE", "too many open files"),
)

CONTENTION = group(
    Category.TRANSIENT,
    (
        (
            r"\bdeadlock(?:ed|s)? (?:was |been )?(?:detected|found|victim|encountered|occurred)\b"
            r"|\bwas deadlocked\b|\bdue to (?:a )?deadlock\b"
        ),
        "MySQL 1213 and others",
        "deadlock",
    ),
    (
        (
            r"\bcould not serialize access\b|\bserializ(?:ation|able) (?:isolation )?(?:failure|conflict"
            r"|error|violation)\b|\bsnapshot isolation\b|\bwrite.write conflict\b"
            r"|\b(?:concurrent|conflicting) (?:\w{1,20} )?(?:update|modification|transaction|write|append"
            r"|delete|commit|change|operation|lock)s?\b"
            r"|\bdue to (?:a )?conflict\b|\bconflict(?:s|ed)? with (?:recovery|another|(?:a )?concurrent"
            r"|other)\b"
            r"|\b(?:update|write|transaction|commit|edit) conflict\b|\bConcurrent\w{1,40}Exception\b"
            r"|\boptimistic lock\w*"
        ),
        "SQLSTATE 40001 and others",
        "concurrent change",
    ),
    (
        (
            r"\block (?:wait |acquisition |request )?time-?d?[ -]?out\b|\bLockTimeout\w*|\b(?:failed|unable"
            r"|could not|cannot|timeout|timed out)"
            r"(?: to| while| when| waiting){0,3} (?:acquir\w{1,5}|obtain\w{0,5}|get\w{0,5}|for)(?: an?| the| exclusive"
            r"| shared| table| write| read){0,4} locks?\b"
            r"|\b(?:table|row|file|resource|object|database) \S{0,80} ?is (?:currently )?locked\b"
        ),
        "MySQL 1205 and others",
        "lock timeout",
    ),
)

CANCELLED = group(
    Category.CANCELLED,
    (
        (
            r"\b(?:cancell?ed|aborted|killed|stopped|terminated|interrupted) (?:by|on behalf of"
            r"|at the request of) "
            r"(?:an? |the |an? administrator|user)?(?:user|operator|admin(?:istrator)?|client request)\b"
            r"|\b(?:user|admin\w*) (?:cancell?ed|aborted|requested|interrupt)"
        ),
        "drivers",
        "cancelled by a user",
    ),
    (r"^Exited because of keyboard interrupt|^KeyboardInterrupt\b", "dbt-core", "stopped from the keyboard"),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (
        (
            r"\b(?:statement|query|job|task|session|command|execution|transaction|run|build|step|script)"
            r"(?: \S{1,60}){0,3}? (?:(?:has |was |is )?timed[ -]?out|(?:execution )?time-?out(?: (?:reached"
            r"|exceeded|expired|of|after|while)|$))\b"
            r"(?! (?:value|setting|parameter|must|config))"
        ),
        "drivers",
        "query timeout",
    ),
    (
        (
            r"\b(?:maximum|max|allowed) (?:\w{1,20} )?(?:execution|run|query|elapsed|cpu"
            r"|processing)[ _]?(?:time|duration)\b.{0,40}"
            r"\b(?:exceeded|reached)\b|\bexceeded? .{0,60}\b(?:time[ -]?out|time[ _-]?limit|run ?time"
            r"|execution[ _]time|duration|deadline)\b"
            r"|\btime[ _-]?limit .{0,40}\b(?:exceeded|reached)\b|\bdue to (?:a )?(?:\w{1,20} )?time-?out\b"
        ),
        "MySQL 3024 and others",
        "query timeout",
    ),
    (
        r"\bquery timeout expired\b|\btimed out: (?:RUNNING|PENDING)\b",
        "ODBC HYT00, Fusion on Databricks",
        "query timeout",
    ),
)

ASKED = (
    *group(
        Category.UNKNOWN,
        # "Check the URL and try again": a typing error, or a server that is down for now.
        (
            r"\b(?:check|verify|ensure|make sure|confirm|consult)\b.{0,120}\b(?:try|retry)(?: again|ing)?\b",
            "drivers",
            "check and retry",
        ),
    ),
    *group(
        Category.CODE,
        (
            (
                r"\b(?:fix|correct|change|reduce|remove|rename|update|specify|provide|choose|set|upgrade"
                r"|install|drop|delete|edit|modify"
                r"|simplify|rewrite)\b.{0,120}\b(?:and|then|before) (?:try|retry|re-?run|re-?submit"
                r"|run)\w*(?: again)?\b"
            ),
            "drivers",
            "correct and retry",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (
            (
                r"\b(?:please |and |then )?(?:try|retry) (?:again|later|the (?:request|operation|query"
                r"|transaction|statement|job|command)|in \d"
                r"|in a (?:few|moment|while)|after)\b|\b(?:can|may|should|safe to|please) (?:be )?retr(?:y"
                r"|ied)\b|\bis retry?able\b"
            ),
            "drivers",
            "the server asks to try again",
        ),
    ),
)

TABLE = (
    *http.TOO_LARGE,
    *http.THROTTLED,
    *others.THROTTLED,
    *TOO_MANY,
    *http.CERTIFICATE,
    *others.ACCESS,
    *http.REFUSED,
    *ACCESS,
    *others.RESOURCES,
    *RESOURCES,
    *others.CONTENTION,
    *CONTENTION,
    *CANCELLED,
    *network.LOST,
    *network.SETTING,
    *network.NO_ANSWER,
    *TIMED_OUT,
    *others.TIMED_OUT,
    *network.NAMES,
    *others.LOST,
    *http.UNAVAILABLE,
    *http.WRONG,
    *others.CODE,
    *sql.CODE,
    *ASKED,
    *git.SILENT,
)
