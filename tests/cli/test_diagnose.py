"""``airflow-dbt-rerun diagnose`` on files: what is read, what is shown, and what is refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture
from rich.console import Console

from airflow_dbt_rerun.cli import files, options
from airflow_dbt_rerun.cli.files import read_case
from airflow_dbt_rerun.cli.judging import judge
from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.cli.show import show
from airflow_dbt_rerun.core.policy.policy import RerunPolicy

SAMPLES = Path(__file__).parents[1] / "data" / "run_results"
DOCS = Path(__file__).parents[2] / "docs" / "diagnosis.md"
LOGS = Path(__file__).parents[1] / "data" / "logs"

RESET = "Database Error in model {0} (models/{0}.sql)\n  Connection reset by peer"
REFUSED_LOG = (
    "04:12:00  Running with dbt=1.9.0\n04:12:05  Encountered an error:\nRuntime Error\n  Database Error\n"
    "    connection to server failed: Connection refused\n"
)
GOOD_LOG = "04:12:00  Running with dbt=1.9.0\n04:12:05  Completed successfully\n04:12:05  Done. PASS=1\n"

Json = dict[str, Any]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; give its exit status, and what it wrote on standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["diagnose", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def artifact(*messages: str, status: str = "error", **metadata: str) -> Json:
    """Write a run_results.json in which model m0, m1, ... said these messages."""
    results = [
        {"unique_id": f"model.shop.m{n}", "status": status, "message": message.format(f"m{n}")}
        for n, message in enumerate(messages)
    ]
    return {"metadata": {"dbt_version": "1.9.0", **metadata}, "results": results, "args": {"which": "build"}}


def write(path: Path, data: object) -> Path:
    """Write JSON, or a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def on_screen(path: Path, *, width: int = 80, complete: bool = False) -> str:
    """Show a file as a terminal without colours would."""
    page = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO(), highlight=False)
    show(judge(read_case(str(path)), RerunPolicy()), page, policy="The default policy", complete=complete)
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()


# --- What people read


def test_a_page_tells_what_failed_why_and_what_follows(run: Run) -> None:
    """Node, kind, category, signature and message; skipped nodes; verdict; decision and reason."""
    status, page, errors = run(SAMPLES / "model_sql_error.json")
    assert (status, errors) == (0, "")
    assert "code      model orders (models/marts/orders.sql)  Binder Error: Values list" in page
    assert "(known as: unknown or ambiguous name)" in page
    assert "7 downstream nodes skipped" in page
    assert "Verdict: code (the project or its data has to change)" in page
    assert "The default policy would not rerun it, because no rule covers 1 model (code)" in page


def test_a_failure_that_heals(run: Run) -> None:
    """The page shows the wait and the rule."""
    page = run(SAMPLES / "pg_deadlock.json")[1]
    assert "Verdict: transient" in page
    assert "The default policy would rerun from failure, after " in page
    assert "matches 1 model (transient)" in page


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_fits_on_a_screen_of_80_columns(path: Path) -> None:
    """No line is longer than the screen, no word is cut, nothing is blank at an end."""
    page = on_screen(path)
    assert max(map(len, page.splitlines())) <= 80
    assert "…" not in page.replace("'…'", "").replace('"…"', "").replace("/…", "")


def test_in_a_pipe_no_line_is_broken(run: Run, tmp_path: Path) -> None:
    """``grep`` finds whole messages: one line for each row, without colours and blanks at the end."""
    long = "Database Error in model {0} (models/{0}.sql)\n  " + "Connection reset by peer " * 10
    page = run(write(tmp_path / "run_results.json", artifact(long)))[1]
    line = next(line for line in page.splitlines() if line.startswith("transient"))
    assert line.count("Connection reset by peer") == 10
    assert "\x1b" not in page
    assert all(line == line.rstrip() for line in page.splitlines())


def test_what_looks_like_markup_is_shown_as_it_is(run: Run, tmp_path: Path) -> None:
    """A message is not read as markup: brackets and colons stay."""
    path = write(
        tmp_path / "r.json", artifact("Database Error in model m0\n  column [/bold] does not exist :smile:")
    )
    assert "column [/bold] does not exist :smile:" in run(path)[1]


def test_nodes_that_failed_alike_are_one_row(run: Run, tmp_path: Path) -> None:
    """Three hundred dropped connections read as one line; ``--all`` names every node."""
    path = write(tmp_path / "run_results.json", artifact(*[RESET] * 300))
    page = run(path)[1]
    assert "300 models: m0, m1, m2 and 297 more  Connection reset by peer" in page
    assert "m299" not in page
    assert ", m299 " in run(path, "--all")[1]


def test_many_findings_are_cut_in_each_category(run: Run, tmp_path: Path) -> None:
    """The few that decide are not buried under the many: each category has its share of the page."""
    broken = [f"Database Error in model {{0}}\n  syntax error at or near x{n}" for n in range(40)]
    path = write(tmp_path / "run_results.json", artifact(*broken, RESET))
    page = run(path)[1]
    assert page.count("syntax error at or near") == 10
    assert "... and 30 more; --all shows them" in page
    assert "Connection reset by peer" in page
    assert run(path, "--all")[1].count("syntax error at or near") == 40


def test_nothing_failed(run: Run) -> None:
    """An artifact without failures is reported as such, with a hint to the log."""
    status, page, _ = run(SAMPLES / "data_test_warn.json")
    assert status == 0
    assert "No node failed in this artifact: 11 success, 10 pass, 1 warn." in page
    assert "Verdict" not in page
    assert "it lists no nodes at all" in run(SAMPLES / "sources_freshness_runtime_error.json")[1]


def test_several_targets_are_diagnosed_each_for_itself(run: Run) -> None:
    """An unreadable target does not hide the others, but sets the exit status."""
    status, page, errors = run(SAMPLES / "pg_deadlock.json", "nowhere.json", SAMPLES / "pg_disk_full.json")
    assert status == 1
    assert page.count("Verdict: ") == 2
    assert errors == "airflow-dbt-rerun diagnose: nowhere.json: No such file or directory\n"


# --- What is read


def test_a_log(run: Run, tmp_path: Path) -> None:
    """A text with lines of dbt is read as its log, whatever its name."""
    page = run(write(tmp_path / "step.txt", REFUSED_LOG))[1]
    assert "transient  the dbt command  " in page
    assert "Connection refused" in page


def test_a_log_that_names_nodes(run: Run) -> None:
    """Each node of a log is a finding."""
    document = json.loads(run(LOGS / "several_nodes.log", "--json")[1])
    assert len(document["diagnoses"][0]["diagnosis"]["findings"]) > 1


def test_a_log_in_json_lines(run: Run, tmp_path: Path) -> None:
    """``dbt --log-format json`` is read by its messages."""
    lines = [{"info": {"msg": line, "level": "info"}, "data": {}} for line in REFUSED_LOG.splitlines()]
    path = write(tmp_path / "dbt.log", "\n".join(map(json.dumps, lines)))
    assert "Verdict: transient" in run(path)[1]


def test_a_log_that_ends_well(run: Run, tmp_path: Path) -> None:
    """dbt's own log keeps all commands; what counts is how the last one ended."""
    assert "No error in this log" in run(write(tmp_path / "dbt.log", REFUSED_LOG + GOOD_LOG))[1]
    assert "Verdict: transient" in run(write(tmp_path / "dbt.log", GOOD_LOG + REFUSED_LOG))[1]


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` reads an artifact or a log."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((SAMPLES / "pg_deadlock.json").read_bytes())))
    page = run("-")[1]
    assert page.startswith("standard input\n")
    assert "Verdict: transient" in page


def test_a_folder_is_what_dbt_wrote_there_last(run: Run, tmp_path: Path) -> None:
    """dbt's target folder: its newer artifact, the log beside it or in ../logs, and the manifest."""
    target = tmp_path / "target"
    write(target / "run_results.json", artifact("ERROR"))
    write(target / "manifest.json", {"nodes": {"model.shop.m0": {"original_file_path": "models/deep/m0.sql"}}})
    write(tmp_path / "logs" / "dbt.log", REFUSED_LOG)
    page = run(target)[1]
    assert "transient  model m0 (models/deep/m0.sql)  " in page
    assert "Connection refused" in page

    sources = {"metadata": {}, "results": [{"unique_id": "source.shop.raw.orders", "status": "error"}]}
    later = write(target / "sources.json", sources)
    os.utime(later, (4e9, 4e9))
    assert "sources.json" in run(target)[1].splitlines()[0]


def test_a_folder_whose_results_are_from_before(run: Run, tmp_path: Path) -> None:
    """A command that died before its first node leaves the results of the one before it: the log shows that."""
    write(tmp_path / "run_results.json", artifact("", status="success"))
    write(tmp_path / "dbt.log", GOOD_LOG + REFUSED_LOG)
    assert "Verdict: transient" in run(tmp_path)[1]
    write(tmp_path / "dbt.log", REFUSED_LOG + GOOD_LOG)
    assert "No node failed in this artifact: 1 success." in run(tmp_path)[1]


def test_a_folder_with_nothing_but_a_log(run: Run, tmp_path: Path) -> None:
    """dbt's logs folder."""
    write(tmp_path / "dbt.log", REFUSED_LOG)
    assert "Verdict: transient" in run(tmp_path)[1]


def test_the_adapter_can_be_named(run: Run, tmp_path: Path, mocker: MockerFixture) -> None:
    """By option, for results and logs; or by the manifest."""
    judged = mocker.spy(options, "judge")
    manifest = write(tmp_path / "manifest.json", {"metadata": {"adapter_type": "bigquery"}, "nodes": {}})
    results = write(tmp_path / "run_results.json", artifact(RESET))
    run(results, "--adapter", "Snowflake")
    seen = judged.call_args.args[0].seen
    assert (seen.results[0].adapter, seen.facts.adapter) == ("snowflake", "snowflake")
    run(results, "--manifest", manifest)
    assert judged.call_args.args[0].seen.facts.adapter == "bigquery"


def test_signatures_of_ones_own(run: Run, tmp_path: Path) -> None:
    """They are tried first; a wrong one is named."""
    own = write(
        tmp_path / "own.yaml", "- {category: throttled, pattern: raw_\\w+ is being swapped, name: the loader}"
    )
    results = write(
        tmp_path / "run_results.json", artifact("Database Error in model m0\n  raw_orders is being swapped")
    )
    assert "throttled" in run(results, "--signatures", own)[1]
    assert "(known as: the loader)" in run(results, "--signatures", own)[1]
    wrong = write(tmp_path / "wrong.yaml", "- {category: transiant, pattern: x}")
    status, page, errors = run(results, "--signatures", wrong)
    assert (status, page) == (1, "")
    assert "wrong.yaml, entry 1: " in errors
    assert "'transient'" in errors


# --- What the policy would do


def test_a_policy_of_ones_own(run: Run, tmp_path: Path) -> None:
    """The page shows its decision, with the overrides of the rerun."""
    policy = write(
        tmp_path / "policy.yaml",
        "rules:\n  - {when: {any_node: code}, action: rerun_from_start, overrides: {threads_override: 2}}\n"
        "wait: {wait_fixed: 90}\n",
    )
    page = run(SAMPLES / "pg_syntax_error.json", "--policy", policy)[1]
    assert f"The policy of {policy} would rerun from start, after 90 s, because " in page


def test_a_later_attempt(run: Run) -> None:
    """``--attempt``: the policy's limits count."""
    page = run(SAMPLES / "pg_deadlock.json", "--attempt", 3)[1]
    assert "The default policy would not rerun it again, because " in page
    decision = json.loads(run(SAMPLES / "pg_deadlock.json", "--attempt", 3, "--json")[1])["diagnoses"][0][
        "decision"
    ]
    assert (decision["action"], decision["exhausted"]) == ("fail", True)


def test_a_hook_is_not_rerun_from_failure(run: Run, tmp_path: Path) -> None:
    """If the rule's kind of rerun is impossible, the page shows what the operator would do."""
    failed = {"unique_id": "operation.shop.shop-on-run-end-0", "status": "error", "message": RESET.format("x")}
    path = write(tmp_path / "run_results.json", {"metadata": {}, "results": [failed]})
    page = run(path)[1]
    assert "would rerun from the failed step, after " in page
    assert "not as the policy asked: only a hook failed" in page


def test_a_policy_that_asks_for_tags_wants_the_manifest(run: Run, tmp_path: Path) -> None:
    """Without it the rule cannot match, and a warning says why."""
    policy = write(
        tmp_path / "p.yaml",
        "rules: [{when: {node: {tag: nightly}}, action: rerun_from_start}]\nwait: {wait_fixed: 5}",
    )
    results = write(tmp_path / "run_results.json", artifact("Database Error in model m0\n  syntax error"))
    _, page, errors = run(results, "--policy", policy)
    assert "not rerun it" in page
    assert errors.endswith("the policy needs tags or paths: give the manifest with --manifest\n")
    node = {"original_file_path": "models/m0.sql", "tags": ["nightly"]}
    manifest = write(tmp_path / "manifest.json", {"nodes": {"model.shop.m0": node}})
    _, page, errors = run(results, "--policy", policy, "--manifest", manifest)
    assert "would rerun from start, after 5 s" in page
    assert errors == ""


# --- For machines


def test_the_json_document(run: Run, tmp_path: Path) -> None:
    """All findings, in full: the document of docs/diagnosis.md."""
    path = write(tmp_path / "run_results.json", artifact(*[RESET] * 50, "ERROR"))
    status, text, errors = run(path, SAMPLES / "data_test_warn.json", "--json")
    document = json.loads(text)
    assert (status, errors, document["version"]) == (0, "", 1)
    failed, green = document["diagnoses"]
    assert (failed["source"], failed["run"], failed["nothing"]) == (str(path), None, None)
    assert len(failed["diagnosis"]["findings"]) == 51
    documented = json.loads(DOCS.read_text().partition("```json\n")[2].partition("```")[0])["diagnoses"][0]
    assert set(failed) == set(documented)
    assert set(failed["diagnosis"]) == set(documented["diagnosis"])
    assert set(failed["diagnosis"]["findings"][0]) == set(documented["diagnosis"]["findings"][0])
    assert set(failed["decision"]) == set(documented["decision"])
    assert (green["diagnosis"], green["decision"]) == (None, None)
    assert green["nothing"].startswith("No node failed in this artifact")


# --- What is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"results": [{"unique_id": "model.a.b", "sta', "not valid JSON, perhaps truncated: "),
        ('{"a":' * 100_000, "not valid JSON, perhaps truncated: "),
        ("[1, 2]", "a JSON object is expected, not a list"),
        ('{"nodes": {}, "metadata": {}}', "is a manifest or catalog, which does not say what failed"),
        ('{"data": {}}', "is not a run_results.json or sources.json of dbt: it has no 'results'"),
        ('{"results": [{"status": "error"}]}', "one of its results is wrong: 'unique_id' is missing"),
        ('{"results": [{"unique_id": "a", "status": 5}]}', "one of its results is wrong: 'status' is no text"),
        ('{"results": ["x"]}', "one of its results is wrong: an element of 'results' is no object"),
        ('{"results": 5}', "is not a run_results.json or sources.json of dbt"),
    ],
)
def test_what_is_no_artifact(run: Run, tmp_path: Path, content: str, words: str) -> None:
    """One line that names the file and what is wrong with it; never a traceback."""
    path = write(tmp_path / "run_results.json", content)
    status, page, errors = run(path)
    assert (status, page) == (1, "")
    assert errors.count("\n") == 1
    assert errors.startswith(f"airflow-dbt-rerun diagnose: {path}")
    assert words in errors


def test_a_binary_file(run: Run, tmp_path: Path) -> None:
    """Binary files are refused. PowerShell's UTF-16 text is not one."""
    path = tmp_path / "dbt.log"
    path.write_bytes(b"\x7fELF\x02\0\0")
    assert "is a binary file" in run(path)[2]
    path.write_bytes(REFUSED_LOG.encode("utf-16"))
    assert "Verdict: transient" in run(path)[1]


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/random", "fifo"])
def test_what_is_no_regular_file(tmp_path: Path, device: str) -> None:
    """A device is endless, and a pipe waits for its writer: neither is opened."""
    if device == "fifo":
        device = str(tmp_path / "pipe.json")
        os.mkfifo(device)
    command = [sys.executable, "-m", "airflow_dbt_rerun.cli", "diagnose", device]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"airflow-dbt-rerun diagnose: {device} is not a regular file; to read from a pipe, give - and redirect it "
        "there\n"
    )


def test_too_large_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and standard input are read up to a limit."""
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    path = write(tmp_path / "dbt.log", REFUSED_LOG * 10_000)
    assert "is larger than 1 MB: give its last part" in run(path)[2]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert "standard input is larger than 1 MB" in run("-")[2]


@pytest.mark.parametrize("text", ["To do: buy milk\n", "name,amount\na,1\n", "ConnectionError: timeout\n"])
def test_a_text_that_is_no_log_of_dbt(run: Run, tmp_path: Path, text: str) -> None:
    """It is not judged as one; a single message has a command of its own."""
    path = write(tmp_path / "notes.txt", text)
    status, page, errors = run(path)
    assert (status, page) == (1, "")
    assert f"{path} is not a log of dbt" in errors
    assert f"airflow-dbt-rerun signatures --test {path}" in errors


@pytest.mark.parametrize("path", sorted(LOGS.iterdir()), ids=lambda path: path.stem)
def test_every_log_of_dbt_is_known_as_one(path: Path) -> None:
    """Of all shapes that were recorded."""
    assert read_case(str(path)).is_file


def test_a_folder_without_artifacts(run: Run, tmp_path: Path) -> None:
    """The error names the files that were searched for."""
    status, _, errors = run(tmp_path)
    assert status == 1
    assert "there is no run_results.json, sources.json or dbt.log in this folder" in errors


@pytest.mark.parametrize("arguments", [["--attempt", "0", "x"], ["--attempt", "two", "x"], ["--nope", "x"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    """Exit status 2, as for any command."""
    with pytest.raises(SystemExit) as stopped:
        main(["diagnose", *arguments])
    assert stopped.value.code == 2


# --- As a process


def test_a_file_needs_no_airflow() -> None:
    """Files are quick: neither Airflow nor a database is touched, and rich only for people."""
    program = (
        "import sys; from airflow_dbt_rerun.cli.main import main\n"
        f"main(['diagnose', '--json', {str(SAMPLES / 'pg_deadlock.json')!r}])\n"
        "print([name for name in ('airflow', 'requests', 'aiohttp', 'rich', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """``... | head -1`` ends without a traceback."""
    path = write(tmp_path / "run_results.json", artifact(*[f"syntax error {n}, and more" for n in range(400)]))
    command = [sys.executable, "-m", "airflow_dbt_rerun.cli", "diagnose", "--all", *[str(path)] * 20]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
