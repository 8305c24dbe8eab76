"""Lists of sentences: what a visitor may paste or upload, what is refused, and what comes back."""

import csv
import io
import json

import pytest

from apps.batch import MAX_FILE, gather, outputs, progress_bar, results_table
from apps.editing import MAX_ROWS, PART, edit_one, edit_parts

EVIL = '<img src=x onerror="alert(1)">'


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "I see tea.\n\nWe like rain.\n"),
        ("a.TXT", "\ufeffI see tea.\r\nWe like rain.\r\n"),
        ("a.csv", 'id,text\n1,I see tea.\n2,"We like rain."\n'),
        ("b.csv", "sentence\nI see tea.\nWe like rain.\n"),
        ("c.csv", "whatever,n\nI see tea.,1\n\nWe like rain.,2\n"),
        ("a.jsonl", '{"text": "I see tea."}\n{"text": "We like rain."}\n'),
        ("b.jsonl", '"I see tea."\n"We like rain."\n'),
    ],
)
def test_files_are_read(tmp_path, name, content):
    assert gather("", write(tmp_path, name, content)) == ["I see tea.", "We like rain."]


def test_pasted_lines_are_read():
    assert gather("  I see tea. \n\n We like rain.", None) == ["I see tea.", "We like rain."]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.exe", "x", "must end in .txt, .csv or .jsonl"),
        ("a.txt.gz", "x", "must end in"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("a.txt", b"a\x00b", "zero bytes"),
        ("a.txt", "\n \n", "has no sentences"),
        ("a.csv", "text\n", "has no sentences"),
        ("a.csv", 'id,text\n1,"open\n', "is no CSV"),
        ("a.csv", "id,text\n1\n", "row 2 has 1 columns"),
        ("a.jsonl", "{", "line 1 is no JSON"),
        ("a.jsonl", "[" * 100_000, "line 1 is no JSON"),
        ("a.jsonl", '{"words": 1}', "must be a string"),
        ("a.txt", "x\n" * (MAX_ROWS + 1), f"at most {MAX_ROWS}"),
        ("a.txt", "x" * 501, "row 1 has 501 characters"),
        ("a.txt", b"x" * (MAX_FILE + 1), "at most 1 MB"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        gather("", write(tmp_path, name, content))
    assert str(tmp_path) not in str(caught.value)  # no visitor learns where files lie


def test_nothing_and_too_much_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing to edit"):
        gather(" \n ", None)
    with pytest.raises(ValueError, match="empty the box, or remove the file"):
        gather("x", write(tmp_path, "a.txt", "y"))
    with pytest.raises(ValueError, match=f"at most {MAX_ROWS}"):
        gather("x\n" * 1000, None)
    with pytest.raises(ValueError, match="must be text"):
        gather(None, None)


def test_a_list_is_edited_in_parts_as_one_by_one(told_space):
    sentences = [f"{who} {verb} {what}." for who in ("I", "We") for verb in ("see", "like") for what in ("tea", "rain", "a book")]
    parts = list(edit_parts(told_space, sentences, {"tense": "past"}, "auto", 1.0, 4))
    assert [len(p) for p in parts] == [PART, len(sentences) - PART]
    found = [e for part in parts for e in part]
    assert [e.source for e in found] == sentences
    assert found[3].text == edit_one(told_space, sentences[3], {"tense": "past"}, "auto", 1.0, 4).text


def test_outputs_read_back_and_formulas_do_not_run(told_space):
    found = [e for part in edit_parts(told_space, ["I see tea.", '=1+1, "x"'], {"tense": "past"}, "auto", 1.0, 2) for e in part]
    written = outputs(found)
    rows = list(csv.DictReader(io.StringIO(written["csv"].lstrip("\ufeff"))))
    assert rows[0]["source"] == "I see tea." and rows[0]["text"] == found[0].text
    assert rows[1]["source"] == "'=1+1, \"x\""
    assert [json.loads(line)["source"] for line in written["jsonl"].splitlines()] == ["I see tea.", '=1+1, "x"']


def test_tables_escape_what_was_typed(told_space):
    edit = type(next(edit_parts(told_space, ["I see tea."], {"tense": "past"}, "auto", 1.0, 1))[0])
    html = results_table([edit(EVIL, EVIL, True, None, EVIL, {}, {}, 1.0, 1.0, None, "auto")]) + progress_bar(1, 2, EVIL)
    assert "<img" not in html and "&lt;img" in html
