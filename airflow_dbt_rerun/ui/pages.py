"""Pages outside Airflow's own UI, for those whom it shows no plugins, as FAB's role Viewer. They hold no data."""

from string import Template

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_dbt_rerun._version import __version__

router = APIRouter()

HEADERS = {
    # Nothing from another host can be loaded, whatever a message of dbt contains.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dbt heals</title>
<script type="module" src="$static/page.js"></script>
</head>
<body class="dbt-rerun-page"><main id="root"></main><noscript>This page needs JavaScript.</noscript></body>
</html>
""")


@router.get("/task/{address:path}", response_class=HTMLResponse)  # noqa: FAST003 - the script reads it
@router.get("/heals", response_class=HTMLResponse)
def page(request: Request) -> HTMLResponse:
    """Return the frame of a page: the address says what its script is to show."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return HTMLResponse(PAGE.substitute(static=f"{root}/static/{__version__}"), headers=HEADERS)
