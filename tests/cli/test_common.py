"""What people expect of any command line: help with examples, suggestions, completion, versions."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.cli.completion import SHELLS
from airflow_dbt_rerun.cli.main import main, parsers
from airflow_dbt_rerun.cli.run_target import RunTarget, run_target

COMMANDS = sorted(parsers()[1])
EXAMPLE = re.compile(r"^  airflow-dbt-rerun (.*?)(?:\s+#.*)?$", re.MULTILINE)


def examples(text: str) -> list[list[str]]:
    """Return the arguments of a help text's examples, up to a pipe or a redirection."""
    commands = [re.split(r" [|>] ", found)[0] for found in EXAMPLE.findall(text.partition("examples:")[2])]
    return [shlex.split(command) for command in commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_that_can_be_parsed(command: str) -> None:
    """And says what the exit status means."""
    parser, subcommands = parsers()
    text = subcommands[command].format_help()
    found = examples(text)
    assert found
    assert "exit status: 0 " in text
    for arguments in found:
        assert arguments[0] == command
        assert parser.parse_args(arguments).command == command


def test_a_bare_call_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """With all commands, and examples of the first ones to try."""
    assert main([]) == 0
    page = capsys.readouterr().out
    assert all(f"    {command}" in page for command in COMMANDS)
    assert {arguments[0] for arguments in examples(page)} <= {*COMMANDS, "COMMAND"}


def test_the_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a line of a log or an issue says what it is the version of."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"airflow-dbt-rerun {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diagnos", "1"], "there is no command 'diagnos'; did you mean 'diagnose'? There are "),
        (["rrun", "1"], "did you mean 'rerun'?"),
        (["diagnose", "--jsn", "1"], "unrecognized arguments: --jsn; did you mean --json?"),
        (["rerun", "1", "--conid=x"], "did you mean --conn-id?"),
        (["rerun", "1", "--mode", "from_fialure"], "did you mean 'from_failure'?"),
        (["completion", "bas"], "there is no choice 'bas'; did you mean 'bash'?"),
        (["diagnose", "1", "--attempt", "0"], "'0' is not a number above zero"),
        (["rerun", "nightly"], "'nightly' is not a run: give its id, a number above zero, or its address"),
        (["rerun", "0"], "'0' is not a run"),
        (["rerun", "https://cloud.getdbt.com/deploy/1/"], "is not the address of a run, such as https://HOST/"),
        (["rerun", "https://me:pw@x.com/a?token=z"], "argument RUN: https://x.com/a is not the address"),
    ],
)
def test_a_wrong_word_is_answered_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Exit status 2, and the message on standard error."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("70403103912345", RunTarget(70403103912345)),
        ("https://cloud.getdbt.com/deploy/1/projects/2/runs/3/", RunTarget(3, "cloud.getdbt.com", 1)),
        ("https://AB12.us1.dbt.com:443/deploy/1/projects/2/runs/3", RunTarget(3, "ab12.us1.dbt.com", 1)),
        ("https://cloud.getdbt.com/#/accounts/1/projects/2/runs/3/", RunTarget(3, "cloud.getdbt.com", 1)),
        (
            "https://cloud.getdbt.com/deploy/1/projects/2/runs/3/steps/4?tab=x#logs",
            RunTarget(3, "cloud.getdbt.com", 1),
        ),
        ("https://cloud.getdbt.com/api/v2/accounts/1/runs/3/", RunTarget(3, "cloud.getdbt.com", 1)),
        ("http://127.0.0.1:8001/deploy/1/projects/2/runs/3/", RunTarget(3, "127.0.0.1:8001", 1)),
    ],
)
def test_an_address_of_a_run_is_read(address: str, target: RunTarget) -> None:
    """As browsers show it, also as they did before, and as the API has it."""
    assert run_target(address) == target


@pytest.mark.parametrize("address", ["https://x.com/deploy/1/projects/2/runs/", "https:///deploy/1/runs/3/", "x"])
def test_what_is_no_address_of_a_run(address: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(argparse.ArgumentTypeError):
        run_target(address)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_printed_for_each_shell(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    """A script for the shell that names our program."""
    assert main(["completion", shell]) == 0
    assert "airflow-dbt-rerun" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("airflow-dbt-rerun dia", {"diagnose"}),
        ("airflow-dbt-rerun rerun 1 --mode from_", {"from_failure", "from_step", "from_start"}),
        ("airflow-dbt-rerun rerun --ver", {"--verbose"}),
    ],
)
def test_a_shell_is_answered(tmp_path: Path, line: str, words: set[str]) -> None:
    """As bash asks: by variables of the environment."""
    answer = tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    asked |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "_ARGCOMPLETE_IFS": "\n"}
    command = [sys.executable, "-m", "airflow_dbt_rerun.cli"]
    subprocess.run(command, env={**os.environ, **asked}, check=False, capture_output=True, timeout=60)
    assert {word.strip() for word in answer.read_text().split("\n")} == words
