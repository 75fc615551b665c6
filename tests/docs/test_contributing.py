"""CONTRIBUTING.md: its paths exist, and its recipes work when followed literally on a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_dbt_rerun

ROOT = Path(__file__).parents[2]
PACKAGE = Path(airflow_dbt_rerun.__file__).parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

SIGNATURE = (
    "core/signatures/tables/postgres.toml",
    "[[signatures]]\n",
    """[[signatures]]
id = "postgres/flux-capacitor"
category = "throttled"
name = "flux full"
source = "a test"
pattern = "flux capacitor is full"
examples = ["the flux capacitor is full"]

[[signatures]]
""",
    (
        "from airflow_dbt_rerun import classify\n"
        "assert str(classify('the flux capacitor is full', adapter='postgres')) == 'throttled'"
    ),
)
CONDITION = (
    "core/policy/conditions.py",
    "CONDITIONS: dict",
    '''@dataclass(frozen=True, repr=False, init=False)
class commit(NamedCondition):
    """Match when the failed run ran one of these commits."""

    shas: tuple[str, ...]
    call = Call("commit", {"shas": _TEXTS}, ("shas",), spread=True)

    def __init__(self, *shas: str) -> None:
        self._keep(shas=shas)

    @override
    def holds(self, state: RerunState) -> bool:
        return state.run.git_sha in self.shas

    @property
    @override
    def words(self) -> str:
        return f"it ran commit {_or(self.shas)}"

    @property
    @override
    def denied(self) -> str:
        return f"it did not run commit {_or(self.shas)}"


CONDITIONS: dict''',
    (
        "from airflow_dbt_rerun import RerunPolicy\n"
        "from airflow_dbt_rerun.core.policy.conditions import commit\n"
        "from airflow_dbt_rerun.core.policy.json_schema import policy_schema\n"
        "policy = RerunPolicy.from_dict({'rules': [{'when': {'commit': ['abc', 'def']}}]})\n"
        "assert policy.rules[0].when == commit('abc', 'def')\n"
        "assert RerunPolicy.from_dict(policy.to_dict()) == policy\n"
        "assert 'it ran commit abc or def' in policy.words()[0]\n"
        "assert 'commit' in str(policy_schema())"
    ),
)
DEFAULT_RULE = (
    "core/policy/rules.py",
    "DEFAULT_RULES: tuple[RerunRule, ...] = (\n",
    "DEFAULT_RULES: tuple[RerunRule, ...] = (\n    RerunRule(every(Category.RESOURCES), RerunAction.FAIL),\n",
    (
        "from airflow_dbt_rerun import RerunPolicy\n"
        "assert RerunPolicy().words()[0] == '1. If every failure is resources: do not rerun; a person is needed.'"
    ),
)
ENDPOINT = (
    "api/endpoints.py",
    "def get_job(",
    '''def get_repository(repository_id: Id) -> Endpoint[Resource]:
    """Read a repository."""
    return Endpoint("GET", f"repositories/{number('repository_id', repository_id)}/", _data(Resource.from_api))


def get_job(''',
    (
        "from airflow_dbt_rerun.api.endpoints import get_repository\n"
        "endpoint = get_repository(5)\n"
        "assert str(endpoint) == 'GET repositories/5/'\n"
        'assert endpoint.parse(b\'{"data": {"id": 5, "name": "prod"}}\').name == "prod"'
    ),
)


@pytest.mark.parametrize(
    ("file", "before", "after", "check"),
    [SIGNATURE, CONDITION, DEFAULT_RULE, ENDPOINT],
    ids=["signature", "condition", "default rule", "endpoint"],
)
def test_recipe_works(tmp_path: Path, file: str, before: str, after: str, check: str) -> None:
    """Edit a copy as the recipe says, and use what was added."""
    assert f"`{file}`" in PAGE
    copy = tmp_path / "airflow_dbt_rerun"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text(encoding="utf-8")
    assert text.count(before) >= 1
    changed = text.replace(before, after, 1)
    if file.endswith("conditions.py"):
        changed = changed.replace("step, run, attempt_number)", "step, run, attempt_number, commit)")
    (copy / file).write_text(changed, encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{check}\nprint('works')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.strip().endswith("works"), done.stderr


def test_named_files_exist() -> None:
    """A path on the page that is gone would send a reader nowhere."""
    named = re.findall(r"`([\w./]+\.(?:py|md|jsonl|toml))`", PAGE)
    assert named
    assert [path for path in named if not ((ROOT / path).exists() or (PACKAGE / path).exists())] == []


def test_named_folders_exist() -> None:
    """The map names folders of the package, and all of them."""
    block = PAGE.split("```")[1]
    named = set(re.findall(r"^(\w+)/|, (\w+)/", block, flags=re.MULTILINE))
    folders = {one or other for one, other in named}
    assert folders == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}


def test_named_commands_exist() -> None:
    """What README and CONTRIBUTING tell a reader to make can be made, and each thing that can be made is named."""
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:make )([a-z0-9-]+)|`make ([a-z0-9-]+)", PAGE + readme, re.MULTILINE))
    words = {one or other for one, other in named}
    assert words <= targets
    assert targets - words <= {"help", "setup", "clean"}
