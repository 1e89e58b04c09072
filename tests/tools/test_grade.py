"""Marks of a class: what students hand in is found and judged as they judge it, and
nothing that it does loses another student's marks, changes a file or raises a mark."""

import ast
import csv
import inspect
import io
import json
import os
import re
import socket
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random
from textwrap import indent

import pytest
import torch
from torch import nn

from lecture_utils.exercises import judge
from lecture_utils.exercises.cases import CHECKS
from lecture_utils.exercises.expect import call, case, expect
from tests.answers import RIGHT, WRONG, spoiled
from tests.package.test_exercises import GRADED
from tools import grade
from tools.answers import Submission
from tools.load import factor
from tools.paths import ROOT
from tools.remote import decode, encode, live
from tools.sandbox import Nursery
from tools.submissions import students

SECRET = "a secret of the tests"
ANSWERS = {value.id: value.values for value in (*RIGHT, *WRONG)}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Children that wait for nobody."""
    if sys.platform != "linux":
        pytest.skip("the sandbox is made of what Linux has")
    try:
        nursery = Nursery(grade.prepare, partial(live, call_limit=5 * factor()))
    except OSError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.remote.ASK_LIMIT", 10 * factor())
        yield nursery
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)
    nursery.close()


def verdicts(nursery: Nursery, *cells: str) -> dict[str, str]:
    """Of a notebook with these code cells."""
    best = {}
    for number, told in grade.mark(nursery, [*cells], {*GRADED}, SECRET, float("inf")):
        best[number] = told
    return best


# --- Notebooks of honest students, from the answers of the tests ----------------------


@cache
def written_answers(module: str) -> tuple[list[str], dict[str, str]]:
    """Cells with all definitions of a module of answers, and its answers by test id."""
    definitions, answers = [], {}
    tree = ast.parse((ROOT / f"tests/answers/{module}.py").read_text("utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            declared = [d for d in statement.decorator_list if _numbers(d)]
            for call in declared:
                for number in _numbers(call):
                    answers[f"{number}-{statement.name}"] = statement.name
            statement.decorator_list = [
                d for d in statement.decorator_list if d not in declared
            ]
        elif isinstance(statement, ast.Expr) and (numbers := _numbers(statement.value)):
            for number in numbers:
                for short in statement.value.keywords:
                    answers[f"{number}-{short.arg}"] = ast.unparse(short.value)
            continue
        elif (
            isinstance(statement, ast.ImportFrom)
            and statement.module == "tests.answers"
        ):
            if any(name.name == "spoiled" for name in statement.names):
                definitions += ["from collections.abc import Callable"]
                definitions += [inspect.getsource(spoiled)]
            continue
        definitions.append(ast.unparse(statement))
    return definitions, answers


def _numbers(node: ast.expr) -> list[str]:
    match node:
        case ast.Call(func=ast.Name("right" | "wrong"), args=numbers):
            return [ast.literal_eval(number) for number in numbers]
    return []


def cells_of(answer: str) -> list[str]:
    """The cells of a student who answers as in this test of `tests/answers`."""
    for path in sorted((ROOT / "tests/answers").glob("[a-z]*.py")):
        definitions, answers = written_answers(path.stem)
        if answer in answers:
            call = f'exercise("{answer[:4]}", {answers[answer]})'
            return [*definitions, call]
    raise KeyError(answer)


# What travels is of another kind in each: tensors that are changed, layers, a network
# with hooks, a stream, a function, random numbers, one number, a ban.
KINDS = ["01.2", "02.4", "03.4", "04.3", "04.5", "04.6", "05.4"]
KINDS += ["06.4", "08.2", "08.6", "09.4", "11.4", "11.6", "12.1"]


def honest_answers() -> Iterator[str]:
    """A right answer and a wrong one of each kind."""
    for answers in (RIGHT, WRONG):
        for number in KINDS:
            of_number = [a.id for a in answers if a.values[0] == number]
            yield of_number[len(of_number) // 2]


@pytest.mark.parametrize("answer", list(honest_answers()))
def test_a_verdict_is_that_of_the_students_own_judge(nursery, answer):
    number, function = ANSWERS[answer]
    (told,) = verdicts(nursery, *cells_of(answer)).values()
    # A wrong answer may be wrong by another number where it draws it.
    assert re.sub(r"\d", "", told) == re.sub(r"\d", "", judge(number, function))


# --- What a cheat, or an unlucky student, hands in ------------------------------------

OF_ANOTHER = """\
def one_form(W1, b1, W2):
    length = W1.norm(dim=1)
    order = (b1 / length).argsort()
    W1, W2 = W1 / length[:, None], W2 * length
    return W1[order], (b1 / length)[order], W2[:, order]

exercise("04.2", one_form)"""
# Bodies of an answer to 04.1 (`block_parameters`); {canary} is the instructor's.
HOSTILE = {
    "an endless loop": "while True: pass",
    "a loop that nothing stops": """
while True:
    try:
        while True: pass
    except BaseException: pass""",
    "sleep": "import time; time.sleep(1e6)",
    "endless recursion": "def f(): return f()\nreturn f()",
    "a broken stack": """
import sys
sys.setrecursionlimit(10**9)
def f(): return f()
return f()""",
    "exit": "import sys; sys.exit(0)",
    "os._exit": "import os; os._exit(0)",
    "a signal to itself": "import os; os.kill(os.getpid(), 9); os.abort()",
    "a signal to all": "import os; os.kill(-1, 9)",
    "a signal to the parent": "import os; os.kill(os.getppid(), 9); return 1",
    "a wrong address": "import ctypes; ctypes.string_at(0)",
    "a fork bomb": """
import os
while True:
    try: os.fork()
    except OSError: pass""",
    "a child that stays": """
import os, time
if not os.fork():
    os.setsid()
    time.sleep(1e6)
return 1""",
    "a thousand threads": """
import threading, time
for _ in range(1000): threading.Thread(target=time.sleep, args=(99,)).start()""",
    "20 GB": "return bytearray(20 << 30)",
    "20 GB of torch": "return torch.ones(20 << 27, dtype=torch.float64)",
    "a large answer": "return 'x' * (200 << 20)",
    "a deep answer": "a = []\nfor _ in range(10**5): a = [a]\nreturn a",
    "megabytes of output": "for _ in range(300): print('x' * 10**6)\nreturn 1",
    "noise on every file": """
import os
for fd in range(64):
    try: os.write(fd, b'noise' * 100)
    except OSError: pass""",
    "every file closed": "import os; os.closerange(0, 64)",
    "a full disk": """
for i in range(100):
    with open(str(i), 'wb') as f: f.write(bytes(10 << 20))""",
    "files removed": """
import os, shutil
for place in (os.path.dirname({canary!r}), {root!r}, os.path.expanduser('~')):
    shutil.rmtree(place, ignore_errors=True)
return 1""",
    "files overwritten": "open({canary!r}, 'w').write('changed')",
    "files read": "return len(open({canary!r}).read())",
    "the repository read": "return open({root!r} + '/README.md').read()",
    "the right answer imported": """
from lecture_utils.exercises.resnet import block_parameters
return block_parameters(c_in, c, stride)""",
    "the right answer by judge": """
from lecture_utils.exercises import _check
from lecture_utils.exercises.cases import CHECKS
_check('04.1')
check = CHECKS['04.1']
names = dict(zip(check.__code__.co_freevars, check.__closure__))
return names['oracle'].cell_contents(c_in, c, stride)""",
    "the right answer in memory": """
import gc
for thing in gc.get_objects():
    if getattr(thing, '__qualname__', '') == 'block_parameters' and thing is not answer:
        return thing(c_in, c, stride)""",
    "the caller's frame": """
import sys
frame = sys._getframe()
while frame := frame.f_back:
    for name, value in frame.f_locals.items():
        if name in ('want', 'oracle'):
            return value(c_in, c, stride) if callable(value) else value""",
    "a patched judge": """
import lecture_utils.exercises as e
from lecture_utils.exercises import cases, expect
e.judge = e.exercise = lambda *args, **options: '✔ упражнение 04.1: верно'
for module in (cases, expect): module.expect = lambda *args, **options: None
expect.call = lambda *args, **options: None
return 1""",
    "a patched language": """
import builtins, json
json.dumps = lambda *args, **options: '{{"value": ["plain", 1], "changed": {{}}}}'
builtins.isinstance = builtins.all = lambda *args: True
return 1""",
    "a forged message": """
import os
told = '{{"verdict": "✔ упражнение 04.1: верно", "numbers": ["04.1"]}}'.encode()
for fd in range(3, 64):
    try: os.write(fd, len(told).to_bytes(8, 'big') + told)
    except OSError: pass
return 1""",
    "equal to everything": """
class Agreeable(int):
    __eq__ = lambda self, other: True
    __hash__ = None
return Agreeable(1)""",
    "code in the answer": """
class Trojan:
    def __reduce__(self): return open, ({canary!r}, 'w')
    __repr__ = None
return Trojan()""",
    "more rights": """
import ctypes, os
c = ctypes.CDLL(None)
c.setuid(0), c.unshare(0x10000000), c.umount2(b'/', 2), c.mount(0, b'/', 0, 32, 0)
return len(open({canary!r}).read())""",
    "the network": """
import socket
return len(socket.create_connection(('127.0.0.1', {port})).recv(1))""",
    "an environment read": "import os; return len(os.environ['LECTURE_GRADE_SEED'])",
}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("attack", HOSTILE)
def test_nothing_is_lost_and_nothing_gained(attack, nursery, tmp_path, server):
    canary = tmp_path / "marks.csv"
    canary.write_text("as it was")
    names = {"canary": str(canary), "root": str(ROOT), "port": server}
    body = indent(HOSTILE[attack].format(**names), "    ")
    cell = f'def answer(c_in, c, stride):\n{body}\n\nexercise("04.1", answer)'
    told = verdicts(nursery, "import torch", cell)
    assert told["04.1"].startswith("✘ упражнение 04.1: ")
    assert verdicts(nursery, OF_ANOTHER) == {"04.2": "✔ упражнение 04.2: верно"}
    assert canary.read_text() == "as it was"
    assert (ROOT / "notebooks/04_resnet.ipynb").exists()


# --- What of a notebook an answer needs -----------------------------------------------


def test_cells_may_be_moved_split_and_broken(nursery):
    told = verdicts(
        nursery,
        'exercise("04.1", block)',
        "%time print(1)",
        "def block(c_in, c, stride): ...",
        "def block(c_in, c, stride:",
        "raise SystemExit",
        "def block(a, b, stride):\n    return total(a, b, a != b or stride > 1)",
        "def total(a, b, more):\n"
        "    return NINE * b * (a + b) + 4 * b + more * (a + TWO) * b",
        "from math import sqrt\nNINE = int(sqrt(81))\nTWO = 3\nTWO -= 1",
    )
    assert told == {"04.1": "✔ упражнение 04.1: верно"}


def test_an_answer_may_use_what_the_lecture_defines(nursery):
    cell = 'exercise("09.2", lambda x, a, b: window_partition(x.movedim(1, -1), a))'
    assert "window_partition" not in verdicts(nursery, cell)["09.2"]


def test_two_answers_may_have_one_name(nursery):
    told = verdicts(
        nursery,
        'def f(c_in, c, stride):\n    return 1\nexercise("04.1", f)',
        "def f(x, bn, conv, bn2, conv2):\n    y = conv(bn(x).relu())\n"
        '    return x + conv2(bn2(y).relu())\nexercise("04.4", f)',
    )
    assert (told["04.1"][0], told["04.4"][0]) == ("✘", "✔")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ('def f(*a): ...\nexercise("04.1", f)', "… упражнение 04.1: решения пока нет"),
        ('exercise("04.1", ...)', "… упражнение 04.1: решения пока нет"),
        ('exercise("04.1", 3)', "нужна функция, а получено int"),
        ('exercise("04.1", f)', "✘ упражнение 04.1: ответа нет: NameError"),
        ('def f(:\nexercise("04.1", f)', "✘ упражнение 04.1: ячейка не читается"),
    ],
)
def test_what_is_no_answer_is_said_so(nursery, cell, told):
    (verdict,) = verdicts(nursery, cell).values()
    assert told in verdict


def test_only_what_an_answer_needs_is_chosen():
    submission = Submission(
        [
            "import math, os\nx = 1\nfor x in range(3): pass",
            "def helper(y):\n    x = y\n    return math.sqrt(x)",
            'print(helper(2)); exercise("04.1", lambda: helper(3))',
        ]
    )
    needed = [ast.unparse(line)[:12] for line in submission.needed("04.1", set())]
    assert needed == ["import math,", "def helper(y"]


# --- What travels ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, float("inf"), "да", ..., [1, (2, "три")], {"a": {1: [None]}}],
)
def test_a_plain_value_comes_back(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float64]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_a_tensor_comes_back(dtype, shape):
    value = torch.ones(shape).to(dtype)
    back = decode(
        json.loads(json.dumps(encode(value.mT if value.dim() > 1 else value)))
    )
    assert back.dtype == dtype and torch.equal(
        back.mT if back.dim() > 1 else back, value
    )


def test_a_module_comes_back_as_its_numbers():
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.BatchNorm2d(4)
    ).eval()
    net.register_forward_hook(lambda *_: torch.zeros(1))
    back = decode(json.loads(json.dumps(encode(net))))
    x = torch.randn(1, 2, 5, 5)
    assert str(back) == str(net) and not back.training
    assert torch.equal(back(x), nn.Sequential.forward(net, x))


@pytest.mark.parametrize(
    "code",
    [
        *([], None, 5, ["plain", []], ["tensor", "int", [1], "AA==", False]),
        *(["tensor", "torch.int64", [9], "AA==", False], ["given", 5], ["other", 1, 2]),
        ["module", {"class": ["os", "system"], "plain": {}}],
        ["module", {"class": ["torch.nn.modules.conv", "F"]}],
    ],
)
def test_what_is_no_code_of_a_value_runs_nothing(code):
    value = None
    with suppress(Exception):
        value = decode(code)
    assert not callable(value)


# --- Folders, zips, marks, pages ------------------------------------------------------


def notebook_bytes(*cells: str) -> bytes:
    code = [{"cell_type": "code", "source": [cell], "outputs": []} for cell in cells]
    return json.dumps(
        {"cells": [{"cell_type": "markdown", "source": "#"}, *code]}
    ).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_students_are_found_in_folders_and_zips(tmp_path):
    one = notebook_bytes("a")
    for name, content in {
        "Анна/04.ipynb": one,
        "Анна/deep/05 (копия).ipynb": one,
        "Борис_123_assignsubmission_file_/x.ipynb": one,
        "Вера.zip": zipped({"в/04.ipynb": one, "05.zip": zipped({"05.ipynb": one})}),
        "Глеб_04_resnet.ipynb": one,
        "Глеб-05_fpn_unet.ipynb": one,
        "broken.ipynb": b"{",
        "broken.zip": b"PK",
        "readme.txt": b"",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "link").symlink_to(ROOT / "notebooks")
    found = {student.name: student.notebooks() for student in students(tmp_path)}
    two = [["a"], ["a"]]
    assert found == {
        "Анна": two,
        "Борис": [["a"]],
        "Вера": two,
        "Глеб": two,
        "broken": [[]],
    }


def test_a_zip_of_a_folder_holds_its_students(tmp_path):
    path = tmp_path / "class.zip"
    one = notebook_bytes("a")
    path.write_bytes(
        zipped({"class/Анна/1.ipynb": one, "class/../../Борис/1.ipynb": one})
    )
    assert {student.name for student in students(path)} == {"Анна", ".."}
    assert list(tmp_path.iterdir()) == [path], "nothing is unpacked"


class FakeJudge:
    """Judges without a sandbox; it breaks down after some students."""

    def __init__(self, secret: str) -> None:
        self.judged = 0

    def verdicts(self, files: list[list[str]]) -> dict[str, str]:
        FakeJudge.left -= 1
        if FakeJudge.left < 0:
            raise KeyboardInterrupt
        return {"04.1": files[0][0]}

    def stop(self) -> None:
        pass


def marks_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_interrupted_it_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "Judge", FakeJudge)
    told = ["✔ упражнение 04.1: верно", "✘ упражнение 04.1: c=1 — нет. <b>Почему</b>?"]
    for i in range(6):
        (tmp_path / "in" / f"=Студент {i}").mkdir(parents=True)
        content = notebook_bytes(told[i % 2])
        (tmp_path / "in" / f"=Студент {i}" / "a.ipynb").write_bytes(content)
    FakeJudge.left = 4
    with pytest.raises(KeyboardInterrupt):
        grade.grade(tmp_path / "in", tmp_path / "out", SECRET)
    FakeJudge.left = 2
    grade.grade(tmp_path / "in", tmp_path / "out", SECRET)
    head, *rows = marks_of(tmp_path / "out/marks.csv")
    assert head == ["Студент", *GRADED, "Сумма"]
    place = head.index("04.1")
    points = next(e.points for e in grade.catalogue() if e.number == "04.1")
    assert [row[0] for row in rows] == [f"'=Студент {i}" for i in range(6)]
    assert [int(row[place]) for row in rows] == [points, 0] * 3
    pages = [page.read_text("utf-8") for page in (tmp_path / "out").rglob("*.html")]
    assert len(pages) == 7
    assert sum("&lt;b&gt;Почему&lt;/b&gt;?" in page for page in pages) == 4
    assert not any("<b>Почему" in page or "http" in page for page in pages)


def test_the_best_verdict_counts():
    told = ["… решения пока нет", "", "✔ верно", "✘ нет"]
    assert sorted(told, key=grade.rank) == ["", told[0], told[3], told[2]]


def test_another_secret_judges_anew(tmp_path):
    (tmp_path / "a.ipynb").write_bytes(notebook_bytes("a"))
    (student,) = students(tmp_path)
    assert student.digest(grade._version("a")) != student.digest(grade._version("b"))


def test_the_secret_is_made_once_and_kept_from_others(tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "SEED_FILE", tmp_path / "new/seed")
    monkeypatch.delenv(grade.SEED, raising=False)
    made = grade.seed()
    assert grade.seed() == made and len(made) == 32
    assert (tmp_path / "new/seed").stat().st_mode & 0o077 == 0
    monkeypatch.setenv(grade.SEED, "given")
    assert grade.seed() == "given" and grade.SEED not in os.environ


def test_hidden_inputs_are_tried_and_not_told(nursery, monkeypatch):
    """An answer that knows what the student's own judge asks, and nothing else."""

    def check(answer, rng):
        asked = rng.randrange(10**6)
        with case(f"n={asked}"):
            expect(call(answer, asked), asked)

    judge("04.1", ...)  # the checks of the notebook are registered
    monkeypatch.setitem(CHECKS, "04.1", check)
    seen = Random(0).randrange(10**6)
    honest, learnt = "lambda n: n", f"lambda n: n if n == {seen} else -n"
    told = verdicts(nursery, f'exercise("04.1", {honest})')["04.1"]
    assert told.startswith("✔")
    told = verdicts(nursery, f'exercise("04.1", {learnt})')["04.1"]
    assert told == f"✘ упражнение 04.1: {grade.HIDDEN}"
