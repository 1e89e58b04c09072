"""What every notebook keeps to, so that it runs, reads and compares well everywhere.

A rule is a function that yields what is wrong in a notebook; the faulty notebooks at
the end of this file prove that each rule notices its fault.
"""

import ast
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    reads,
)

from tools.cells import WIDGET_VIEW, excerpt, slide_type, tags, telling_names
from tools.notebooks import (
    START,
    NotebookError,
    normalise,
    where,
)
from tools.paths import NOTEBOOKS, notebooks

# First lines of the cells whose output may differ: lists of versions, live progress.
IGNORED_OUTPUTS = {
    "from lecture_utils.machine import check_environment",  # versions, memory
}
CALLOUTS = {  # kind: the label that its text begins with
    "q": "Вопрос",
    "a": "Ответ",
    "note": "Замечание",
    "def": "Определение",
    "ex": "Пример",
    "plus": "Плюс",
    "minus": "Минус",
    "pm": "Спорно",
    "so": "Вывод",
}
SOLUTION = re.compile(
    r'<details class="callout a">\n<summary>Решение</summary>\n\n'
    r"```python\n(?:.{,79}\n)+```\n\n</details>"
)
# A term of the dictionary in 00 -> the words that would say the same.
INSTEAD_OF = {
    "класс-токен": r"токен\w* класса|\bCLS\b",
    "энкодер, декодер": r"(?<!авто)кодировщик|декодировщик",
    "внутреннее внимание": r"само-?внимани",
    "полносвязный слой": r"плотн\w+ сло[йяюиёе]",
    "горлышко": r"ботлнек",
    "пропуск": r"скип-|обходн\w+ (?:ветв|связ|соединен)",
    "пакет": r"\b(?:мини-?)?батч|мини-?пакет",
    "начальное значение": r"\bсид(?:а|ы|у|ом|ов)?\b|\bseed",
    "доля верных ответов": r"\bаккуратност",
    "прореженная свёртка": r"дилат|дилейт",
    "нормировка": r"нормализаци",
    "топ-1, топ-5": r"\btop-\d",
    "пулинг": r"подвыборк|пуллинг",
    "шаг": r"\bстрайд",
    "дополнение": r"\bпаддинг",
    "выборка": r"\bдатасет",
    "потери": r"\bлосс",
    "признак": r"\bфич[аиуе]",
    "MLP — он": r"\bMLP (?:сама|она|одна)\b",
}
SHOWN = ("slide", "subslide", "fragment", "")  # "": goes on with the slide
HIDDEN = ("skip", "notes")
MAX_BYTES = 2_000_000

Rule = Callable[[NotebookNode], Iterator[str]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


# --- reading a notebook ---------------------------------------------------------------


def cells(nb: NotebookNode, kind: str) -> list[tuple[str, NotebookNode]]:
    """The cells of one kind, each with a name for messages."""
    return [(where(nb, i), c) for i, c in enumerate(nb.cells) if c.cell_type == kind]


def outputs(nb: NotebookNode) -> list[tuple[str, NotebookNode]]:
    return [(name, out) for name, cell in cells(nb, "code") for out in cell.outputs]


def plain(text: str) -> str:
    """Markdown without code, formulas, HTML tags and link targets."""
    for pattern in (r"```.*?```", r"`[^`]*`", r"\$\$.*?\$\$", r"\$[^$]*\$", r"<[^>]*>"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def prose(nb: NotebookNode) -> str:
    return "\n\n".join(without_code(cell.source) for _, cell in cells(nb, "markdown"))


def headings(nb: NotebookNode) -> list[tuple[int, str]]:
    found = re.findall(r"^(#{1,6}) +(.+?) *$", prose(nb), re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def anchors(nb: NotebookNode) -> set[str]:
    """What `#…` can point to: headings as JupyterLab names them, and explicit ids."""
    named = {re.sub(r"[*_`]", "", text).replace(" ", "-") for _, text in headings(nb)}
    return named | set(re.findall(r"""\bid=["']([^"']+)""", prose(nb)))


# --- the file -------------------------------------------------------------------------


@rule
def normal_form(nb: NotebookNode) -> Iterator[str]:
    """Valid, kernel python3, no stderr, no widget state, no times, no random ids."""
    before = nbformat.from_dict(nb)
    try:
        after = normalise(nbformat.from_dict(nb))
    except (NotebookError, nbformat.ValidationError) as error:
        yield str(error)
        return
    if before.metadata != after.metadata:
        yield f"notebook metadata: {dict(before.metadata)}; `make run` mends it"
    for index, (old, new) in enumerate(zip(before.cells, after.cells, strict=True)):
        if old != new:
            yield f"{where(nb, index)} is not in normal form; `make run` mends it"


@rule
def unique_ids(nb: NotebookNode) -> Iterator[str]:
    for name, count in Counter(cell.id for cell in nb.cells).items():
        if count > 1:
            yield f"{count} cells have the id {name}"


@rule
def starts_alone(nb: NotebookNode) -> Iterator[str]:
    """And where the package is missing, the message says how to get it."""
    name, first = cells(nb, "code")[0]
    if not first.source.startswith(START) or slide_type(first) != "skip":
        yield f"{name}: the first code cell begins with START, skipped"


@rule
def one_title(nb: NotebookNode) -> Iterator[str]:
    titles = [text for level, text in headings(nb) if level == 1]
    if len(titles) != 1:
        yield f"one level-1 heading expected, found {titles}"


# --- outputs --------------------------------------------------------------------------


@rule
def executed_in_order(nb: NotebookNode) -> Iterator[str]:
    for expected, (name, cell) in enumerate(cells(nb, "code"), 1):
        if cell.execution_count != expected:
            yield f"{name}: execution count {cell.execution_count}, not {expected}"


@rule
def outputs_are_compared(nb: NotebookNode) -> Iterator[str]:
    """nbval checks every cell; few may print what differs between machines."""
    for name, cell in cells(nb, "code"):
        for tag in tags(cell):
            if tag == "nbval-ignore-output":
                if cell.source.splitlines()[0] not in IGNORED_OUTPUTS:
                    yield f"{name}: its output is not compared and not in the list"
            elif tag.startswith("nbval-") or tag in ("raises-exception", "skip"):
                yield f"{name}: tag {tag} hides faults"
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source):
            yield f"{name}: write nbval markers as tags"


@rule
def outputs_fit_every_machine(nb: NotebookNode) -> Iterator[str]:
    for name, output in outputs(nb):
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        if output.output_type == "error":
            yield f"{name}: stored error {output.ename}: {output.evalue}"
        if output.output_type == "execute_result":  # how a value looks may change
            yield f"{name}: ends with a bare value; print it or assign it"
        for found in re.findall(r"0x[0-9a-f]{6,}|/(?:home|root|tmp|Users)/|\\x", text):
            yield f"{name}: output holds {found}, which differs between machines"


@rule
def pictures_have_alt_text(nb: NotebookNode) -> Iterator[str]:
    for name, output in outputs(nb):
        data = output.get("data", {})
        text = data.get("text/plain", "")
        if data.keys() & {"image/png", "image/jpeg", "image/svg+xml"} and (
            len(text) < 20 or len(re.findall("[а-яё]", text)) < len(text) / 3
        ):
            yield f"{name}: a picture needs a Russian alt text, has {text!r}"
        if "image/png" in data:
            alt = output.metadata.get("image/png", {}).get("alt")
            if alt != text:
                yield f"{name}: the picture's alt is {alt!r}, its text {text!r}"
        if WIDGET_VIEW in data and not re.match(r"Виджет|.*\d+%\|", text):
            yield f"{name}: a control is not named, only {text[:50]!r}"
    for name, cell in cells(nb, "markdown"):
        for alt in re.findall(r"!\[([^\]]*)\]\(", without_code(cell.source)):
            if len(alt) < 20:
                yield f"{name}: an image needs an alt text, has {alt!r}"
        for tag in re.findall(r"<img\b[^>]*>", without_code(cell.source)):
            if not re.search(r"""\balt=["'][^"']{20,}""", tag):
                yield f"{name}: an image needs an alt text: {tag[:60]}"


# --- code -----------------------------------------------------------------------------


@rule
def cells_are_small(nb: NotebookNode) -> Iterator[str]:
    """Only a class may be long: a slide shows its telling lines, or none."""
    lengths = []
    for name, cell in cells(nb, "code"):
        lines = cell.source.splitlines()
        if is_folded(cell):
            lines = lines[1:]  # the line that stands for the cell
        lengths.append(len(lines))
        on_slide = slide_type(cell) in SHOWN and "hide-input" not in tags(cell)
        high, wide = (15, 72) if on_slide else (20, 79)
        if telling_names(cell):
            yield from excerpt_faults(name, cell, on_slide)
        if telling_names(cell) or (not on_slide and is_a_class(cell.source)):
            high = 60
        if len(lines) > high:
            yield f"{name}: {len(lines)} lines, at most {high}"
        for line in lines:
            if len(line) > wide:
                yield f"{name}: {len(line)} columns, at most {wide}: {line}"
    if lengths and statistics.median(lengths) > 8:
        yield f"median length of code cells {statistics.median(lengths)}, at most 8"


FOLDED = re.compile(
    r"# (?:импорт|подготовка|печать|проверка|(?:живой )?рисунок: .{5,})\n"
)


def is_folded(cell: NotebookNode) -> bool:
    """Its code is no part of the lecture; JupyterLab shows its first line alone."""
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:  # told by another rule
        body = []
    imports = all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
    return "hide-input" in tags(cell) or (bool(body) and imports)


@rule
def what_teaches_nothing_is_folded(nb: NotebookNode) -> Iterator[str]:
    for name, cell in cells(nb, "code"):
        if is_folded(cell):
            if not cell.metadata.get("jupyter", {}).get("source_hidden"):
                yield f"{name}: must be collapsed (source_hidden)"
            if not FOLDED.match(cell.source):
                yield f"{name}: begin with # рисунок: …, # проверка, # импорт, …"


def is_a_class(source: str) -> bool:
    """A class and nothing else."""
    return re.fullmatch(r"class .+(\n( .*)?)*", source) is not None


def excerpt_faults(name: str, cell: NotebookNode, on_slide: bool) -> Iterator[str]:
    """What a slide shows of a long cell is judged like other slides."""
    if not on_slide:
        yield f"{name}: a tag slide:…, but no slide shows the code"
    try:
        shown = excerpt(cell).splitlines()
    except ValueError as error:
        yield f"{name}: {error}"
        return
    if len(shown) > 15:
        yield f"{name}: {len(shown)} lines on the slide, at most 15"


@rule
def code_is_safe(nb: NotebookNode) -> Iterator[str]:
    for name, cell in cells(nb, "code"):
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            yield f"{name}: plain Python only, no ! and % commands"
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from (f"{name}: {fault}" for fault in call_faults(node))
            used = getattr(node, "id", getattr(node, "attr", "")) or ""
            if used.startswith("VanFor"):
                yield f"{name}: {used} is gone from transformers"


def call_faults(call: ast.Call) -> Iterator[str]:
    function = ast.unparse(call.func)
    given = {k.arg: ast.unparse(k.value) for k in call.keywords}
    yield from (f"{k}=" for k in ("pretrained", "trust_remote_code") if k in given)
    if function == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if given.get("num_workers", "0") != "0":
        yield f"num_workers={given['num_workers']}, workers fail on Windows"
    if re.search(r"(^|\.)(evaluate\.load|load_dataset|hub\.load)$", function):
        yield f"{function} needs the network"
    if function in ("input", "clear_output", "display.clear_output"):
        yield f"{function} cannot be compared"
    if function == "presenter":
        yield "presenter is for a cell that nobody stores"


# --- slides, exercises, text ----------------------------------------------------------


@rule
def every_cell_knows_its_slide(nb: NotebookNode) -> Iterator[str]:
    """And the live show leaves none out: after a slide it shows all these types."""
    if slide_type(nb.cells[0]) != "slide":
        yield f"{where(nb, 0)}: the first cell must be a slide"
    for index, cell in enumerate(nb.cells):
        if slide_type(cell) not in SHOWN + HIDDEN:
            yield f"{where(nb, index)}: slide_type is {slide_type(cell)!r}"


@rule
def exercises_have_hidden_solutions(nb: NotebookNode) -> Iterator[str]:
    """Folded in Markdown: of a folded code cell, GitHub and exports know nothing."""
    waiting = None
    for index, cell in enumerate(nb.cells):
        name = where(nb, index)
        if "exercise" in tags(cell):
            if waiting:
                yield f"{waiting}: no solution before the next exercise"
            waiting = name
        if "solution" in tags(cell):
            if not waiting:
                yield f"{name}: a solution without an exercise"
            if not SOLUTION.fullmatch(cell.source):
                yield f"{name}: a solution must be folded, at most 79 columns wide"
            waiting = None
    if waiting:
        yield f"{waiting}: no solution"


@rule
def an_exercise_stands_below_its_text(nb: NotebookNode) -> Iterator[str]:
    heading = ""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            heading = cell.source.partition("\n")[0]
        elif number := re.search(r'^exercise\("([^"]+)"', cell.source, re.MULTILINE):
            title = "Разминка:" if number[1][0] == "§" else f"{number[1]}."
            if not heading.startswith(f"### {title}"):
                yield f"{where(nb, index)}: stands below «{heading}»"


@rule
def every_section_ends_with_a_warm_up(nb: NotebookNode) -> Iterator[str]:
    """A section has a number; exercises, questions and conclusions have none."""
    code = "\n".join(cell.source for _, cell in cells(nb, "code"))
    asked = set(re.findall(r'^exercise\("§([\d.]+)"', code, re.MULTILINE))
    for number in re.findall(r"^## ([\d.]+\d)\.? ", prose(nb), re.MULTILINE):
        if number not in asked:
            yield f'section {number}: no exercise("§{number}", …) at its end'


@rule
def links_lead_somewhere(nb: NotebookNode) -> Iterator[str]:
    for name, cell in cells(nb, "markdown"):
        text = without_code(cell.source)
        targets = re.findall(r"\]\(<?([^)\s>]+)", text)
        targets += re.findall(r"""\b(?:href|src)=["']([^"']+)""", text)
        for target in map(unquote, targets):
            if re.match(r"https://|mailto:", target):
                continue
            file, _, anchor = target.partition("#")
            path = NOTEBOOKS / file
            if file and not path.exists():
                yield f"{name}: there is no {target}"
            elif anchor:
                aim = stored(path) if file else nb
                if anchor not in anchors(aim):
                    yield f"{name}: nothing is called #{anchor} in {file or 'here'}"


@rule
def formulas_are_numbered_by_hand(nb: NotebookNode) -> Iterator[str]:
    r"""JupyterLab numbers nothing: \tag{1} and «формула (1)» are right everywhere."""
    text = prose(nb)
    numbers = re.findall(r"\\tag\{([^}]+)\}", text)
    for number, count in Counter(numbers).items():
        if count > 1:
            yield f"{count} formulas are numbered ({number})"
    for command in re.findall(r"\\(?:label|eqref|ref)\b", text):
        yield f"{command}: write \\tag{{1}} and «формула (1)»"
    automatic = r"\\begin\{(?:equation|align|gather|multline)\}"
    for environment in re.findall(automatic, text):
        yield f"{environment} has a number in slides only: use the form with *"
    for number in re.findall(r"[Фф]ормул\w*[ \u00a0]\((\d+)\)", text):
        if number not in numbers:
            yield f"formula ({number}) is mentioned and not there"


@rule
def callouts_are_labelled(nb: NotebookNode) -> Iterator[str]:
    """In the text: readers without our style see neither colour nor kind."""
    for name, cell in cells(nb, "markdown"):
        for kind, text in re.findall(r'class="callout (.*?)">\s*(.{,40})', cell.source):
            label = f"**{CALLOUTS.get(kind)}.**"
            if kind == "a":  # folded: a reader opens it
                word = "Решение" if "solution" in tags(cell) else "Ответ"
                label = f"<summary>{word}</summary>"
            if not text.startswith(label):
                yield f"{name}: a callout {kind} begins with {text}"


@rule
def text_is_set_in_russian(nb: NotebookNode) -> Iterator[str]:
    for name, cell in cells(nb, "markdown"):
        text = plain(cell.source)
        for found in re.findall(r"""["“”][а-яёА-ЯЁ].{0,20}|[а-яё]["“”]""", text):
            yield f"{name}: «ёлочки», not {found}"
        for found in re.findall(r"\S+ (?:-|--) \S+", text):
            yield f"{name}: a dash is —, not {found}"


@rule
def one_term_for_one_thing(nb: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(nb.cells):
        texts = [cell.metadata.get("slideshow", {}).get("title", "")]
        if cell.cell_type == "markdown":
            texts.append(re.sub(r"«[^»]*»", "", plain(cell.source)))  # quotations stay
        for term, losers in INSTEAD_OF.items():
            for found in re.findall(losers, "\n".join(texts), re.IGNORECASE):
                yield f"{where(nb, index)}: «{found}»; here it is called «{term}»"


# --- all notebooks keep to all rules --------------------------------------------------

PATHS = notebooks()


@cache
def stored(path: Path) -> NotebookNode:
    """As it stands in the file: nbformat.read would mend faults silently."""
    return reads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("check", RULES, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook(path: Path, check: Rule):
    problems = list(check(stored(path)))
    assert not problems, "\n".join(["", *problems])


@pytest.mark.parametrize(
    "before, after", [*pairwise(PATHS)], ids=lambda path: path.stem
)
def test_neighbours_link_each_other(before: Path, after: Path):
    texts = {path: prose(stored(path)) for path in (before, after)}
    assert f"({after.name})" in texts[before]
    assert f"({before.name})" in texts[after]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_file_is_small(path: Path):
    assert path.stat().st_size <= MAX_BYTES


# --- and the rules notice what they are for -------------------------------------------


def sound() -> NotebookNode:
    """A notebook without a fault: Markdown, code, picture, exercise, solution."""
    markdown = "# Проба\n\nСм. формулу (1) и [раздел](#Проба).\n\n$$x \\tag{1}$$"
    alt = "Линия, которая растёт от нуля до двух"
    fold = '<details class="callout a">\n<summary>Решение</summary>\n\n{}\n\n</details>'
    solution = fold.format("```python\ny = 2\n```")
    picture = new_output(
        "display_data",
        {"image/png": "", "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
    )
    nb = new_notebook(
        cells=[
            new_markdown_cell(markdown, id="a"),
            new_code_cell(START, id="s", execution_count=1),
            new_code_cell("x = 1", id="b", execution_count=2, outputs=[picture]),
            new_code_cell("y = ...", id="c", execution_count=3),
            new_markdown_cell(solution, id="d"),
        ]
    )
    for cell in nb.cells:
        cell.metadata.slideshow = {"slide_type": "slide"}
    nb.cells[1].metadata.slideshow = {"slide_type": "skip"}
    nb.cells[3].metadata.tags = ["exercise"]
    nb.cells[4].metadata.tags = ["solution"]
    return normalise(nb)


def faults(nb: NotebookNode) -> list[str]:
    return [problem for check in RULES for problem in check(nb)]


def test_a_sound_notebook_passes():
    assert faults(sound()) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("\n".join(["x = 1"] * 16), "16 lines, at most 15"),
        ("x = '" + "а" * 70 + "'", "76 columns, at most 72"),
        ("!pip install x", "plain Python only"),
        ("%timeit x", "plain Python only"),
        ('exercise("04.2", f)', "stands below «# Проба»"),
        ("import math", "must be collapsed"),
        ("import math", "begin with # рисунок"),
        ("torch.load(p)", "torch.load without weights_only=True"),
        ("torch.load(p, weights_only=False)", "torch.load without weights_only=True"),
        ("resnet18(pretrained=True)", "pretrained="),
        ("m.from_pretrained(n, trust_remote_code=True)", "trust_remote_code="),
        ("DataLoader(d, num_workers=2)", "num_workers=2"),
        ("presenter()", "presenter is for a cell that nobody stores"),
        ("evaluate.load('accuracy')", "evaluate.load needs the network"),
        ("datasets.load_dataset('mnist')", "load_dataset needs the network"),
        ("transformers.VanForImageClassification()", "is gone from transformers"),
        ("# NBVAL_IGNORE_OUTPUT\nx", "write nbval markers as tags"),
    ],
)
def test_faulty_code_is_noticed(source: str, problem: str):
    nb = sound()
    nb.cells[2].source = source
    assert any(problem in line for line in faults(nb))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# Ещё один заголовок", "one level-1 heading expected"),
        ('Это "слово" так', "«ёлочки», not"),
        ("Глубина - это число слоёв", "a dash is —, not"),
        ("В батче восемь картинок", "it is called «пакет»"),
        (r"$$x \tag{1}$$", "2 formulas are numbered (1)"),
        (r"$$x \label{a}$$", "write \\tag{1}"),
        (r"\begin{equation}x\end{equation}", "use the form with *"),
        ("по формуле (7)", "formula (7) is mentioned"),
        ('<div class="callout q">\n\nПочему?', "a callout q begins with Почему?"),
        ('<div class="callout odd">\n\n**Ой.**', "a callout odd begins with **Ой.**"),
        ("## 7.10. Глава", 'section 7.10: no exercise("§7.10", …)'),
        ("[далее](05_нет.ipynb)", "there is no 05_нет.ipynb"),
        ("[выше](#Нет-такого)", "nothing is called #Нет-такого"),
        ("![](https://x.org/a.png)", "an image needs an alt text"),
        ("<img src='https://x.org/a.png'>", "an image needs an alt text"),
    ],
)
def test_faulty_text_is_noticed(text: str, problem: str):
    nb = sound()
    nb.cells[0].source += f"\n\n{text}"
    assert any(problem in line for line in faults(nb))


@pytest.mark.parametrize(
    ("more", "tag", "problem"),
    [
        (50, "slide:forward", None),
        (60, "slide:forward", "at most 60"),
        (50, "slide:__init__", "lines on the slide, at most 15"),
        (50, "slide:backward", "slide:backward, but the cell defines no"),
        (50, "forward", "lines, at most 15"),
    ],
)
def test_long_cells_show_their_telling_lines(more: int, tag: str, problem: str | None):
    nb = sound()
    nb.cells[2].source = "class A:\n    def __init__(self):"
    nb.cells[2].source += "\n        self.a = 1" * more
    nb.cells[2].source += "\n    def forward(self, x):\n        return x"
    nb.cells[2].metadata.tags = [tag]
    found = faults(nb)
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_a_class_that_no_slide_shows_may_be_long():
    nb = sound()
    nb.cells[2].metadata.slideshow.slide_type = "skip"
    nb.cells[2].source = "class A:" + "\n    a = 1" * 50
    assert faults(nb) == []
    nb.cells[2].metadata.tags = ["slide:forward"]
    assert any("no slide shows the code" in line for line in faults(nb))
    nb.cells[2].metadata.tags = []
    nb.cells[2].source += "\nx = A()"
    assert any("52 lines, at most 20" in line for line in faults(nb))


def test_code_in_text_is_left_alone():
    nb = sound()
    nb.cells[0].source += "\n\n`a - b`\n\n```python\nx = 'слово' - 1\n```"
    assert faults(nb) == []


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({"data": {"image/png": ""}}, "a picture needs a Russian alt text"),
        (
            {
                "data": {
                    "image/png": "",
                    "text/plain": "<Figure size 640x480 with Axes>",
                }
            },
            "a picture needs a Russian alt text",
        ),
        ({"data": {"text/plain": "<A at 0x7f1e941dfca0>"}}, "holds 0x7f1e941dfca0"),
        (
            {"data": {"image/png": "", "text/plain": "Линия растёт от нуля до двух"}},
            "the picture's alt is None",
        ),
        ({"data": {WIDGET_VIEW: {}, "text/plain": "VBox()"}}, "a control is not named"),
        (
            {"output_type": "stream", "name": "stderr", "text": "Warning"},
            "wrote to stderr",
        ),
        (
            {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
            "stored error",
        ),
        (
            {"output_type": "execute_result", "data": {"text/plain": "Conv2d()"}},
            "ends with a bare value",
        ),
    ],
)
def test_faulty_output_is_noticed(output: dict, problem: str):
    nb = sound()
    kind = output.pop("output_type", "display_data")
    nb.cells[2].outputs = [new_output(kind, **output)]
    assert any(problem in line for line in faults(nb))


def plant(nb: NotebookNode, index: int, **metadata: object) -> None:
    nb.cells[index].metadata.update(nbformat.from_dict(metadata))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda nb: nb.metadata.update(widgets={}), "notebook metadata"),
        (lambda nb: nb.metadata.kernelspec.update(name="ml"), "notebook metadata"),
        (lambda nb: plant(nb, 2, execution={"t": 1}), "is not in normal form"),
        (lambda nb: nb.cells[3].update(id="b"), "2 cells have the id b"),
        (lambda nb: nb.cells[3].update(execution_count=None), "execution count None"),
        (lambda nb: nb.cells[3].update(execution_count=5), "execution count 5, not 3"),
        (
            lambda nb: plant(nb, 2, slideshow={"slide_type": "slides"}),
            "slide_type is 'slides'",
        ),
        (
            lambda nb: plant(nb, 2, slideshow={"slide_type": "-"}),
            "slide_type is '-'",
        ),
        (
            lambda nb: plant(nb, 0, slideshow={"slide_type": "skip"}),
            "the first cell must be a slide",
        ),
        (lambda nb: nb.cells[2].metadata.pop("slideshow"), "slide_type is None"),
        (lambda nb: plant(nb, 2, tags=["nbval-skip"]), "tag nbval-skip hides faults"),
        (lambda nb: plant(nb, 2, tags=["nbval-ignore-output"]), "not in the list"),
        (lambda nb: nb.cells.pop(1), "the first code cell begins with START"),
        (lambda nb: nb.cells[4].update(source="`y = 2`"), "must be folded"),
        (lambda nb: plant(nb, 4, tags=[]), "no solution"),
        (lambda nb: plant(nb, 3, tags=[]), "a solution without an exercise"),
    ],
)
@pytest.mark.filterwarnings("ignore:Non-unique cell id")
def test_faulty_metadata_is_noticed(
    spoil: Callable[[NotebookNode], None], problem: str
):
    nb = sound()
    spoil(nb)
    assert any(problem in line for line in faults(nb))


def test_many_long_cells_are_noticed():
    nb = sound()
    for cell in nb.cells[2:4]:
        cell.source = "\n".join(["x = 1"] * 9)
    assert faults(nb) == ["median length of code cells 9, at most 8"]
