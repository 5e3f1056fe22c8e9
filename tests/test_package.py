"""What is installed from the wheel works away from the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = "I snapped at him on the open line and nobody has mentioned it since that night. I never asked him what it was like."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution as an index would."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_prompts_knowledge_and_tokenizer(wheel):
    """And the marker that it is typed."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("prompts/disclosure.md", "knowledge/sources.yaml", "knowledge/questions/care.yaml", "knowledge/guidance/equal-rank.md"):
        assert f"coach/data/{name}" in names
    assert {
        "coach/py.typed",
        "coach/encoder/tokenizer.json",
        "coach/guard/english.yaml",
        "coach/guard/head.npz",
        "coach/web/example_answer.json",
        "coach/client/typescript/coach.ts",
        "coach/client/typescript/api.ts",
    } <= names
    assert not any(name.startswith("tests/") for name in names)


@pytest.mark.timeout(600)
def test_an_empty_environment_with_the_wheel_gives_questions(wheel, tmp_path):
    """Locked requirements and the wheel, nothing else; run in another folder, with no index yet."""
    uv = Path(sys.executable).parent / "uv"
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--no-deps", "--require-hashes", "--requirement", ROOT / "requirements.lock"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COACH_", "PYTHON"))}
    command = [tmp_path / "venv" / "bin" / "coach", "reflect", "--json"]
    done = subprocess.run(command, input=TEXT, capture_output=True, text=True, cwd=tmp_path, env=environ, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert len(answer["questions"]) == 3
    assert answer["notices"] == []
    assert (tmp_path / ".data" / "index" / "current").exists()
    assert "Reading the library" in done.stderr


CALLS = """
import sys
from coach.client import Client
with Client(sys.argv[1]) as client:
    print(len(client.reflect(sys.argv[2]).questions), [type(event).__name__ for event in client.stream(sys.argv[2])][-1])
"""


@pytest.mark.timeout(600)
def test_a_bare_install_brings_the_clients_and_nothing_heavy(wheel, served, tmp_path):
    """From the index with its own dependencies alone, it calls a service; the command line says what to install, without a traceback."""
    uv = Path(sys.executable).parent / "uv"
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    listed = subprocess.run([uv, "pip", "list", "--python", python, "--format", "json"], capture_output=True, text=True, check=True).stdout
    names = {package["name"] for package in json.loads(listed)}
    assert {"reflection-coach", "httpx2", "msgspec"} <= names
    assert names <= {"reflection-coach", "httpx2", "httpcore2", "h11", "anyio", "idna", "truststore", "typing-extensions", "msgspec"}
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COACH_", "PYTHON"))}
    done = subprocess.run([python, "-c", CALLS, served, TEXT], capture_output=True, text=True, cwd=tmp_path, env=environ, check=False)
    assert (done.stdout, done.stderr) == ("3 ClosedOut\n", "")
    for command in ([tmp_path / "venv" / "bin" / "coach", "serve"], [python, "-m", "coach"]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environ, check=False)
        assert done.returncode == 1
        assert 'pip install "reflection-coach[server]"' in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_is_written_outside_the_data_folder(tmp_path):
    """No cache, no identifier, nothing in the home of whoever runs it: neither by us nor by what we build upon."""
    home, data, work = (tmp_path / name for name in ("home", "data", "work"))
    for folder in (home, work):
        folder.mkdir()
    environ = {"HOME": str(home), "COACH_DATA_DIR": str(data), "PATH": os.environ["PATH"], "TMPDIR": str(work), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", "coach", "reflect"], input=TEXT, capture_output=True, text=True, cwd=work, env=environ, check=True)
    assert done.stdout.count("?") >= 3
    assert list(home.rglob("*")) == []
    assert list(work.rglob("*")) == []
    assert {path.name for path in data.iterdir()} == {"index"}


def test_the_encoders_runtime_cannot_report_to_its_makers():
    """From 1.29 on onnxruntime sends events from Linux unless told not to: the one we lock has no such code."""
    import onnxruntime

    for library in Path(onnxruntime.__file__).parent.rglob("*.so*"):
        assert b"events.data.microsoft.com" not in library.read_bytes(), library
