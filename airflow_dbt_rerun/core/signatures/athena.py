"""AWS: the error codes of its services, and the errors of Athena and Glue sessions. Trino's error names: see ``trino``.

Sources: the AWS API error codes and the retry lists of botocore, the exceptions of the Athena, Glue, Lake Formation
and STS models, Athena's error catalogue, the raise sites of dbt-athena and dbt-glue.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.THROTTLED,
        (
            r"\b(?:\w{1,12}\.)?(?:\w{1,10})?Throttl(?:ing|ed)(?:Exception)?\b",
            "AWS ThrottlingException",
            "rate limit",
        ),
        (r"\bTooManyRequests(?:Exception)?\b|\bRequestLimitExceeded\b", "AWS, dbt-athena retries it", "rate limit"),
        (
            r"\b(?:ProvisionedThroughput|BandwidthLimit)Exceeded(?:Exception)?\b|\b(?:Service)?LimitExceededException\b",
            "botocore retries it",
            "rate limit",
        ),
        (r"\bRate exceeded\b|\bSlow ?Down\b|\breduce your request rate\b", "AWS, S3 SlowDown", "rate limit"),
        (r"\bConcurrentRunsExceeded(?:Exception)?\b", "AWS Glue", "too many at once"),
        (r"\bResourceNumberLimitExceeded(?:Exception)?\b", "AWS Glue", "too many at once"),
        (
            r"\bqueries you can run concurrently\b|\b(?:max|maximum|concurrent) .{0,40}\b(?:DPUs?|capacity) .{0,40}\bexceeded\b",
            "Athena, Glue",
            "too many at once",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bSession is not ready\b", "AWS Glue interactive sessions", "session starting or ending"),
        # Two jobs make the same Glue session at the same moment; the next run finds it.
        (
            r"\bAlreadyExistsException\b.{0,60}\bCreateSession\b",
            "AWS Glue, dbt-glue",
            "session made by another job",
        ),
    ),
    *group(
        Category.ACCESS,
        (r"\bInsufficient Lake Formation permission", "AWS Lake Formation", "permission denied"),
        (
            r"\bAccessDenied(?:Exception)?\b|\bis not authorized to perform\b|\bexplicit deny\b|\bPermission denied on S3 path\b",
            "AWS",
            "access denied",
        ),
        (
            r"(?-i:\(Expired\w{0,30}\))|\bExpiredToken\w*|\bsecurity token included in the request\b",
            "AWS STS",
            "token refused",
        ),
        (
            (
                r"\bUnrecognizedClient(?:Exception)?\b|\bInvalidSignatureException\b|\bSignatureDoesNotMatch\b"
                r"|\bInvalid(?:AccessKeyId|ClientTokenId|IdentityToken\w*)\b|\bMissingAuthenticationToken\w*|\bAuthFailure\b"
            ),
            "AWS",
            "credentials refused",
        ),
        (
            r"\b(?:KMSAccessDenied|KMSKeyNotAccessible|GlueEncryption)\w*|\bKMS\.\w{3,30}Exception\b",
            "AWS KMS",
            "key not usable",
        ),
        (
            (
                r"\bUnable to locate (?:credentials|authorization token)\b|\bPartial credentials found\b|\bError loading SSO Token\b"
                r"|\bSSO session\b.{0,80}\bexpired\b|\bThe config profile \(.{0,80}\) could not be found\b"
            ),
            "botocore",
            "no credentials",
        ),
        (
            r"\bFailed to assume role\b|\bUnable to verify/create output bucket\b",
            "dbt-athena, Athena",
            "access denied",
        ),
    ),
    *group(
        Category.TIMED_OUT,
        (r"^Query timeout\b", "Athena", "query time limit"),
        (
            r"\bGlueSession took more than \d+ seconds\b|\bWaiter \w+ failed: Max attempts exceeded\b",
            "dbt-glue, botocore",
            "session start limit",
        ),
        (
            r"\bdid not (?:complete|create) within \d+ seconds\b|\bTimed out waiting for statement\b",
            "dbt-athena, dbt-glue python models",
            "python model timeout",
        ),
    ),
    *group(
        Category.RESOURCES,
        (r"\bexhausted resources at this scale factor\b", "Athena, dbt-adapters#1820", "resources exhausted"),
        (r"\bBytes scanned limit was exceeded\b", "Athena workgroup limit", "scan limit"),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\b(?:ConcurrentModification|VersionMismatch|ConditionCheckFailure|TransactionCommitInProgress)Exception\b",
            "AWS Glue, Lake Formation",
            "concurrent change",
        ),
        (
            r"\bInternal(?:Server|Service)?(?:Error|Exception|Failure)\b",
            "AWS, dbt-athena retries it",
            "AWS internal",
        ),
        (
            (
                r"\bService ?Unavailable(?:Exception)?\b|\bRequestTimeout(?:Exception)?\b|\bPriorRequestNotComplete\b"
                r"|\bIDPCommunicationError\w*|\b\w{0,30}RetryableException\b"
            ),
            "botocore retries it",
            "AWS internal",
        ),
        (
            r"\bexperienced an internal error while executing\b|\bINTERNAL_ERROR_QUERY_ENGINE\b",
            "Athena",
            "AWS internal",
        ),
        (
            r"\b(?:OperationTimeout|\w{0,30}NotReady|SessionBusy|IllegalSessionState|(?-i:Conflict))Exception\b",
            "AWS Glue",
            "not ready",
        ),
        (
            r"\bfail(?:ed)? to call ReplServer\b|\bSession is (?:in the BUSY state|not ready)\b",
            "AWS Glue, Athena Spark",
            "session lost",
        ),
        (r"\bCould not connect to the endpoint URL\b", "botocore EndpointConnectionError", "no connection"),
    ),
    *group(
        Category.CODE,
        (
            r"\b(?:EntityNotFound|ResourceNotFound|Metadata)Exception\b|\bNoSuchBucket\b",
            "AWS Glue, Athena, S3",
            "unknown object",
        ),
        (
            (
                r"\b(?:InvalidInput|Validation|InvalidRequest|AlreadyExists|OperationNotSupported|IdempotentParameterMismatch)Exception\b"
                r"|\bParameter validation failed\b"
            ),
            "AWS",
            "wrong request",
        ),
        (
            (
                r"\((?:Invalid|Malformed|Unsupported|NoSuch|Missing)\w{2,40}\) when calling\b"
                r"|\(\w{2,40}(?:NotFound|AlreadyExists|Mismatch|TooLarge|TooLong|NotSupported)\w{0,12}\) when calling\b"
            ),
            "AWS error codes",
            "wrong request",
        ),
        (
            r"\bNo output location provided\b|\bYou must specify a region\b",
            "Athena, botocore",
            "invalid configuration",
        ),
        (
            r"\bengine configuration\b.{0,60}\b(?:type|keys|match)|\bno location returned by Glue\b|\bRequired argument \S+ or \S+ not found\b",
            "dbt-athena",
            "invalid configuration",
        ),
        (
            r"\bFAILED: (?:Semantic|Parse)Exception\b|\bFAILED: Execution Error, return code\b",
            "Athena DDL",
            "wrong DDL",
        ),
    ),
)
