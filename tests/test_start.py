"""The first hour of somebody who has nothing but the documentation."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import typescript
from tests.conftest import REQUIRED

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "coach" / "docs" / "start.md").read_text(encoding="utf-8")
NODE = "NO NODE WITH NPM: step 7 of coach/docs/start.md is not run"
COMPILER = f"npx --yes --package {typescript.PINNED[1]} tsc"


def steps():
    """The blocks of each step, by its number."""
    _, *parts = re.split(r"^\*\*(\d+)\. ", PAGE, flags=re.MULTILINE)
    return {int(number): re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL) for number, text in zip(parts[::2], parts[1::2], strict=True)}


def shell(number, blocks):
    """A step as a shell runs it; what it says stands behind its number."""
    yield f"echo '@@ {number}'"
    for language, text in blocks:
        if language == "python":
            yield f"python -W error - <<'END'\n{text}END"
        elif language == "typescript":
            name = re.match(r"// (\S+)", text)[1]
            yield f"cat > {name} <<'END'\n{text}END"
        else:
            yield text


@pytest.fixture
def environ(tmp_path):
    """A user's, whose `coach` and `python` are those of this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("python", ""), ("coach", "-m coach")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("COACH_", "OPENAI_"))}
    return {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def ready(served, said):
    """Its address, once it says that it is ready."""
    for _ in range(1200):
        if found := re.search(r"Coach is ready\..*?(http://[0-9.:]+)", said.read_text(encoding="utf-8"), re.DOTALL):
            return found[1]
        assert served.poll() is None
        time.sleep(0.1)
    pytest.fail("It did not start within two minutes.")


@pytest.mark.timeout(600)
def test_the_ten_steps_lead_from_an_empty_folder_to_a_running_integration(tmp_path, environ):
    """In order, from the page's own text, against a real process; nothing is put in but a free port, and what is installed already."""
    found, folder, said = steps(), tmp_path / "empty", tmp_path / "said"
    assert list(found) == list(range(1, 11))
    folder.mkdir()
    ((_, install),) = found.pop(1)
    dry = install.replace("pip install", f"{sys.executable} -m pip install --quiet --dry-run --no-index --no-build-isolation")
    subprocess.run(["bash", "-ec", dry.replace("reflection-coach", str(ROOT))], env=environ, cwd=folder, check=True)
    ((_, serve),) = found.pop(2)
    if not typescript.there():
        assert not REQUIRED, NODE
        sys.__stderr__.write(f"\n{NODE}\n")
        del found[7]
    command = f"exec {serve.strip()} --port 0"
    with said.open("w") as told, subprocess.Popen(["bash", "-c", command], env=environ, cwd=folder, stdout=told, stderr=told) as served:
        try:
            answers = _followed(found, ready(served, said), folder, environ)
        finally:
            served.send_signal(signal.SIGINT)
    assert served.returncode == 0
    _as_promised(answers, folder)
    assert answers[3] == ""
    assert not re.search(r"\bck_|planner|afraid", said.read_text(encoding="utf-8"))


def _followed(found, url, folder, environ):
    """What each step said."""
    script = "\n".join(line for number, blocks in found.items() for line in shell(number, blocks))
    if 7 in found:
        assert COMPILER in script
        script = script.replace(COMPILER, typescript.tool("tsc"))
    script = f"set -eo pipefail\n{script.replace('http://127.0.0.1:8000', url)}"
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    _, *parts = re.split(r"@@ (\d+)\n", done.stdout)
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def _as_promised(answers, folder):
    assert '"questions":[{' in answers[4]
    assert answers[5].count("event: asked") == 2
    assert "event: closed" in answers[5]
    first, second, erased = answers[6].splitlines()
    assert first.endswith("?")
    assert second.endswith("?")
    assert erased == "1 erased"
    assert 7 not in answers or [line.endswith("?") for line in answers[7].splitlines()] == [True] * 3
    assert '"collection":"acme"' in answers[8]
    assert answers[9].count("?") >= 2
    assert re.search(r'coach_answers_total\{outcome="complete"\} \d', answers[10])
    assert (folder / ".data").is_dir()
