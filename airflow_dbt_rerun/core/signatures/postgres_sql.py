"""PostgreSQL: errors in the SQL or the data, by families of the server's messages.

Source: the server's message catalog; each family was tried on all of it, the codes are those of Appendix A.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

SAYS = (
    r"(?:^(?:(?:ERROR|FATAL|Database Error|Invalid operation|\w{1,20}Error|psycopg2?\.[\w.]{1,60}): )?|'…': ['\"])"
)
"""Where the server's sentence starts; redshift_connector shows it in a dict, whose keys are blanked.

It starts in lower case, which tells it from other vendors' words."""

_SUBJECT = (
    r"(?:(?:aggregate|window|set-returning|grouping|SQL|trigger) functions?|functions?|procedure|operator|cast|(?:data )?type"
    r"|columns?|relation|table|(?:materialized )?view|index|constraint|(?:foreign|primary|unique) key|partition|rule|trigger"
    r"|domain|enum|array|range|record|parameter|argument|option|default|expression|subquery|recursive|frame|sequence|cursor"
    r"|generated column|identity column|collation|jsonpath|policy|default values?|join|inherited|child|target|reference"
    r"|SELECT|INSERT|UPDATE|DELETE|MERGE|COPY|UNION|INTERSECT|EXCEPT|VALUES|WITH|RETURNING|ON CONFLICT|ORDER BY|GROUP BY"
    r"|DISTINCT|LIMIT|OFFSET|FOR UPDATE|CREATE|ALTER|DROP|GROUPING|TABLESAMPLE|FILTER|OVER|JOIN|USING|NATURAL|LATERAL|LIKE)"
)
"""What the server's sentences about wrong SQL are about."""

UNKNOWN_NAMES = group(
    Category.CODE,
    (r"\b(?:database|catalog) \S+ does not exist\b|\bno such database\b", "PostgreSQL 3D000", "unknown database"),
    (r"\b(?:relation|table|view|index) \S+ (?:\S+ )?does not exist\b", "PostgreSQL 42P01", "unknown relation"),
    (r"\bcolumn \S+ (?:of relation \S+ )?does not exist\b", "PostgreSQL 42703", "unknown column"),
    (
        r"\b(?:function|procedure|aggregate|operator|routine|trigger|constraint|policy|language)\b.{0,300} does not exist\b",
        "PostgreSQL 42883, 42704",
        "unknown function",
    ),
    (
        r"\b(?:schema|type|extension|collation|sequence|encoding|tablespace|server|cursor|parameter) \S+ .{0,60}does not exist\b",
        "PostgreSQL 3F000, 42704",
        "unknown schema or type",
    ),
    (r"\bmissing FROM-clause entry for table\b", "PostgreSQL 42P01", "unknown relation"),
    (r"\binvalid reference to FROM-clause entry\b", "PostgreSQL 42P01", "unknown relation"),
    (r"\bextension \S+ is not available\b|\bcould not open extension control file\b", "PostgreSQL", "no extension"),
    (
        r"\b(?:existiert nicht|no existe (?:la|el|en)\b|\bn.existe pas\b|n.o existe\b)",
        "PostgreSQL 42P01 and others, translated",
        "unknown object",
    ),
)

WRONG_SQL = group(
    Category.CODE,
    (r"\bsyntax error at (?:or near|end of input)\b", "PostgreSQL 42601", "syntax error"),
    (
        r"\b(?:Syntaxfehler bei|erreur de syntaxe|error de sintaxis|erro de sintaxe|errore di sintassi)\b",
        "PostgreSQL 42601, translated",
        "syntax error",
    ),
    (r"\bINSERT has more (?:expressions|target columns)\b", "PostgreSQL 42601", "column count"),
    (
        r"\b(?:same|wrong|too many|too few) (?:number of )?(?:columns|arguments|parameters)\b",
        "PostgreSQL 42601",
        "count",
    ),
    (r"\bis ambiguous\b|\bis not unique\b", "PostgreSQL 42702, 42725", "ambiguous name"),
    (r"\bmust appear in the (?:GROUP BY clause|select list)\b", "PostgreSQL 42803", "grouping error"),
    (
        r"\b(?:aggregate|window|set-returning|grouping) (?:functions?|operations?|calls?) .{0,60}\b(?:not allowed|nested)\b",
        "PostgreSQL 42803, 42P20",
        "grouping error",
    ),
    (
        r"\b(?:are|is) not (?:allowed|permitted|possible) (?:in|here|on|for|with|by)\b(?! the free)",
        "PostgreSQL 42P10",
        "not allowed",
    ),
    (r"\b(?:is|are) of type .{1,80} but .{0,40}expression\b", "PostgreSQL 42804", "wrong type"),
    (r"\btypes .{1,80} cannot be matched\b|\bcannot cast (?:type )?", "PostgreSQL 42804, 42846", "wrong type"),
    (
        r"\bcould not (?:determine|identify|choose|convert|implement|find (?:array|range|element)|parse|create unique)\b",
        "PostgreSQL 42P18, 42725, 23505",
        "wrong type or data",
    ),
    (r"\binvalid input syntax for\b", "PostgreSQL 22P02", "value does not fit its type"),
    (r"\binvalid (?:byte sequence|input value|value for)\b", "PostgreSQL 22021, 22P02", "invalid value"),
    (r"\b(?:out of range(?: for type)?|field overflow)\b", "PostgreSQL 22003", "value out of range"),
    (r"\bdivision by zero\b", "PostgreSQL 22012", "division by zero"),
    (r"\b(?:value|identifier) too long\b|\bname .{0,80}\btoo long\b", "PostgreSQL 22001, 42622", "value too long"),
    (r"\bduplicate key value violates unique constraint\b", "PostgreSQL 23505", "duplicate key"),
    (
        (
            r"\bviolates (?:not-null|foreign key|check|exclusion|unique|partition) constraint\b"
            r"|\bis violated by some row\b|\bcontains null values\b|\bno partition of relation\b"
        ),
        "PostgreSQL class 23",
        "constraint violated",
    ),
    (r"\bmore than one row returned by a subquery\b", "PostgreSQL 21000", "cardinality"),
    (
        r"\bcannot affect row a second time\b|\bno unique or exclusion constraint\b",
        "PostgreSQL 21000",
        "cardinality",
    ),
    (r"\bbecause other objects depend on it\b", "PostgreSQL 2BP01", "other objects depend on it"),
    (
        r"\bspecified more than once\b|\bconflicting or redundant\b|\bduplicate \w{3,20} name\b",
        "PostgreSQL 42701",
        "twice",
    ),
    (
        r"\b(?:schema|type|function|column|constraint|trigger|extension|database|index) \S+ .{0,60}already exists\b",
        "PostgreSQL 42P06, 42710",
        "already exists",
    ),
    (r"\b(?:stack depth limit exceeded|can have at most \d+ )", "PostgreSQL class 54", "statement too large"),
    (r"\bsubquery in FROM must have an alias\b|\bunterminated \S", "PostgreSQL 42601", "syntax error"),
    (r"\b(?:argument|argument \d+|result|type) of .{1,80} must (?:be|not)\b", "PostgreSQL 42804", "wrong type"),
    (
        r"\bunrecognized (?:configuration )?(?:parameter|option|format|reset)\b",
        "PostgreSQL 42704",
        "unknown option",
    ),
    (
        r"\bunsupported startup parameter\b|\bSSL (?:was required|connection is required)\b",
        "PgBouncer, libpq",
        "profile",
    ),
    (
        (
            r"\binvalid (?:sslmode|port number|connection option|URI|dsn)\b|\bmissing \"…\" after \"…\" in connection\b"
            r"|\bauthentication method \S+ not supported\b|\bSCRAM authentication requires\b"
        ),
        "libpq",
        "wrong profile",
    ),
    (
        r"(?-i:\b(?:access|on|of|for|only) temporary (?:tables?|relations?|indexes|schemas|views?|objects))\b|\bWITH HOLD\b",
        "PostgreSQL 42P16, 0A000",
        "temporary objects",
    ),
    (
        r"\btoo many (?:column|check|grouping|argument|parameter|lexeme|range table|points|regular|array|elements)",
        "PostgreSQL class 54, 42601",
        "statement too large",
    ),
    (
        (
            r"\brow is too big\b|\brow size \d+ exceeds\b|\breached (?:maximum|minimum) value of sequence\b"
            r"|\bhas no equivalent in encoding\b|\bquery has no destination\b|\bwithout RETURN\b|\bnot recognized\b"
            r"|\b(?:missing|extra) data (?:for|after)\b|\bliteral contains\b|\bmismatch\b"
        ),
        "PostgreSQL classes 22, 42, 54",
        "wrong SQL or data",
    ),
    # The server's whole families: what it "cannot" do, calls "invalid" or says it "must" have stays so.
    (
        SAYS + r"(?-i:cannot) (?!connect|reach|resolve|open|access|allocate|establish|assign requested|read|write"
        r"|send|receive|contact|start|create socket|fork|get a connection)\w",
        "PostgreSQL class 42, 0A, 22, 25",
        "not possible",
    ),
    (
        SAYS
        + r"(?-i:invalid) (?!session|token|credential|password|response|message|frame|handle|state|packet|memory"
        r"|connection|checkpoint|record|lock|block|page)\w",
        "PostgreSQL class 22, 42",
        "invalid value",
    ),
    (
        SAYS + r"(?-i:[a-z][a-z -]{2,60} (?:must be|must not|must have|must specify|requires|can only be)) \S",
        "PostgreSQL class 42, 22",
        "wrong SQL",
    ),
    (
        SAYS + r"(?-i:(?:wrong|missing|unsupported|improper|malformed|multiple|mismatched|conflicting)) "
        r"(?-i:\w{3,}) (?!from server|message|response|packet|EOF)",
        "PostgreSQL class 42, 22",
        "wrong SQL",
    ),
    (
        SAYS
        + r"(?-i:"
        + _SUBJECT
        + r")\b[^\n]{0,150}\b(?:cannot|must|requires?|only|does not|do not|is not|are not|not allowed"
        r"|not supported|already|more than (?:once|one)|differs?|conflict|twice|specified)\b",
        "PostgreSQL classes 42, 22, 0A",
        "wrong SQL",
    ),
    (
        r"\bis not a (?:table|view|materialized view|sequence|composite|partitioned|known)\b",
        "PostgreSQL 42809",
        "kind",
    ),
    (
        r"\b(?:has no|there is no) \w{3,20} (?:column|key|constraint|field|parameter|default)",
        "PostgreSQL 42P10",
        "missing",
    ),
)

TABLE = (*UNKNOWN_NAMES, *WRONG_SQL)
