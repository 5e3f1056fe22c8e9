import io
import json
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

from coach import __version__, guard
from coach.cli import COMMANDS, cli
from coach.cli.listening import bound
from coach.errors import CannotListen
from coach.model import Acknowledged, AcknowledgementDraft
from coach.terminal import show
from tests.conftest import ORDINARY, WRITEUPS

TEXT = ORDINARY[5]["text"]


@pytest.fixture
def run(coach):
    """The command line with the session's index."""

    def invoke(*args, given=None, **environ):
        environ = {"COACH_DATA_DIR": str(coach.settings.data_dir), **environ}
        return CliRunner().invoke(cli, args, input=given, obj=environ, catch_exceptions=False)

    return invoke


def test_reflect_reads_pleasantly(run):
    """Who answers, what was heard, numbered questions with their guidance; no line beyond 80 columns."""
    done = run("reflect", given=TEXT)
    assert done.exit_code == 0
    assert "not by a person" in done.output
    for number in "123":
        assert f"\n{number}  " in done.output
    assert done.output.count("?") >= 3
    assert max(map(len, done.output.splitlines())) <= 80


def test_reflect_reads_a_file_and_gives_the_answer_of_the_api(run, tmp_path):
    """The same fields as over HTTP."""
    path = tmp_path / "case.txt"
    path.write_text(TEXT)
    answer = json.loads(run("reflect", str(path), "--json", "--count", "5").stdout)
    assert answer["object"] == "reflection"
    assert len(answer["questions"]) == 5


def test_reflect_answers_each_line_under_its_own_id(run):
    """And a line that cannot be answered does not stop the others."""
    lines = [{"id": "a", "text": TEXT}, {"id": 7, "text": "hm"}, {"id": "c", "text": ORDINARY[0]["text"]}]
    done = run("reflect", "--jsonl", given="\n".join(map(json.dumps, lines)) + "\n\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", 7, "c"]
    assert answers[1]["error"]["code"] == "challenge-too-thin"
    assert len(answers[2]["questions"]) == 3


async def test_markup_in_a_write_up_is_text_on_the_terminal():
    """A manager's brackets are no colours: they are printed to the letter."""
    heard = guard.acknowledge(AcknowledgementDraft("You write [bold red]never again[/] and [link=x]so[/link].", ()))

    async def events():
        yield Acknowledged(heard)

    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    await show(events(), console)
    assert "You write [bold red]never again[/] and [link=x]so[/link]." in console.file.getvalue()


@pytest.mark.parametrize(("given", "told"), [("", "0 words"), ("hm", "1 words"), ("word " * 2500, "12,000")])
def test_what_cannot_be_reflected_on_is_said_in_a_line(run, given, told):
    """No traceback; exit code 2."""
    done = run("reflect", given=given)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", ["reflect", "check", "mask", "triage", "prepare"])
@pytest.mark.parametrize("content", [b"\xff\xfe", "Ärger mit Jürgen seit der Übergabe.".encode("cp1252")])
def test_a_file_that_is_not_utf_8_is_named_with_what_would_work(run, tmp_path, command, content):
    """In one line, whichever command reads it; standard input and lines of JSON too."""
    path = tmp_path / "Ana.txt"
    path.write_bytes(content)
    told = [run(command, str(path)), run("check", "--challenge", str(path), given="What do you see?")]
    if command != "prepare":
        told += [run(command, given=content), run(command, "--jsonl", given=b'{"id": 1, "text": "hm"}\n' + content)]
    for done, name in zip(told, (str(path), str(path), "Standard input", "Standard input"), strict=False):
        assert done.exit_code == 2
        assert done.stderr.splitlines()[-1].startswith(f"coach: {name} is not text in UTF-8.")


def test_a_file_that_is_not_there_is_named(run):
    """Without a traceback."""
    done = run("mask", "nowhere.txt")
    assert done.exit_code == 1
    assert "nowhere.txt" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_says_that_its_port_is_taken_or_its_address_not_its_own(coach, workers):
    """In plain words and at once, with the option that helps. In a process of its own: it sets up all logging."""
    environ = {"COACH_DATA_DIR": str(coach.settings.data_dir), "PATH": "/usr/bin:/bin"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "coach", "serve", "--port", port, "--workers", workers]
        taken = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
    assert (taken.returncode, taken.stdout, taken.stderr.count("\n")) == (2, "", 1)
    assert taken.stderr.startswith(f"coach: 127.0.0.1:{port} is taken")
    assert "--port" in taken.stderr
    for host in ("192.0.2.1", "no.such.name.invalid"):
        with pytest.raises(CannotListen, match=f"^{host} is no address of this machine.*--host"):
            bound(host, 0)


def test_check_judges_each_line(run):
    """For a person: the words that decided, and why. Exit code 1 if one was refused."""
    done = run("check", given="What matters to you here?\n\nHave you tried yoga?\n")
    assert done.exit_code == 1
    assert "passes   What matters to you here?" in done.output
    assert "directive: 'Have you tried'" in done.output
    assert run("check", given="What matters to you here?\n").exit_code == 0


def test_check_writes_verdicts_for_programs(run):
    """As a list, or a line each under the given id."""
    (one,) = json.loads(run("check", "--json", given="Have you tried yoga?\n").stdout)
    assert (one["id"], one["accept"], one["reason"], one["span"], one["rule"]) == (1, False, "directive", [0, 14], "have-you-tried")
    lines = "\n".join(json.dumps({"id": name, "text": text}) for name, text in (("x", "What now?"), ("y", "Why not call him?")))
    first, second = map(json.loads, run("check", "--jsonl", given=lines).stdout.splitlines())
    assert (first["id"], first["accept"], first["reason"], first["span"], first["scope"]) == ("x", True, None, None, "full")
    assert (second["id"], second["accept"], second["reason"]) == ("y", False, "directive")


def test_check_explains_itself(run):
    """Every finding with its rule and place, how likely each reason is, and how much was judged."""
    said = run("check", "--explain", given="Have you tried yoga, and what else helps?\n").output
    assert "- directive by have-you-tried, 0-14: 'Have you tried'" in said
    assert "- stacked by" in said
    assert "judged as en: structure, phrases, reading" in said
    assert "structure only" not in said
    assert "marks and length only" in run("check", "--explain", "--language", "it", given="Cosa ne pensi?\n").output


def test_check_holds_a_question_against_the_write_up(run, tmp_path):
    """With --challenge, a name from nowhere is refused."""
    story = tmp_path / "story.txt"
    story.write_text("Ana and I have not spoken since the audit.", encoding="utf-8")
    asked = "What would Ana say about the audit?\nWhat would Bernd say about the audit?\n"
    first, second = json.loads(run("check", "--json", "--challenge", str(story), given=asked).stdout)
    assert first["accept"]
    assert (second["reason"], second["rule"]) == ("ungrounded", "strange-name")


def test_a_line_that_is_no_row_is_named_by_its_number(run):
    """So that it can be found in a file of thousands."""
    done = run("check", "--jsonl", given='{"id": 1, "text": "What now?"}\nnonsense\n')
    assert done.exit_code == 1
    assert 'line 2 is not a JSON object with "id" and "text"' in done.output


def test_check_loads_neither_store_nor_web_server():
    """It starts at once; the encoder it needs, and loads when it has something to judge."""
    program = "import sys, coach.cli; coach.cli.cli(['check', '-h'], standalone_mode=False); "
    program += "print({'chromadb', 'litestar', 'openai'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.endswith("set()\n")


def test_index_says_what_it_did(run, tmp_path, coach):
    """Up to date is up to date; a missing one is built, with lines of progress where there is no terminal."""
    assert "up to date: 297 passages" in run("index").output


def test_knowledge_check_counts_and_finds_nothing(run):
    """Ours has no fault."""
    done = run("knowledge", "check")
    assert done.exit_code == 0
    assert done.output.endswith(": 0 faults\n")


def test_settings_are_explained_and_a_key_is_not_shown(run):
    """Each variable, its value in force, what it does."""
    done = run("settings", COACH_EMBEDDING_API_KEY="sk-very-secret", COACH_PORT="9000")
    assert "COACH_PORT = 9000" in done.output
    assert "COACH_EMBEDDING_API_KEY = set" in done.output
    assert "very-secret" not in done.output


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("COACH_PORT", "many", "COACH_PORT: 'many' is not a number"),
        ("COACH_PORT", "70000", "COACH_PORT: wants a whole number from 0 to 65535"),
        ("COACH_EMBEDDER", "magic", "COACH_EMBEDDER: can be local or endpoint"),
        ("COACH_PROT", "8000", "COACH_PROT: is not a setting; `coach settings` lists them all"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_with_what_would_work(run, variable, value, told):
    """A typing error in a variable's name too."""
    done = run("settings", **{variable: value})
    assert done.exit_code == 2
    assert told in done.stderr


def test_every_command_is_listed_and_answers_to_help(run):
    """The list is made without loading the commands: it must not lie."""
    listed = run("--help").output
    for name in COMMANDS:
        assert f"  {name} " in listed
        assert run(name, "--help").exit_code == 0
    assert run("dance").exit_code == 2
    assert __version__ in run("--version").output


@pytest.mark.timeout(120)
def test_serve_says_what_to_open_and_what_to_send(coach):
    """The printed curl command, run as printed, gets questions."""
    command = [sys.executable, "-m", "coach", "serve", "--port", "0"]
    environ = {"COACH_DATA_DIR": str(coach.settings.data_dir), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        told = ""
        for line in process.stdout:
            told += line
            if "Ctrl-C" in line:
                break
        assert "/schema" in told
        send = told[told.index("curl") : told.index("  Stop")]
        answer = json.loads(subprocess.run(send, shell=True, capture_output=True, text=True, check=True).stdout)
        process.terminate()
        assert process.wait(20) is not None
    assert len(answer["questions"]) == 3


def test_all_write_ups_are_answered_line_by_line(run):
    """All 28 through the command line."""
    given = "\n".join(json.dumps({"id": row["id"], "text": row["text"]}) for row in WRITEUPS)
    answers = [json.loads(line) for line in run("reflect", "--jsonl", given=given).stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [row["id"] for row in WRITEUPS]
    for row, answer in zip(WRITEUPS, answers, strict=True):
        coached = row["flag"] in {None, "injection"}
        assert bool(answer["signpost"]) is not coached
        assert len(answer["questions"]) == (3 if coached else row["flag"] == "hr_legal")
