"""Plain words of permanent errors, which last until a permission, a size limit or the SQL is changed.

Part of the last resort (:mod:`airflow_dbt_rerun.core.signatures.fallback`), which tries them before all words of errors
that may heal.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_NOT = r"\b(?:not|cannot|can ?not|can.t|couldn.t|could not|unable to|failed to|isn.t|aren.t|never|may not|must not)"
_THING = (
    r"(?:table|view|column|schema|database|catalog|field|function|procedure|macro|model|source|seed|snapshot"
    r"|object|relation|type"
    r"|identifier|name|symbol|variable|parameter|property|option|argument|attribute|setting"
    r"|config(?:uration)?|key|index|file"
    r"|path|directory|folder|bucket|container|module|package|library|class|method|package|plugin|extension"
    r"|dataset|partition"
    r"|expression|literal|value|format|character|token|keyword|operator|alias|reference|version|target"
    r"|profile|project|strategy"
    r"|materiali[sz]ation|format|unit|locale|region|stage|integration|resource|driver|executable|command"
    r"|program|tag|branch)"
)

ACCESS = group(
    Category.ACCESS,
    (
        (
            r"\b(?:access|permission|authoriz\w{2,6}|authoris\w{2,6}|login|logon) (?:to .{1,80} )?(?:was "
            r"|is |has been )?"
            r"(?:denied|rejected|revoked|forbidden|prohibited|disallowed)\b|\b(?:request|operation) (?:was "
            r"|is )?(?:denied|forbidden|prohibited)\b|\bdenied (?:access|permission|for user|by)\b"
        ),
        "any driver",
        "access denied",
    ),
    (
        (
            r"\b(?:user|role|account|principal|identity|caller|client|group|grantee|you)\b.{0,80}"
            r"\b(?:not (?:allowed|permitted|granted|authori[sz]ed|entitled|privileged)|no (?:access|rights?"
            r"|permissions?|privileges?|grants?)"
            r"|locked|disabled|suspended|deactivated|does not have|do not have|don.t have|doesn.t have"
            r"|lacks?|requires? .{0,40}\b(?:role|privilege|permission))\b"
        ),
        "any driver",
        "not allowed",
    ),
    (
        (
            r"\b(?:privileges?|permissions?|entitlements?|scopes?|grants?)\b.{0,60}\b(?:required|needed"
            r"|missing|necessary|not (?:granted|found|sufficient))\b"
            r"|\b(?:requires?|need|needs|lacks?|missing|insufficient|without) .{0,40}\b(?:privileges?"
            r"|permissions?|grants?|entitlements?|access)\b"
        ),
        "any driver",
        "right missing",
    ),
    (
        (
            r"\b(?:credentials?|passwords?|passphrase|private key|api.?keys?|secrets?|tokens?|certificate"
            r"|license|subscription key)\b.{0,80}"
            r"\b(?:invalid|expired|revoked|incorrect|wrong|missing|required|rejected|refused|not (?:valid"
            r"|found|provided|set|supplied|accepted|correct)"
            r"|could not be (?:found|verified|loaded|read)|cannot|disabled|malformed|mismatch|denied)\b"
        ),
        "any driver",
        "credentials refused",
    ),
    (r"\bis your (?:token|password|user|credential|key|certificate)\w* ", "any driver", "credentials refused"),
    (
        (
            r"\b(?:invalid|expired|revoked|incorrect|wrong|missing|bad|no|unknown|could not (?:load|find"
            r"|read|verify|deserialize)|failed to (?:load|decrypt"
            r"|verify|refresh|get|obtain|fetch|read)|unable to (?:load|decrypt|verify|refresh|get|obtain"
            r"|find)) (?:\w{1,20} ){0,3}"
            r"(?:credentials?|password|passphrase|private key|key data|api.?key|secret|(?:access|refresh"
            r"|auth|bearer|id|security) token|certificate|license|user)\b"
        ),
        "any driver",
        "credentials refused",
    ),
    (
        (
            r"\b(?:authentication|authorization|authenticate|unauthenticated"
            r"|credentials?)\b.{0,80}\b(?:fail\w*|error|denied|required|rejected|not)\b"
            r"|\b(?:fail\w*|unable|could not|cannot|error|not|problem)\b.{0,40}\b(?:authenticat\w*"
            r"|authoriz(?:e|ed|ation)|credentials?|log ?in)\b"
        ),
        "any driver",
        "login refused",
    ),
    (
        (
            r"\b(?:blocked|rejected|denied|disallowed) by .{0,60}\b(?:polic|rule|firewall"
            r"|admin)"
        ),
        "any driver",
        "policy",
    ),
)

RESOURCES = group(
    Category.RESOURCES,
    (
        (
            r"\b(?:exceed\w*|over|reached|above|insufficient|not enough|ran out of|out of|exhausted|low"
            r"|no more|limited)\b.{0,60}"
            r"\b(?:memory|heap|disk|storage|spill\w*|scratch|temp(?:orary)? (?:space|storage|files?)"
            r"|tablespace|spool|bytes? (?:scanned|billed|processed))\b"
        ),
        "any warehouse",
        "memory or disk",
    ),
    (
        (
            r"\b(?:memory|heap|disk|storage|spill\w*|scratch|temp(?:orary)? (?:space|files?)(?: size)?"
            r"|tablespace|spool|cpu time|bytes (?:scanned|billed|processed))\b.{0,60}"
            r"\b(?:exceed\w*|exhaust\w*|full|insufficient|too (?:small|low)|allocat\w+|limit|used up|error"
            r"|failed)\b"
        ),
        "any warehouse",
        "memory or disk",
    ),
    (
        (
            r"\b(?:insufficient|not enough|exceeded|exhausted|out of) (?:\w{1,20} )?(?:resources?"
            r"|capacity units?|credits?|budget|compute units?)\b"
            r"|\bresources? (?:limit )?(?:exceeded|exhausted)\b|\bquery (?:is )?too (?:complex|large|big)\b"
        ),
        "any warehouse",
        "resources exceeded",
    ),
    (
        (
            r"\b(?:credit|budget|spending|billing|cost)s?\b.{0,40}\b(?:exhausted|used up|exceeded|disabled"
            r"|required|limit reached)\b"
        ),
        "any warehouse",
        "budget spent",
    ),
    (
        (
            r"\b(?:quota|limit|monitor)\b.{0,80}\b(?:cores?|v?cpus?|bytes|[KMGT]i?B|rows to read|gpus?"
            r"|instances?|disks?|credits?)\b"
            r"|\b(?:cores?|v?cpus?|bytes|gpus?|instances?|disks?|credits?|resource monitor"
            r"|warehouse)\b.{0,80}\b(?:quota|limit)\b"
        ),
        "any cloud",
        "quota of size",
    ),
)

CODE = group(
    Category.CODE,
    (
        (
            r"\b(?:invalid|illegal|malformed|ill-formed|bad|incorrect|(?<!went )(?<!gone )wrong|improper"
            r"|unparse?able|erroneous)\b"
            r"(?! (?:input error|status|connection|session|handle|state|response|server|handshake|packet"
            r"|message|host|socket|gateway|record|http))"
            r"|\bnot (?:a )?(?:valid|legal|well.formed|recogni[sz]ed)\b"
        ),
        "any driver",
        "invalid",
    ),
    (
        r"\b(?:unsupported|unrecogni[sz]ed|undefined|undeclared|unresolved|ambiguous|mismatch(?:ed)?"
        r"|incompatible|inconsistent"
        r"|deprecated|misspelled|misplaced|unterminated|unclosed|unbalanced|unmatched|redundant|recursive"
        r"|circular|cyclic)\b"
        r"|\b(?:unexpected|unknown|undefined|missing|no|duplicate|nonexistent|non-existent) (?:\S{1,40} )?"
        + _THING
        + r"s?\b",
        "any driver",
        "unsupported or undefined",
    ),
    (
        r"\b"
        + _THING
        + r"s?\b.{0,120}\b(?:not|never|n.t|nor) (?:be )?(?:found|exist|defined|declared|recogni[sz]ed"
        r"|resolved|known|specified|provided|present|set"
        r"|supported|allowed|permitted|match\w*|available|valid|unique|installed|nullable|empty|null)\b",
        "any driver",
        "unknown object",
    ),
    (
        _NOT + r" (?:be )?(?:find|found|locate|parse|parsed|cast|convert\w*|coerce\w*|resolve\w*|compile\w*"
        r"|infer\w*|determine\w*|deserializ\w*|decode\w*"
        r"|interpret\w*|recogni[sz]e\w*|compare\w*|combine\w*|drop\w*|alter\w*|rename\w*|modif\w+|specif\w+"
        r"|contain\w*|include\w*|mix\w*|null|empty|negative"
        r"|greater|less|more than|applied|used|assigned|specified|referenced|nested|both|import|implicitly"
        r"|bind)\b(?!.{0,60}\b(?:host|server|node)\b)",
        "any driver",
        "cannot be done",
    ),
    (
        (
            r"\b(?:must|should|has to|have to|needs? to|can only|may only|only) (?:not )?(?:be|have|contain"
            r"|match|appear|return|specify|provide|include|start|end|precede"
            r"|follow|reference|use|equal|support\w*|allow\w*|one|take|define)\b|\b(?:is|are|be) (?:required"
            r"|mandatory|reserved|read.?only|immutable|forbidden|prohibited)\b"
        ),
        "any driver",
        "must be otherwise",
    ),
    (
        (
            r"\bexpect(?:s|ed|ing)\b.{0,120}\b(?:got|found|but|actual|received|saw|instead|near|at|before"
            r"|after)\b|\bexpected (?:one of|an?|to be)\b"
            r"|\b(?:got|found|received) .{0,80}\b(?:instead|but expected|expected)\b|\bdoes(?: not"
            r"|n.t) (?:match|accept|take|support|contain|have|exist|belong|conform|allow)\b"
            r"|\bdo(?: not|n.t) (?:match|support|exist|agree)\b|\bdid not match\b"
        ),
        "any driver",
        "something else expected",
    ),
    (
        (
            r"\b(?:out of (?:range|bounds)|overflow(?:ed|s)?|underflow(?:ed)?|truncat(?:ed|ion)|too (?:long"
            r"|short|large|big|wide|deep|many (?:columns|arguments|partitions|values"
            r"|parameters|fields|rows|dimensions|tables|expressions|levels)|few)|not unique|non-unique"
            r"|(?:exceeds?|exceeded|longer than|greater than|more than|larger than)"
            r" .{0,40}(?:length|size|precision|scale|columns|characters|partitions|depth|digits|rows"
            r"|maximum allowed))\b"
        ),
        "any driver",
        "out of range",
    ),
    (
        (
            r"\b(?:duplicate[ds]?|already (?:exists?|defined|present|used|contains)|not.null|null value"
            r"|nulls? (?:is|are|in)|constraint|foreign key|primary key|violat(?:es|ed|ion of) .{0,40}(?:key|rule"
            r"|index|unique))\b"
        ),
        "any warehouse",
        "constraint violated",
    ),
    (
        (
            r"\bnot (?:yet )?(?:supported|implemented|allowed|permitted|enabled|possible|applicable"
            r"|available (?:in|for|on|with))\b"
            r"|\b(?:unimplemented|disallowed|prohibited|disabled)\b|\bonly (?:available|supported|valid"
            r"|allowed)\b"
        ),
        "any driver",
        "not supported",
    ),
    (
        (
            r"\b(?:syntax|semantic|compil(?:e|ation)|parsing|parser|binder|binding|validation|type|cast"
            r"|conversion|format|encoding|decoding|planning|grammar"
            r"|lexical|schema|configuration|argument|arithmetic|analysis|assertion)[ _-]?(?:error|exception"
            r"|failure|failed|problem|mismatch)s?\b"
        ),
        "any driver",
        "wrong SQL or configuration",
    ),
    (
        (
            r"\b(?:\w{0,40}(?:Syntax|Semantic|Compil\w{1,7}|Pars(?:e|er|ing)|Valid\w{1,6}|Type|Cast"
            r"|Conversion|Format|Argument|Programming|NotFound|NotSupported|Missing|Mismatch"
            r"|Unsupported|Duplicate|Integrity|Config\w{0,9}|Schema|Value|Data))(?:Error|Exception)\b"
        ),
        "any driver's exception class",
        "wrong SQL or configuration",
    ),
    (r"\berror in the unit test definition\b", "dbt-core unit tests", "unit test's definition"),
)
