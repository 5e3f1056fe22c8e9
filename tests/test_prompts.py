import pytest

from coach.errors import PromptError
from coach.knowledge.where import data_folder
from coach.prompts import load

GOOD = "---\nname: hello\nversion: 1\nvariables: [who]\n---\nHello {who}.\n"


def write(folder, text):
    (folder / "hello.md").write_text(text)
    return load(folder)


def test_a_prompt_is_prose_with_declared_holes(tmp_path):
    """Rendered with exactly its variables."""
    prompt = write(tmp_path, GOOD)["hello"]
    assert prompt.render({"who": "Ana {x}"}) == "Hello Ana {x}."
    for wrong in ({}, {"who": "a", "what": "b"}):
        with pytest.raises(PromptError, match="hello.md: wants"):
            prompt.render(wrong)


@pytest.mark.parametrize(
    ("good", "bad"),
    [("{who}", "{whom}"), ("[who]", "[]"), ("[who]", "[who, what]"), ("name: hello", "name: bye"), ("version: 1\n", ""), ("---\nname", "name")],
)
def test_a_prompt_that_contradicts_its_declaration_fails_at_start_up(tmp_path, good, bad):
    """Not at the first request."""
    with pytest.raises(PromptError):
        write(tmp_path, GOOD.replace(good, bad))


def test_ours_are_whole():
    """Every file of prompts/."""
    assert load(data_folder("prompts"))["disclosure"].render({"engine": ""})
