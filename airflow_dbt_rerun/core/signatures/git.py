"""Git hosts over ssh and https, ``dbt deps`` and the package hub.

Git prints several lines; the reason is often in a line before "Could not read from remote repository", which does not
state one itself. Sources: git's, OpenSSH's and curl's texts, the answers of GitHub, GitLab, Bitbucket and Azure
DevOps, ``dbt.clients.git``, ``dbt.clients.registry``, ``dbt_common.utils.connection``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_GIT = r"^(?:fatal|remote|ssh|error|ERROR|batch response|Unpacking objects|fetch-pack): (?!dbt\d).{0,300}"
"""A line of git's. Error lines of dbt v2 start like git's, but with its code."""

TABLE = (
    *group(
        Category.THROTTLED,
        (
            _GIT + r"\b(?:error: 429|rate limit|too many requests|exceeding usage|Retry later)\b",
            "git hosts, GitLab's 429, Azure DevOps TF400733",
            "rate limit of the git host",
        ),
    ),
    *group(
        Category.ACCESS,
        (
            r"\bPermission denied \((?:publickey|password|keyboard)|\bHost key verification failed\b",
            "OpenSSH",
            "git access",
        ),
        (
            r"\bToo many authentication failures\b|\bREMOTE HOST IDENTIFICATION HAS CHANGED\b",
            "OpenSSH",
            "git access",
        ),
        (
            r"\bno (?:matching host key type|mutual signature)\b|\bLoad key .{0,80}(?:invalid|error)",
            "OpenSSH",
            "git access",
        ),
        (
            (
                r"(?<!\bpassword )\bAuthentication failed for\b|\bcould not read (?:Username|Password)\b"
                r"|\bterminal prompts disabled\b"
            ),
            "git over https",
            "git access",
        ),
        (
            r"^(?:remote: |ERROR: |fatal: )*(?:Repository|Project)\b.{0,200}\bnot found\b",
            "git hosts hide private ones",
            "git access",
        ),
        (
            (
                r"\bproject you were looking for could not be found\b|\bnot allowed to (?:download|pull"
                r"|access) (?:code|the|this)"
            ),
            "GitLab",
            "git access",
        ),
        (
            (
                r"\bHTTP Basic: Access denied\b|\bSupport for password authentication was removed\b"
                r"|\bWrite access to .{0,40}not granted\b"
            ),
            "GitLab, GitHub",
            "git access",
        ),
        (
            r"\bSAML SSO\b|" + _GIT + r"\baccount (?:is|has been) (?:suspended|locked|disabled)\b",
            "GitHub",
            "git access",
        ),
        (r"\bTF(?:400813|401019|401027|30063|200016)\b|\bVS(?:800075|403403)\b", "Azure DevOps", "git access"),
        (r"\bAuthentication is out of date\b", "dbt platform, GitLab", "git access"),
        (r"\bdeploy key\b.{0,60}\b(?:not|invalid|missing|removed|revoked)\b", "dbt platform", "git access"),
        (r"\b(?:dubious ownership|detected unsafe repository)\b", "git safe.directory", "git access"),
    ),
    *group(
        Category.RESOURCES,
        (_GIT + r"\bNo space left on device\b", "git, POSIX ENOSPC", "disk full"),
        (
            r"\bexceeded its (?:LFS|data) (?:budget|quota)\b|\bover its data quota\b",
            "GitHub LFS",
            "LFS budget spent",
        ),
        (
            r"\b(?:index-pack|pack-objects|upload-pack) died of signal 9\b",
            "git killed by the kernel",
            "out of memory",
        ),
        (
            r"\brepository (?:size )?(?:is )?(?:over|exceeds?) .{0,30}\b(?:limit|quota)\b",
            "git hosts",
            "repository too large",
        ),
    ),
    *group(
        Category.CODE,
        (
            (
                r"\bremote branch .{0,100}\bnot found\b|\bpathspec .{0,100}\bdid not match\b"
                r"|\bcouldn.t find remote ref\b"
            ),
            "git",
            "unknown branch or commit",
        ),
        (
            (
                r"\breference is not a tree\b|\bunadvertised object\b|\bnot our ref\b|\bbad (?:revision"
                r"|object)\b|\bunknown revision\b"
                r"|\bunable to (?:read|parse) (?:tree|commit)\b|\binvalid refspec\b"
                r"|\bdid not match any file\(s\) known\b"
            ),
            "git",
            "unknown branch or commit",
        ),
        (
            _GIT + r"\b(?:merge conflict|unrelated histories|divergent branches)|\bautomatic merge failed\b"
            r"|\bwould be overwritten by\b",
            "git",
            "merge conflict",
        ),
        (
            r"\bnot a git repository\b|\bno url found for submodule\b|\bnot recognized as a git\b",
            "git",
            "no repository",
        ),
        (
            _GIT
            + r"\b(?:file ?name too long|unable to find remote helper|requested URL returned error: 40[045])\b",
            "git",
            "git set-up",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\bkex_exchange_identification\b|\bssh_exchange_identification\b|\bssh_dispatch_run_fatal\b",
            "OpenSSH",
            "no connection",
        ),
        (
            r"\bRequest error: (?:Expected|The response|Keys for)",
            "dbt.clients.registry, dbt retries it",
            "package hub answers rubbish",
        ),
        (
            (
                r"\bbad (?:pack header|line length character)\b|\bexpected flush after ref listing\b"
                r"|\bexpected .packfile.\B"
            ),
            "git, a cut transfer",
            "connection lost",
        ),
        (
            r"\b(?:index|shallow|config|HEAD|packed-refs)\.lock\b|\bAnother git process seems to be running\b",
            "git",
            "git lock",
        ),
        (_GIT + r"\bUnable to create\b.{0,20}\bFile exists\b", "git", "git lock"),
        (
            _GIT + r"\b(?:Internal (?:Server )?Error|not responding|Service Unavailable|error: 5\d\d|HTTP 5\d\d)\b",
            "git hosts",
            "git host not available",
        ),
        (
            _GIT + r"\b(?:RPC failed|early EOF|hung up unexpectedly|unexpected disconnect|curl (?:16|18|28|35|52"
            r"|55|56|92)\b"
            r"|Connection (?:reset|refused|closed|timed out)|Operation timed out|Empty reply|recv error"
            r"|Failed to connect to \S{1,80} port)",
            "git, curl, OpenSSH",
            "connection lost",
        ),
    ),
    *group(
        Category.UNKNOWN,
        # A new container starts empty and works; one that keeps its directory does not.
        (r"\bdestination path .{0,120}\balready exists and is not an empty\b", "git clone", "left-over directory"),
    ),
)

SILENT = (
    *group(
        Category.TRANSIENT,
        (
            r"^External connection exception occurred\b",
            "dbt_common.utils.connection: what it retries",
            "no connection",
        ),
        (
            r"\binvalid (?:index-pack|pack) output\b|\bdid not send all necessary objects\b",
            "git, a cut transfer",
            "connection lost",
        ),
    ),
    *group(
        Category.UNKNOWN,
        (r"\bCould not read from remote repository\b", "git: no access or no connection", "repository not read"),
        (r"\bSomething went wrong while cloning\b", "dbt UnknownGitCloningProblemError", "repository not read"),
    ),
)
"""What is left when nothing around it says more."""
