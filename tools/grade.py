"""Marks of a class: every answer of every student judged; a table and Russian pages.

    python -m tools.grade SUBMISSIONS

SUBMISSIONS is a folder or a zip; each folder, zip or notebook in it is a student.

build/grade/marks.csv        a row a student, a column an exercise: Moodle imports it
build/grade/index.html       for the instructor: what was solved, the commonest mistakes
build/grade/students/*.html  for each student: what is wrong on which input, and a hint

A verdict is computed where no code of a student runs, from what the student's functions
return. Beside the inputs that a student sees there are hidden ones, drawn from a secret
seed. Interrupted and started again, it goes on where it was.
"""

import ast
import csv
import hashlib
import json
import multiprocessing
import os
import re
import resource
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import jinja2
import nbformat
import torch
from tqdm import tqdm

from lecture_utils.exercises import expect, judge
from lecture_utils.exercises.expect import Wrong
from tools.answers import bound
from tools.command_line import parser
from tools.definitions import definitions
from tools.paths import BUILD, ROOT, notebooks
from tools.remote import ASK_LIMIT, Lectures, Notebook, live
from tools.sandbox import Nursery, address_space
from tools.student import exercises
from tools.submissions import Student, students

OUT = BUILD / "grade"
SEED = "LECTURE_GRADE_SEED"  # the environment variable, and where it is kept else
SEED_FILE = Path(os.path.expanduser("~/.config/lecture_utils/grade_seed"))
STUDENT_LIMIT = 180.0  # seconds, after which the rest of a student's answers is left
JUDGE_LIMIT = 120.0  # seconds without any word from a judge
JUDGE_MEMORY = 4 << 30  # bytes, for what a student's values make the judge compute
RIGHT, WRONG, EMPTY, MISSING = "✔", "✘", "…", ""
ORDER = MISSING, EMPTY, WRONG, RIGHT
TOO_LATE = "время на проверку работы вышло"
HIDDEN = (
    "на входе, которого вы не видели, ответ неверен. Проверьте его на своих примерах."
)
Verdicts = dict[str, str]  # number of an exercise → what `judge` says


@dataclass(frozen=True)
class Exercise:
    number: str
    title: str
    points: int  # one a minute
    lecture: str


def catalogue() -> list[Exercise]:
    return [
        Exercise(number, title, minutes, path.stem)
        for path in notebooks()
        for number, title, minutes in exercises(nbformat.read(path, as_version=4))
    ]


# --- A judge: a process that no student's code runs in --------------------------------


def prepare() -> Lectures:
    """What the sandbox knows of each lecture; no exercise's right answer is loaded."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    lectures = {}
    for path in notebooks():
        nb = nbformat.read(path, as_version=4)
        if not list(exercises(nb)):
            continue
        names = definitions(path.stem).names
        known = {
            ast.dump(statement)
            for cell in nb.cells
            if cell.cell_type == "code"
            for statement in ast.parse(cell.source).body
            if (own := bound(statement)) and own <= names.keys()
        }
        lectures[path.stem[:2]] = names, frozenset(known)
    return lectures


def serve(line: Connection, secret: str) -> None:
    """Judge students until the other end of ``line`` closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process says when to stop
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    numbers = {exercise.number for exercise in catalogue()}
    try:
        nursery = Nursery(prepare, live)
    except OSError as error:
        line.send(error)
        return
    line.send(None)
    expect.TIME_LIMIT = ASK_LIMIT  # the sandbox has its own
    limit = address_space() + JUDGE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with suppress(EOFError, BrokenPipeError):
        while True:
            files, done = line.recv()
            late = time.monotonic() + STUDENT_LIMIT
            for cells in files:
                for number, verdict in mark(
                    nursery, cells, numbers - done, secret, late
                ):
                    line.send((number, verdict))
            line.send(None)
    nursery.close()


def mark(
    nursery: Nursery, cells: list[str], numbers: set[str], secret: str, late: float
) -> Iterator[tuple[str, str]]:
    """Number and verdict of each answer, and before it the number with an empty one.

    The hidden inputs come last, when nothing is said to the student any more.
    """
    try:
        notebook = Notebook(nursery, cells)
    except Wrong:
        return  # what cannot even be read holds no answers
    right = []
    try:
        for number in [number for number in notebook.numbers if number in numbers]:
            yield number, MISSING
            told = verdict(notebook, number, 0, late)
            if told.startswith(RIGHT):
                right.append(number)
            else:
                yield number, told
        for number in right:
            yield number, MISSING
            seed = hashlib.sha256(f"{secret} {number}".encode()).hexdigest()[:8]
            hidden = verdict(notebook, number, int(seed, 16), late)
            if not hidden.startswith(RIGHT) and TOO_LATE not in hidden:
                hidden = wrong(number, HIDDEN)
            yield number, hidden
    finally:
        notebook.close()


def verdict(notebook: Notebook, number: str, seed: int, late: float) -> str:
    """What `judge` says to an answer; the time is up when it is ``late``."""
    if time.monotonic() > late:
        return wrong(number, TOO_LATE)
    try:
        return judge(number, notebook.answer(number), seed=seed)
    except Wrong as error:
        return wrong(number, str(error))


def wrong(number: str, text: str) -> str:
    return f"{WRONG} упражнение {number}: {text}"


class Judge:
    """The other end of a judge's process; a new one takes over where one has died."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._start()

    def _start(self) -> None:
        self._stopped = False
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._secret))
        self._process.start()
        theirs.close()
        if error := self._line.recv():
            raise error

    def stop(self) -> None:
        self._stopped = True
        self._process.kill()
        self._process.join()

    def verdicts(self, files: list[list[str]]) -> Verdicts:
        """The best verdict on each answer in a student's notebooks."""
        best: Verdicts = {}
        while True:
            number = ""
            try:
                done = {number for number, told in best.items() if told}
                self._line.send((files, done))
                while word := self._word():
                    number, told = word
                    best[number] = max(best.get(number, ""), told, key=rank)
                return best
            except (EOFError, OSError):
                if self._stopped:
                    raise
                self.stop()
                self._start()
                if not number:
                    return best
                best[number] = wrong(number, "на этом ответе остановилась проверка")

    def _word(self) -> tuple[str, str] | None:
        if not self._line.poll(JUDGE_LIMIT):
            raise EOFError
        return self._line.recv()


def rank(told: str) -> int:
    return ORDER.index(told[:1])


# --- The class ------------------------------------------------------------------------


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("submissions")
    given = arguments.parse_args().submissions
    if not given or not Path(given).exists():
        sys.exit(f"no submissions at {given!r}: give a folder or a zip")
    try:
        marks = grade(Path(given), OUT, seed())
    except (OSError, ValueError) as error:
        sys.exit(f"no marks: {error}")
    print(f"{len(marks)} students: {(OUT / 'index.html').as_uri()}")


def seed() -> str:
    """The secret of the hidden inputs; made and kept at the first run."""
    if given := os.environ.pop(SEED, None):  # no child sees it
        return given
    if not SEED_FILE.exists():
        SEED_FILE.parent.mkdir(parents=True, exist_ok=True)
        SEED_FILE.touch(mode=0o600)
        SEED_FILE.write_text(secrets.token_hex(16))
        print(
            f"the seed of the hidden inputs: {SEED_FILE}; keep it to repeat the marks"
        )
    return SEED_FILE.read_text().strip()


def grade(path: Path, out: Path, secret: str) -> dict[str, Verdicts]:
    """Judge all submissions and write the table and the pages."""
    (out / "students").mkdir(parents=True, exist_ok=True)
    (out / "verdicts").mkdir(exist_ok=True)
    todo = students(path)
    version = _version(secret)
    workers = min(os.cpu_count() or 1, len(todo))
    own, judges = threading.local(), []

    def verdicts(student: Student) -> Verdicts:
        kept = out / "verdicts" / f"{student.digest(version)}.json"
        if kept.exists():
            return json.loads(kept.read_text("utf-8"))
        if not hasattr(own, "judge"):  # one for each thread
            own.judge = Judge(secret)
            judges.append(own.judge)
        found = own.judge.verdicts(student.notebooks())
        _write(kept, json.dumps(found, ensure_ascii=False))
        return found

    marks: dict[str, Verdicts] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        tasks = {pool.submit(verdicts, student): student for student in todo}
        for task in tqdm(as_completed(tasks), total=len(tasks), unit="student"):
            marks[tasks[task].name] = task.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for judge in judges:
            judge.stop()
    marks = dict(sorted(marks.items()))
    report(marks, out)
    return marks


def _version(secret: str) -> str:
    """Changes with the secret and with whatever decides about a verdict."""
    sources = sorted((ROOT / "lecture_utils/exercises").glob("*.py"))
    code = b"".join(source.read_bytes() for source in sources)
    return hashlib.sha256(secret.encode() + code).hexdigest()


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


# --- The table and the pages ----------------------------------------------------------


def report(marks: dict[str, Verdicts], out: Path) -> None:
    everything = catalogue()
    with (out / "marks.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Студент", *(e.number for e in everything), "Сумма"])
        for name, verdicts in marks.items():
            row = [_points(e, verdicts) for e in everything]
            safe = f"'{name}" if name[:1] in "=+-@" else name  # no formula of Excel
            table.writerow([safe, *row, sum(row)])
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "tools/marks"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files = {name: f"students/{_file_name(name)}" for name in marks}
    sums = {name: sum(_points(e, v) for e in everything) for name, v in marks.items()}
    most = sum(exercise.points for exercise in everything)
    for name, verdicts in marks.items():
        rows = [(e, *_parts(verdicts.get(e.number, ""))) for e in everything]
        text = pages.get_template("student.html").render(
            name=name, rows=rows, sum=sums[name], most=most
        )
        _write(out / files[name], text)
    rows = [(e, *_summary(e.number, marks)) for e in everything]
    text = pages.get_template("class.html").render(
        rows=rows, files=files, sums=sums, most=most
    )
    _write(out / "index.html", text)


def _points(exercise: Exercise, verdicts: Verdicts) -> int:
    return exercise.points * verdicts.get(exercise.number, "").startswith(RIGHT)


def _file_name(student: str) -> str:
    """Readable, and different for different students."""
    readable = re.sub(r"[^\w-]+", "_", student)[:60]
    return f"{readable}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


def _parts(told: str) -> tuple[str, dict[str, str]]:
    """The mark of a verdict, and what it says: input, answer, hint."""
    text = told.partition(": ")[2]
    if told[:1] != WRONG:
        return told[:1], {}
    given, dash, rest = text.partition(" — ")
    if not dash:
        return WRONG, {"Ответ": text}
    answer, _, hint = rest.partition(". ")
    return WRONG, {"Вход": given, "Ответ": answer, "Подсказка": hint}


def _summary(number: str, marks: dict[str, Verdicts]) -> tuple[Counter, list]:
    """How many students have which mark, and the commonest mistakes."""
    told = [verdicts.get(number, "") for verdicts in marks.values()]
    mistakes = Counter(text.partition(": ")[2] for text in told if text[:1] == WRONG)
    return Counter(text[:1] for text in told), mistakes.most_common(3)


if __name__ == "__main__":
    main()
