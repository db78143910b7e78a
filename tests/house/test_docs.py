"""What the documents say must be so: every setting and command is described, every link leads somewhere, and
nothing tells of the machine it was written on."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from posthouse.cli import cli
from posthouse.config import Settings

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_SETTING_ROW = re.compile(r"^\| `POSTHOUSE_(\w+)` \| (.+?) \|", re.MULTILINE)

# Absolute paths of somebody's machine, and hosts from which somebody's packages came.
_LOCAL = re.compile(
    r"(?<![\w.)}\]>-])/(?:work|root|home|Users|tmp|opt/(?:pypi|wheels))/\w"
    r"|\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|npm\.pkg|artifactory|nexus3?\.)"
    r"|--(?:extra-)?index-url"
)


def rows_of_settings(document: Path) -> dict[str, str]:
    """The default that a document's table tells, by setting."""
    return {name.lower(): default for name, default in _SETTING_ROW.findall(document.read_text())}


def told(default: object) -> str:
    """A default as the tables write it."""
    if default is None or default == ():
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


@pytest.mark.parametrize("document", [README, OPERATIONS], ids=lambda document: document.name)
def test_every_setting_is_described_with_its_default(document: Path) -> None:
    assert rows_of_settings(document) == {
        name: told(field.get_default()) for name, field in Settings.model_fields.items()
    }


def test_no_document_names_a_setting_that_there_is_not() -> None:
    named = {name for document in DOCUMENTS for name in re.findall(r"POSTHOUSE_([A-Z_]*[A-Z])", document.read_text())}
    assert named - {name.upper() for name in Settings.model_fields} == set()


def commands_of(app: typer.Typer, prefix: str = "posthouse") -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{prefix} {command.name or command.callback.__name__}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands_of(group.typer_instance, f"{prefix} {group.name or group.typer_instance.info.name}")


def test_the_operations_page_describes_every_command_and_no_other() -> None:
    table = OPERATIONS.read_text().partition("## Commands")[2].partition("\n## ")[0]
    described = {
        " ".join(re.findall(r"\b[a-z]+\b", row)) for row in re.findall(r"^\| `(posthouse [^`]+)`", table, re.M)
    }
    assert described == set(commands_of(cli))


def anchors_of(document: Path) -> set[str]:
    """The fragments by which a document's headings are reached, as GitHub makes them."""
    headings = _HEADING.findall(re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in _LINK.findall(_CODE.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (fragment and fragment not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def files_of_the_repository() -> list[Path]:
    """What is tracked, or would be by the next commit."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nothing says which files belong to the repository")
    return [path for name in found.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_tells_of_the_machine_it_was_written_on() -> None:
    found = []
    for path in files_of_the_repository():
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if local := _LOCAL.search(line[:10_000]):
                found.append(f"{path.relative_to(ROOT)}:{number}: {local[0]}")
    assert found == []


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("/work/x.py", True),
        ("cd /tmp/build && make", True),
        ("see '/home/ann/x'", True),
        ("--index-url=https://mirror.example/simple", True),
        ("from https://files.pythonhosted.org/x", True),
        ("https://example.org/home/page", False),
        ("GET /users/home", False),
        ("tests/work/", False),
        ("/etc/ssl/certs", False),
    ],
)
def test_a_line_that_tells_of_a_machine_is_found(line: str, local: bool) -> None:
    assert bool(_LOCAL.search(line)) is local
