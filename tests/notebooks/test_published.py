"""Every number that a notebook quotes from the literature has a row with its source.

The rows are in ``published.toml``. A number counts as quoted where its paragraph, its
table or its statement of code names a paper, a benchmark or somebody's weights; what
is so found and is the notebook's own is listed there, too, with the reason.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.paths import notebooks

TABLE = Path(__file__).with_name("published.toml")
CUE = re.compile(
    r"\b[Сс]тать(?:я|е|и|ю|ёй|ей|ях)\b|\bстатей\b|\b(?:[Аа]|соа)втор|\bи др\."
    r"|опубликован|аннотаци|паспорт|документаци|репозитори"
    r"|ILSVRC|ImageNet|COCO\b|ADE20K|Caltech"
    r"|PASCAL|Middlebury|DeiT|DINO|RISE\b|Darcet|Adebayo|Press\b|TFLOPS|results-"
    r"|\b[Тт]оп-[15]|\btop-[15]|[A-Z][a-z]+, (?:19|20)\d\d\b"
    r"|(?:VGG|GoogLeNet|ResNet|SqueezeNet)[^.]*\d %|\w \((?:19|20)\d\d[,)]"
)
NOT_QUOTED = [  # cut out in this order
    r"colours=\d+",  # of our own picture
    r"```.*?```",
    r"`[^`]*`",
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"<[^>]*>",
    r"\]\([^)]*\)",  # where a link leads
    r"\b(?:19|20)\d\d\b",  # years
    # places in papers and in the lecture
    r"(?:табл\w*|рис\w*|раздел\w*|част\w*|формул\w*|issue|упражнени\w*|приложени\w*"
    r"|сноск\w*|№)\.?\s[A-Z]?\d+(?:\.\d+)*",
    r"\(\d\)",
    r"\d+(?:[×x]\d+)+",  # sizes: 3×3, 224×224
    r"[A-Za-zА-Яа-я]+[-/]?[A-Za-z]*[-/]?\d+(?:[-/.]\d+)*[A-Za-z]?\b",  # VGG-16, S/14
    r"\d+[\s-]сло[йяеёи]\w*",
    r"^#+ .*$",
]
NUMBER = re.compile(r"(?<![\d,.])(?:\d{1,3}(?:[\s_]\d{3})+|\d+)(?:[.,]\d+)*(?!\d)")
UNIT = re.compile(r"\s*(?:%|п\. п\.|пункт|млн|млрд)")  # makes a single digit a value


def one_line(text: str) -> str:
    return " ".join(text.split())


def numbers(text: str, code: bool = False) -> set[str]:
    """What stands in the text as a value, the way Russian text writes it.

    A decimal point in Markdown belongs to a section or a version, in code to a value.
    """
    text = re.sub(r"\$[+−-]?(\d+)\{,\}(\d+)\$", r"\1,\2", text)  # a bare decimal
    for pattern in [*NOT_QUOTED, *([r":\w+\}"] if code else [r"\d+(?:\.\d+)+"])]:
        text = re.sub(pattern, " ", text, flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[\s_]", "", found[0]).replace(".", ",")
        for found in NUMBER.finditer(text)
        if len(found[0]) > 1 or UNIT.match(text, found.end())
    }


def passages(text: str) -> Iterator[str]:
    """The sentences and table rows of Markdown that speak of somebody's results."""
    blocks = re.split(r"\n\s*\n", text)
    speaks = [CUE.search(block) is not None for block in blocks]
    for i, block in enumerate(blocks):
        if block.lstrip().startswith("|"):
            header, *rows = block.strip().split("\n")
            # the header and what stands around a table speak for all of its rows
            all_of_it = CUE.search(header) or any(speaks[max(i - 1, 0) : i])
            all_of_it = all_of_it or any(speaks[i + 1 : i + 2])
            yield from (row for row in rows if all_of_it or CUE.search(row))
        elif speaks[i]:
            yield from re.split(r"(?<=[.!?»])\s+(?=[А-ЯA-Z«*])|\n(?=[-*] )", block)


def statements(source: str) -> Iterator[str]:
    """The statements of code whose strings or comments speak of somebody's results."""
    source = re.sub(r"^[%!].*$", "pass", source, flags=re.MULTILINE)
    lines = source.split("\n")
    speaks = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type in (tokenize.STRING, tokenize.COMMENT)
        and CUE.search(token.string)
    }
    for node in ast.parse(source).body:
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if isinstance(node, (ast.Assign, ast.Expr)) and speaks & set(span):
            yield "\n".join(lines[i - 1] for i in span)


def drawn(source: str) -> set[str]:
    """The numbers written down in a cell that draws what somebody published."""
    if not re.match(r"# рисунок:.*(опубликован|по статье)", source):
        return set()
    data = [
        ast.unparse(node)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and not any(isinstance(part, ast.Call) for part in ast.walk(node))
    ]
    return {value for text in data for value in numbers(text, code=True)}


def quoted(nb: NotebookNode) -> Iterator[tuple[str, set[str]]]:
    """Passages that quote, each with its numbers."""
    for cell in nb.cells:
        code = cell.cell_type == "code"
        for passage in (statements if code else passages)(cell.source):
            if found := numbers(passage, code):
                yield one_line(passage), found


def without_row(nb: NotebookNode, rows: list[dict]) -> list[str]:
    """Passages with numbers of which no row knows."""
    faults = []
    for passage, found in quoted(nb):
        for row in rows:
            snippet = one_line(row["snippet"])
            if snippet in passage or passage in snippet:
                found = found - set(row["values"])
        if found:
            faults.append(f"{sorted(found)}: {passage}")
    return faults


def not_there(nb: NotebookNode, rows: list[dict]) -> list[str]:
    """Snippets that the notebook lacks, or that lack one of their values."""
    text = [one_line(cell.source) for cell in nb.cells]
    return [
        row["snippet"]
        for row in rows
        if not any(one_line(row["snippet"]) in source for source in text)
        or not all(stands(value, row["snippet"]) for value in row["values"])
    ]


def stands(value: str, snippet: str) -> bool:
    snippet = re.sub(r"(?<=\d)[\s_](?=\d{3})", "", snippet).replace("{,}", ",")
    whole = re.escape(value).replace(",", "[.,]")
    return re.search(rf"(?<![\d.,]){whole}(?!\d|[.,]\d)", snippet) is not None


@cache
def table() -> dict:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def rows_of(notebook: str, kind: str) -> list[dict]:
    return [row for row in table()[kind] if row["notebook"] == notebook]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook_and_table_agree(path: Path):
    nb = nbformat.read(path, as_version=4)
    rows = rows_of(path.stem, "fact") + rows_of(path.stem, "own")
    assert not not_there(nb, rows)
    assert not without_row(nb, rows)


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_charts_draw_the_numbers_of_the_table(path: Path):
    nb = nbformat.read(path, as_version=4)
    known = {value for row in rows_of(path.stem, "fact") for value in row["values"]}
    for cell in nb.cells:
        if cell.cell_type == "code":
            assert drawn(cell.source) <= known, cell.source


def test_rows_are_complete():
    names = {path.stem for path in notebooks()}
    for row in table()["fact"]:
        assert row["notebook"] in names
        assert row["source"] in table()["sources"]
        assert row["values"] and row["place"]
        assert row["looked_up"] == bool(row.get("seen"))  # what was seen, or nothing
    for row in table()["own"]:
        assert row["notebook"] in names and row["values"] and row["reason"]
    assert {row["source"] for row in table()["fact"]} == set(table()["sources"])
    for source in table()["sources"].values():
        assert source["title"] and source["year"] and source["link"]


# --- the detector notices planted faults ----------------------------------------------

SOUND = "На ImageNet авторы получили 12,5 % ошибок за 90 эпох (He и др., 2015)."
ROW = {"snippet": "12,5 % ошибок за 90 эпох", "values": ["12,5", "90"]}


def notebook(*markdown: str, code: str = "x = 1") -> NotebookNode:
    cells = [new_markdown_cell(text) for text in markdown]
    return new_notebook(cells=[*cells, new_code_cell(code)])


def test_a_sound_notebook_passes():
    nb = notebook(SOUND, "Наша сеть ошиблась 17 раз, шаг 0,05.")
    assert not not_there(nb, [ROW])
    assert not without_row(nb, [ROW])


def test_a_changed_number_is_noticed():
    nb = notebook(SOUND.replace("12,5", "12,6"))
    assert not_there(nb, [ROW])
    assert without_row(nb, [ROW])


def test_a_row_with_a_wrong_value_is_noticed():
    nb = notebook(SOUND)
    wrong = {**ROW, "values": ["12,5", "9"]}  # 9 is a part of 90 only
    assert not_there(nb, [wrong])
    assert without_row(nb, [wrong])


def test_a_chart_with_a_number_of_its_own_is_noticed():
    data = 'errors = {"ResNet": 22.85, "VGG": [7.3, 8]}'
    call = "fig, ax = plt.subplots(figsize=(10.6, 4))"
    cell = f"# рисунок: опубликованные ошибки\n{data}\n{call}"
    assert drawn(cell) == {"22,85", "7,3"}
    assert not drawn(f"# рисунок: наши ошибки\n{data}")


@pytest.mark.parametrize(
    "text",
    [
        "В статье это 75,3 %.",
        "Точность топ-1 — 76 %.",
        "Авторы учили сеть 370 000 шагов.",
        "На COCO выигрыш 5 пунктов.",
        "В статье $+1{,}2$ пункта.",
        "ResNet-50 верна в 80,9 % случаев.",
        "MobileNet (2017): в 1×1 95 % вычислений.",
        "| Сеть | ImageNet, % |\n|---|---|\n| NAT | 83,2 |",
        "| Сеть | верно |\n|---|---|\n| NAT | 83,2 |\n\nЭто таблица 4 статьи.",
    ],
)
def test_an_uncovered_sentence_is_noticed(text: str):
    assert without_row(notebook(SOUND, text), [ROW])


@pytest.mark.parametrize(
    "text",
    [
        "В статье (He и др., 2015) это таблица 4, у нас — раздел 2.7.",
        "В статье фильтры 3×3, у VGG-16 и ViT-S/14 на ImageNet.",
        "Авторы пишут $x = 17$, `steps=400` и [ссылка](https://arxiv.org/abs/1512.1).",
        "Мы учили сеть 300 шагов.",
    ],
)
def test_what_is_no_value_needs_no_row(text: str):
    assert not without_row(notebook(SOUND, text), [ROW])


@pytest.mark.parametrize(
    "code",
    [
        'claim("как в статье, 28,09 млн", n == 28.09)',
        "PUBLISHED = {  # таблица 1 статьи\n    'conv1': (2.7, 34),\n}",
        'show(fig, "Слева наша сеть, справа опубликованные 93 %")',
    ],
)
def test_an_uncovered_statement_is_noticed(code: str):
    assert without_row(notebook(SOUND, code=code), [ROW])
