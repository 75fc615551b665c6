"""Google Cloud below BigQuery: its client libraries, logins, gRPC and HTTP statuses. Part of BigQuery's table.

Sources: google-api-core's ``exceptions.py`` (``503 GET URL: text``), google-auth's raise sites, gRPC status codes,
Google's ``ErrorInfo`` reasons, googleapi of Go (``googleapi: Error 403: text, reason``) as dbt Fusion shows it.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_CALL = r" (?:GET|POST|PUT|PATCH|DELETE|HEAD) "
_API = r"\bgoogle\.api_core\.exceptions\."


def grpc(statuses: str) -> str:
    """Write the pattern of gRPC statuses as Python and Go show them."""
    return rf"\b(?:StatusCode\.|rpc error: code = )(?:{statuses})\b"


def http(statuses: str) -> str:
    """Write the pattern of HTTP statuses as google-api-core and googleapi show them: at a line's start or framed."""
    return rf"(?:^|[:(] )(?:{statuses}){_CALL}|\bgoogleapi: (?:got )?(?:HTTP response code|Error) (?:{statuses})\b"


LOGIN = (
    *group(
        Category.TRANSIENT,
        (
            r"\bmetadata service\. Status: (?:5\d\d|429)\b|\bMetadata server unavailable\b",
            "google-auth compute_engine/_metadata.py",
            "metadata server not answering",
        ),
        (
            (
                r"\b(?:RefreshError|impersonated credentials|access token)\b.{0,200}(?:\bcode|…)\W{1,8}(?:5\d\d|429)\b"
                r"|\bimpersonated credentials\b.{0,200}\bError 5\d\d\b"
                r"|\b(?:internal_failure|server_error|temporarily_unavailable)\b"
            ),
            "google-auth _client.py: what it retries itself",
            "token server not answering",
        ),
        (
            r"\bFailed to send request to\b.{0,80}\btoken\b",
            "google-auth TransportError",
            "token server not answering",
        ),
    ),
    *group(
        Category.ACCESS,
        (
            r"\binvalid_(?:grant|client|request_uri)\b|\b(?:unauthorized|deleted|disabled)_client\b|\brestricted_client\b",
            "OAuth 2",
            "credentials refused",
        ),
        (r"\bReauthentication is needed\b|\bInvalid JWT\b", "google-auth", "credentials refused"),
        (
            (
                r"\b(?:default|valid service account) credentials (?:were|are) (?:not )?found\b"
                r"|\bcould not automatically determine credentials\b|\bAnonymous credentials cannot be refreshed\b"
            ),
            "google-auth",
            "no credentials",
        ),
        (
            (
                r"\bcredentials do not contain the necessary fields\b|\bService account info was not in the expected format\b"
                r"|\bprivate_key field was not found\b|\bdoes not have a valid type\. Type is\b"
            ),
            "google-auth",
            "wrong credentials",
        ),
        (r"\bNo key could be detected\b|\bCould not deserialize key\b", "google-auth, cryptography", "wrong key"),
        (
            r"\bUnable to (?:generate access token|acquire impersonated|retrieve Identity Pool)\b",
            "google-auth, dbt-bigquery",
            "no token",
        ),
        (r"\baccess_token missing from Idp\b", "dbt-bigquery token_suppliers.py", "no token"),
        (
            (
                r"\binvalid authentication credentials\b|\bmissing required authentication credential\b"
                r"|\bACCESS_TOKEN_(?:EXPIRED|SCOPE_INSUFFICIENT|TYPE_UNSUPPORTED)\b|\binsufficient authentication scopes\b"
            ),
            "Google ErrorInfo",
            "token refused",
        ),
        (
            r"\bhas not been used in project\b|\bSERVICE_DISABLED\b|\baccessNotConfigured\b|\bAPI is not enabled\b",
            "Google ErrorInfo SERVICE_DISABLED",
            "API not enabled",
        ),
        (
            r"\bVPC Service Controls\b|\bprohibited by organization.s policy\b|\bvpcServiceControls",
            "Google Cloud",
            "network policy",
        ),
        (
            r"\bconstraints/\S{1,80} (?:is )?violated\b|\bviolates (?:organization )?constraint",
            "org policy",
            "org policy",
        ),
        (r"\b(?:Cloud )?KMS key\b.{0,120}\b(?:denied|disabled|permission|access)\b", "Cloud KMS", "key refused"),
    ),
    *group(
        Category.CODE,
        (r"\bcan ?not have lifetimes of more than\b", "IAM credentials: the profile's timeout", "invalid profile"),
    ),
)

RIGHTS = group(
    Category.ACCESS,
    (r"\bNo OAuth token with Google Drive scope\b", "BigQuery on Sheets", "no Drive scope"),
    (r"\bAccess Denied:|\baccessDenied\b", "BigQuery accessDenied", "access denied"),
    (
        r"\bdoes not have (?:\S{1,80} |the )?(?:required )?(?:permission|access)s?\b|\bnot authorized to act as\b",
        "Google IAM",
        "permission denied",
    ),
    (r"\bPermission \S+ denied\b|\bIAM_PERMISSION_DENIED\b", "Google IAM", "permission denied"),
)

BILLING = group(
    Category.RESOURCES,
    (
        (
            r"\bBilling has not been enabled\b|\bbillingNotEnabled\b|\bBILLING_DISABLED\b|\bbilling (?:to be|is) (?:en|dis)abled\b"
            r"|\b(?:requires|enable) billing\b"
        ),
        "BigQuery billingNotEnabled, ErrorInfo BILLING_DISABLED",
        "billing not enabled",
    ),
    (
        r"\bbilling account\b.{0,80}\b(?:disabled|closed|absent|delinquent)\b|\baccountDisabled\b",
        "Cloud Storage, Cloud Billing",
        "billing account closed",
    ),
)

CAPACITY = group(
    Category.THROTTLED,
    (
        r"\bInsufficient \S{1,40} quota\b.{0,60}\bavailable 0(?:\.0)?\b",
        "Compute Engine, by Dataproc: all in use now",
        "quota in use",
    ),
    (
        r"\bRESOURCE_POOL_EXHAUSTED\w*|\bdoes not have enough resources available to fulfill\b|\bstockout\b",
        "Compute Engine, by Dataproc",
        "zone is full",
    ),
    (r"\bRATE_LIMIT_EXCEEDED\b|\buserRateLimitExceeded\b", "Google ErrorInfo", "rate limit"),
)

UNCLEAR = group(
    Category.UNKNOWN,
    (
        r"\bInsufficient \S{1,40} quota\b",
        "Compute Engine: the rest is in use, or the limit is too low for this cluster",
        "quota too small or in use",
    ),
)

STATUSES = (
    *group(
        Category.THROTTLED,
        (http("429"), "HTTP 429", "HTTP 429"),
        (_API + r"(?:TooManyRequests|ResourceExhausted)\b", "google-api-core", "rate limit"),
        (grpc("RESOURCE_?EXHAUSTED"), "gRPC 8", "rate limit"),
    ),
    *group(
        Category.TRANSIENT,
        (http(r"5\d\d|408"), "HTTP 5xx", "HTTP 5xx"),
        (r"\b50[0-4] (?:\d{3}: ?)?(?:Internal|Bad|Service|Gateway|Deadline)\b", "google-api-core", "HTTP 5xx"),
        (
            _API
            + r"(?:ServiceUnavailable|InternalServerError|BadGateway|GatewayTimeout|DeadlineExceeded|Aborted|RetryError)\b",
            "google-api-core",
            "server error",
        ),
        (grpc("UNAVAILABLE|ABORTED|DEADLINE_?EXCEEDED|DATA_?LOSS"), "gRPC 14, 10, 4, 15", "server error"),
        (r"\bInternal error encountered\b", "Google APIs, gRPC 13", "server error"),
        (
            http("412") + r"|\b(?:412 )?Precondition (?:check )?failed\b|\bconditionNotMet\b",
            "HTTP 412",
            "concurrent update",
        ),
    ),
    *group(
        Category.ACCESS,
        (http("40[137]"), "HTTP 401, 403, 407", "access denied"),
        (
            _API + r"(?:Forbidden|PermissionDenied|Unauthorized|Unauthenticated)\b",
            "google-api-core",
            "access denied",
        ),
        (grpc("PERMISSION_?DENIED|UNAUTHENTICATED"), "gRPC 7, 16", "access denied"),
    ),
    *group(
        Category.CODE,
        (http(r"40[0459]|41[136]|501"), "HTTP 400, 404...", "wrong request"),
        (
            _API + r"(?:BadRequest|NotFound|InvalidArgument|FailedPrecondition|AlreadyExists|OutOfRange"
            r"|Conflict|Method\w+)\b",
            "google-api-core",
            "wrong request",
        ),
        (
            grpc("INVALID_?ARGUMENT|NOT_?FOUND|ALREADY_?EXISTS|FAILED_?PRECONDITION|OUT_?OF_?RANGE|UNIMPLEMENTED"),
            "gRPC 3, 5, 6, 9, 11, 12",
            "wrong request",
        ),
    ),
)
"""The bare status, when no text said more. Tried last."""
