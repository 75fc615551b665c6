"""Errors of dbt and of the dbt platform themselves, for every warehouse. Tried first.

dbt-core writes the exception's kind in front ("Compilation Error"); its configuration errors are Runtime Errors and
are recognised by their text only. Sources: every exception of ``dbt_common.exceptions``, ``dbt.exceptions`` and
``dbt.adapters.exceptions`` and the sentences at their raise sites (dbt-core 1.11, dbt-adapters 1.24), dbt v2's
``crates/dbt-error/src/codes.rs``, the platform's run ``status_message``, its FAQ pages and its incident reports
(status.getdbt.com).
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import git
from airflow_dbt_rerun.core.signatures.signature import group

_FUSION_CODE = (
    r"\bdbt(?:0[1-46-9]\d\d|10(?:0[5-9]|10|12|13|2[2-9]|3[0-79]|4[2-9]|5[68]|59|6[012459]|7[0-8]|8[0-24-9]"
    r"|9[0-9])"
    r"|11(?:0[0-9]|10|5[05-9]|60)|130[67]|140[058]|145[01]|150[02-9]|160[0-5]|165[0-9]|170\d|180\d|2001"
    r"|3\d{3}|899[678])\b"
)
"""dbt v2's codes of SQL, project, profile, YAML and command line: those that never carry another system's error."""

HOOKS = group(
    Category.UNKNOWN,
    # dbt orders nodes, not hooks: what a hook misses may be on its way from another job.
    (
        (
            r"^hook failed:\s{0,3}(?:\S{1,60} Error:? )?.{0,120}"
            r"\b(?:does not exist|TABLE_OR_VIEW_NOT_FOUND|Invalid object name|Not found: Table|cannot be found)\b"
        ),
        "a hook that misses a relation",
        "hook misses a relation",
    ),
)

V2_STATES = (
    # dbt v2's drivers end with the server's code, which says more than words in any language.
    *group(Category.ACCESS, (r"\(SQLSTATE: (?:42501|28\w{3}|0[LP]\w{3})\)", "dbt v2 drivers", "not authorized")),
    *group(Category.RESOURCES, (r"\(SQLSTATE: 53[124]00\)", "dbt v2 drivers", "memory or disk")),
    *group(Category.THROTTLED, (r"\(SQLSTATE: 53300\)", "dbt v2 drivers", "too many connections")),
    *group(
        Category.TRANSIENT,
        (
            r"\(SQLSTATE: (?:40\w{3}|55P03|57P0[1-3]|08(?!004)\w{3})\)",
            "dbt v2 drivers",
            "connection or transaction lost",
        ),
    ),
    *group(
        Category.CODE,
        (
            r"\(SQLSTATE: (?:2[0-4]|2[67BDF]|3[3459BCDF]|42|44|54|0[7AZ])\w{3}\)",
            "dbt v2 drivers",
            "wrong SQL or data",
        ),
    ),
)

TABLE = (
    *HOOKS,
    *V2_STATES,
    *group(
        Category.TRANSIENT,
        (
            r"__dbt_(?:tmp|backup)\w{0,40}\W{1,4}(?:does not exist|was not found|not found)\b",
            "dbt's own helper relations, gone under a run: another run of the same model was quicker",
            "helper relation gone",
        ),
        (
            r"\bFailed to get index from .{1,200}\bRequest failed after \d+ retries\b",
            "dbt v2: the package hub does not answer",
            "package hub not reachable",
        ),
        (r"\bdictionary changed size during iteration\b", "dbt-core's own threads", "threads in each other's way"),
    ),
    *group(
        Category.TEST_FAILED,
        (r"\bgot \d+ results?, configured to (?:fail|warn)", "dbt-core run_results", "data test failed"),
        (r"^actual differs from expected", "dbt-core run_results", "unit test failed"),
        (r"\bERROR STALE\b|\bdbt1063\b", "dbt-core log of dbt source freshness, dbt v2", "stale source"),
        (r"^Failure in (?:test|unit_test|data_test) \S+", "dbt-core log", "test failed"),
    ),
    *group(
        Category.UNKNOWN,
        # The relation may be missing for good, or only not be built yet.
        (r"\bNot able to get columns for unit test\b", "dbt-core unit tests", "unit test misses a relation"),
        (r"\bThis is an error in dbt\b|\bpanicked (?:at|with|during)\b", "dbt v2's bug reports", "dbt's own bug"),
        (
            r"^(?:FailFast Error\b.{0,3}|Failing early due to)",
            "dbt-core FailFastError",
            "stopped after another failure",
        ),
        (r"\b(?:dbt1404|dbt8995)\b", "dbt v2 TaskCancelled, OperationCanceled", "cancelled, not said by whom"),
        (r"^Cache inconsistency detected\b", "dbt-adapters CacheInconsistencyError", "dbt's cache is wrong"),
    ),
    *group(
        Category.CODE,
        (
            (
                r"an enforced contract(?: that failed|, and its)|\bbreaking change to an enforced contract\b"
                r"|\bContracted models require\b"
            ),
            "dbt-core ContractError, ContractBreakingChangeError",
            "contract broken",
        ),
        (r"^Compilation Error\b", "dbt-core CompilationError", "compilation error"),
        (r"\bFound a cycle\b", "dbt-core linker.py", "models refer to each other"),
        (r"\bis not allowed because the referenced node is\b", "dbt-core DbtReferenceError", "private model"),
        (r"\bNo module named\b", "Python", "package missing"),
        (r"^(?:Yaml )?Parsing Error\b", "dbt-core ParsingError", "parsing error"),
        (r"\bEnv var required but not provided\b", "dbt-core EnvVarMissingError", "missing env var"),
        (
            (
                r"^(?:Undefined Macro|Duplicate Macro|Duplicate Resource|Contract|Breaking change to contract"
                r"|Plugin|Alias|Semantic) Error\b"
            ),
            "dbt-core",
            "project error",
        ),
        (r"^(?:Yaml |Json )?Validation Error\b", "dbt-core ValidationError", "invalid configuration"),
        (
            r"^dbt (?:Configuration|Project|Profile|Selectors?) Error\b",
            "dbt-core DbtConfigError",
            "invalid configuration",
        ),
        (
            (
                r"\bCould not find (?:an? |the |any |previous )*(?:profile|model|macro|selector|manifest"
                r"|package|run|project|target|adapter"
                r"|source|node|dbt_project\S*|profiles\S*)\b"
                r"|\bdbt could not find (?:an? )?(?:\w{1,20} ){0,2}(?:macro|models|package)"
            ),
            "dbt-core",
            "unknown name",
        ),
        (
            (
                r"\bCould not (?:read|render|parse|interpret|compute|run) (?:the )?(?:selector|freshness"
                r"|dbt_project|profiles|packages|index config"
                r"|constraint|data.?type|\w{1,40} at)\b"
            ),
            "dbt-core",
            "invalid configuration",
        ),
        (
            (
                r"^Credentials in profile .{0,80}\binvalid\b|\bof profile .{0,80} is misconfigured\b"
                r"|\boutputs not specified in profile\b"
                r"|\bprofile .{0,80} does not have a target named\b"
                r"|\brequired field .{0,30} not found in profile\b"
            ),
            "dbt-core DbtProfileError",
            "invalid profile",
        ),
        (
            (
                r"\bNo \S+ found at expected path\b|\bNot a dbt project\b|\bMissing dbt_project\.yml\b"
                r"|\b(?:does not parse to a dictionary|must have a name!|is not a valid dbt project)"
            ),
            "dbt-core DbtProjectError",
            "no project",
        ),
        (
            (
                r"\bat path \[.{0,200}\]: |\bAdditional properties are not allowed\b|\bis a required property\b"
                r"|^Failed validating\b|\bmashumaro\.exceptions\.|\bis not JSON serializable\b"
            ),
            "dbt-core, jsonschema, mashumaro",
            "invalid YAML",
        ),
        (
            (
                r"\b(?:Syntax error near line \d+|mapping values are not allowed|could not find expected .:."
                r"|found character .{0,20}cannot start"
                r"|while (?:parsing a (?:block|flow|node)|scanning (?:for|a|an) (?:the|simple|quoted|alias"
                r"|plain)))"
            ),
            "PyYAML",
            "invalid YAML",
        ),
        (
            (
                r"^(?:Version error for package|Could not find a matching compatible version)\b"
                r"|\bVersionsNotCompatible\w*"
            ),
            "dbt-core DependencyError",
            "package version conflict",
        ),
        (
            (
                r"^Package .{0,80}\bwas not found in the package index\b|\bCannot resolve private package\b"
                r"|^Invalid (?:private )?package\b"
                r"|\bIncorrect structure for package\b|\bCannot incorporate\b.{0,200}\bmismatched types\b"
            ),
            "dbt-core DependencyError",
            "unknown package",
        ),
        (
            (
                r"\bgit dependencies should contain exactly one version\b|\bFound (?:duplicate project"
                r"|a dependency with the same name)\b"
                r"|\bRun .dbt deps.|\bdbt deps\b.{0,40}\binstall package dependencies\b"
                r"|\bpackage\(s\) installed\b"
            ),
            "dbt-core DependencyError",
            "wrong packages",
        ),
        (
            (
                r"^\S{1,60} is undefined\b|\btakes no keyword argument\b"
                r"|(?<!__init__\(\) )\bmissing \d+ required positional arguments?\b"
                r"|\bhas no attribute\b.{0,80}\bmacro|\bexpected token\b|\bEncountered unknown tag\b"
                r"|\bJinja block\b"
            ),
            "dbt-core, Jinja",
            "compilation error",
        ),
        (
            (
                r"\bdbt found (?:two|multiple|more than one|versioned|an approximate match)\b"
                r"|\bdbt was unable to infer all dependencies\b"
                r"|\bdepends on (?:an? )?(?:\w{1,20} )?(?:named )?.{1,200}\bwhich (?:was not found"
                r"|is disabled|is not in the graph)"
            ),
            "dbt-core CompilationError",
            "project error",
        ),
        (
            (
                r"^This version of dbt is not supported with\b|\bNo adapters available\b"
                r"|\bCould not find adapter type\b"
                r"|\bpackages? require a different version of dbt\b|\brequire-dbt-version\b"
            ),
            "dbt-core",
            "dbt version not supported",
        ),
        (
            (
                r"^(?:Usage: dbt|Error: (?:No such|Invalid value|Missing|Got unexpected|Option|Unknown))\b"
                r"|^No such (?:option|command)\b"
                r"|^error: (?:unexpected argument|invalid value|unrecognized subcommand|the following required)"
                r"|\b(?:is not a valid command|not allowed with argument|mutually exclusive"
                r"|both before and after the subcommand)\b"
            ),
            "dbt-core, click, clap",
            "wrong command line",
        ),
        (
            (
                r"(?:^|\W)--(?:state|defer-state|select|inline|event-time-(?:start|end)|full-refresh"
                r"|vars)\b.{0,80}"
                r"\b(?:required|must|not|neither|without)\b|\bThe flag \S{1,40} was specified, but\b|\bno comparison (?:manifest|run_results)\b"
            ),
            "dbt-core",
            "wrong command line",
        ),
        (
            (
                r"\bmicrobatch\b.{0,120}\b(?:must|requires?|does not|incremental_strategy|config)\b"
                r"|\bincremental strategy .{0,80}\b(?:is not valid|not supported|requires?)\b"
                r"|\bRelation name .{0,200}\bis longer than \d+ characters\b"
            ),
            "dbt-core, dbt-adapters",
            "invalid configuration",
        ),
        (
            (
                r"\bTables contain columns with the same names\b|\bExpected a (?:timestamp"
                r"|non-null) value when querying\b"
                r"|\b(?:currently exists as a|Cannot seed to)\b|\bCross-db references not allowed\b"
                r"|\bReturned \d+ (?:rows|columns), but expected\b"
            ),
            "dbt-core, dbt-adapters",
            "project error",
        ),
        (_FUSION_CODE, "dbt v2 codes.rs: SQL, project, YAML, command line", "compilation error"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bdbt1305\b", "dbt v2 DbTxnConflict", "transaction conflict"),
        (r"\bdbt1201\b", "dbt v2 HttpTimeout", "no answer"),
        (r"^Internal error\.?$", "status.getdbt.com 2026-02", "platform's internal error"),
        (r"^Error retrieving publications\b", "status.getdbt.com 2026-02", "publications not available"),
    ),
    *group(
        Category.RESOURCES,
        (r"\brun memory limits?\b", "platform status_message, FAQ", "run's memory limit"),
        (
            (
                r"\b(?:account|plan|project) .{0,60}\b(?:exceeded|reached|over)\b.{0,60}\b(?:successful models"
                r"|models built|usage limit|seats?|plan limit)"
            ),
            "dbt platform billing",
            "plan's limit reached",
        ),
    ),
    *group(
        Category.TIMED_OUT,
        (
            (
                r"^(?:This |The )?(?:run|job) (?:has )?timed out\b|\brun (?:was )?cancell?ed (?:due to"
                r"|because of) (?:a )?time"
            ),
            "platform",
            "job timeout",
        ),
        (
            r"\brun exceeded .{0,40}\btimeout\b|\bexceeded the configured timeout of \d+ seconds\b",
            "platform status_message",
            "job timeout",
        ),
        (r"\bdbt1403\b", "dbt v2 TaskTimeout", "task timeout"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bdbt1202\b", "dbt v2 RateLimited", "rate limit"),
        (
            r"\bwait(?:ed|ing) .{0,40}\bcapacity\b|\bcapacity constraints\b",
            "status.getdbt.com 2026-02",
            "no capacity",
        ),
        (
            (
                r"\b(?:queued|in the queue) for (?:more|longer) than\b|\bwaiting for a run slot\b"
                r"|\bover-?queued\b|\bno (?:free )?run slots?\b"
            ),
            "dbt platform",
            "no run slot",
        ),
        (r"\bcancell?ed after waiting\b", "status.getdbt.com 2026-02", "no capacity"),
    ),
    *group(
        Category.CANCELLED,
        (
            (
                r"^(?:This |The )?(?:run |job )?(?:was |has been )?cancell?ed by (?!the (?:system|platform"
                r"|scheduler)|system|dbt)"
            ),
            "platform",
            "cancelled",
        ),
    ),
    *git.TABLE,
)
