"""Errors that any database reports for wrong SQL, names and data, and Python and Java for wrong programs.

This is not a table of its own: the general table places this group after everything that may heal.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

CODE = group(
    Category.CODE,
    (
        r"\b(?:syntax|parse|parsing) (?:error|exception)\b|\bParse(?:r)?(?:Error|Exception)\b",
        "any SQL",
        "syntax error",
    ),
    (
        (
            r"\b(?:table|view|relation|column|schema|function|procedure|object|database|dataset|catalog"
            r"|index|type|field|sequence)\b"
            r".{0,80}\b(?:does not|doesn.t|did not|do not) exist\b"
        ),
        "any SQL",
        "unknown object",
    ),
    (
        (
            r"\bno such (?:table|column|function|file|key|bucket|index|option|command|field|module|property"
            r"|element)\b"
            r"|\bunknown (?:column|table|database|function|schema|catalog|type|identifier|variable|parameter"
            r"|option|argument|field|property"
            r"|command|keyword|attribute|object|prepared|procedure|data ?type|method|macro|format|codec"
            r"|engine|setting|key|role)\b"
        ),
        "SQLite, MySQL",
        "unknown object",
    ),
    (
        (
            r"\binvalid identifier\b|\b(?:Analysis"
            r"|Semantic)Exception\b"
        ),
        "Oracle, Hive, Impala, Spark",
        "unknown object",
    ),
    (r"\bdivi(?:sion|de|ded) by (?:zero|0)\b|\bdivisor (?:is|equal)\b", "any SQL", "division by zero"),
    (
        (
            r"\bduplicate (?:key|entry|column|row|name|value|field|alias)s?\b|\b(?:constraint"
            r"|unique index) (?:violation|violated|failed|error)\b"
            r"|\bviolat(?:es|ed|ion of) .{0,60}\b(?:constraint|key|unique|not.null|index)\b|\bIntegrityError\b"
        ),
        "any SQL",
        "constraint violated",
    ),
    (
        (
            r"\b(?:cannot|can.t|could not|unable to|failed to|not|illegal|invalid"
            r"|implicit) (?:be )?(?:implicitly )?(?:cast|coerced?"
            r"|convert(?:ed)?|conver(?:t|sion))\b|\b(?:type|types) (?:mismatch|do(?:es)? not match"
            r"|are incompatible)\b|\bincompatible (?:data ?)?types?\b"
            r"|\b(?:data ?type|type)[ _]mismatch\b|\bconversion (?:failed|error|overflow)\b"
            r"|\bnot (?:a )?compatible\b"
        ),
        "any SQL",
        "wrong type",
    ),
    (
        (
            r"\b(?:is|are|was|not yet|currently|were) (?:currently |yet )?(?:not |un)(?:yet "
            r"|currently )?(?:supported|implemented)\b"
            r"|\bnot (?:yet )?(?:implemented|supported)\b|\bdoes(?:n.t| not) support\b"
            r"|\bUnsupportedOperation\w*|\bNotImplemented\w*"
        ),
        "any SQL",
        "not supported",
    ),
    (r"\balready (?:exists|defined|been defined|in use by)\b|\bAlreadyExists\w*", "any SQL", "already exists"),
    (
        r"\bfile ?name too long\b|\bcould(?:n.t| not) find (?:the )?(?:\w{1,20} )?executable\b",
        "POSIX ENAMETOOLONG, dbt",
        "name too long",
    ),
    (
        (
            r"(?:^|: )(?:[\w.]{1,60}\.)?(?:Name|Type|Key|Attribute|Value|Index|Import|Syntax|Indentation"
            r"|ModuleNotFound|ZeroDivision|UnicodeDecode"
            r"|UnicodeEncode|Assertion|NotImplemented|FileNotFound|IsADirectory|NotADirectory|UnboundLocal"
            r"|Overflow|Recursion)Error\b"
        ),
        "Python",
        "Python error",
    ),
    (
        (
            r"\b(?:ClassNotFound|NoSuchMethod|NoSuchField|ClassCast|IllegalArgument|NumberFormat"
            r"|ArrayIndexOutOfBounds|DateTimeParse"
            r"|NoSuchElement|MalformedURL|URISyntax)(?:Exception|Error)\b|\bNoClassDefFoundError\b"
            r"|\bStackOverflowError\b"
        ),
        "Java",
        "Java error",
    ),
)
