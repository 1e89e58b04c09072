"""The pages of the site that collect from all notebooks: Markdown, like the others.

Glossary, bibliography, map of claims, exercises.
"""

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from tools.pages import (
    HEADING,
    SUMMARY,
    WHERE,
    Page,
    Places,
    Section,
    Term,
    heading_id,
    plain,
    stems,
)
from tools.student import exercises

Notebooks = dict[str, NotebookNode]

LINK = re.compile(
    r"^(?P<who>[^\[]*)\[(?P<title>[^\]]+)\]\((?P<url>[^)]+)\)(?P<rest>.*)$"
)
VERDICTS = {"✔": "подтвердилось", "±": "верно с оговоркой", "−": "исправлено"}


@dataclass
class Source:
    """A text or a program that the lectures refer to."""

    title: str
    url: str = ""
    who: str = ""
    year: str = ""
    used: list[tuple[str, str]] = field(default_factory=list)  # part, what for

    @property
    def order(self) -> tuple[bool, str, str]:
        """By the surname of the first author; programs and manuals come last."""
        first = re.split(r",| и др", self.who)[0]
        return not first, first.split(" ")[-1].lower(), self.year

    @property
    def address(self) -> str:
        """The link as it is written: a DOI or a number of arXiv if there is one."""
        if number := re.search(r"arxiv\.org/abs/([\d.]+)", self.url):
            return f"[arXiv:{number[1]}]({self.url})"
        if number := re.search(r"doi\.org/(.+)", self.url):
            return f"[doi:{number[1]}]({self.url})"
        return f"[{re.sub(r'https?://(www[.])?|/$', '', self.url)}]({self.url})"


def rows(table: str) -> Iterator[list[str]]:
    """The cells of each row of a Markdown table but the head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split(" |")]


def headed(nb: NotebookNode) -> Iterator[tuple[NotebookNode, str, str]]:
    """Markdown cells with a heading: cell, heading, address."""
    for cell in nb.cells:
        heading = cell.cell_type == "markdown" and HEADING.search(cell.source)
        if heading:
            yield cell, heading[2], heading_id(cell, len(heading[1]), heading[2])


# --- glossary -------------------------------------------------------------------------


def terms(path: Path) -> list[Term]:
    """The glossary from the table that is edited by hand.

    The last column has more forms that texts use; where it begins with a dash, texts do
    not get links, since the word means other things, too.
    """
    found = []
    for russian, english, where, meaning, other in rows(path.read_text("utf-8")):
        forms = [russian, *filter(None, other.removeprefix("—").strip().split("; "))]
        linked = not other.startswith("—")
        found.append(Term(russian, english, meaning, where, forms, linked))
    return found


def told(notebooks: Notebooks, terms: Iterable[Term]) -> dict[str, list[str]]:
    """By address of a section: what tables of claims, results and terms say of it."""
    found = defaultdict(list)
    for term in terms:
        found[term.section].append(term.meaning)
    for nb in notebooks.values():
        for cell, heading, _ in headed(nb):
            for row in rows(cell.source) if SUMMARY.match(heading) else ():
                text = " ".join(row)
                for part, number in WHERE.findall(text):
                    found[f"s{part}-{number}"].append(plain(text))
    return found


def asked(path: Path, made: Iterable[Page]) -> dict[tuple[str, str], list[str]]:
    """By page and address of a section: in what words readers may ask for it.

    From lines «part | heading | query; query»; parts that are not built are left out.

    Raises:
        ValueError: A heading is not there.
    """
    pages = {int(page.name[:2]): page for page in made}
    found = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        part, heading, queries = line.split(" | ")
        if page := pages.get(int(part)):
            places = [s.id for s in page.sections if s.heading == heading]
            if not places:
                raise ValueError(f"{path}: part {part} has no heading {heading!r}")
            found[page.name, places[0]] += queries.split("; ")
    return found


def spoken_of(section: Section, terms: list[Term]) -> dict[str, list[int]]:
    """Numbers of the terms that a section introduces, is about, and mentions.

    It is about those of its title and those that it introduces. Search finds a section
    by all names of its terms: «receptive field», «рецептивное поле», «поле зрения».
    """
    known: dict[tuple[str, ...], list[int]] = {}
    for number, term in enumerate(terms):
        for name in {stems(name) for name in term.names}:
            known.setdefault(name, []).append(number)
    introduced = [n for n, term in enumerate(terms) if term.section == section.id]
    return {
        "introduced": introduced,
        "about": introduced + _found(section.title, known),
        "mentioned": _found(" ".join(section.text), known),
    }


def _found(text: str, known: dict[tuple[str, ...], list[int]]) -> list[int]:
    """What the names in a text stand for; the longest name at a place counts."""
    words, found, first = stems(text), [], 0
    counts = range(max(map(len, known), default=0), 0, -1)
    while first < len(words):
        names = [name for c in counts if (name := words[first : first + c]) in known]
        found += known[names[0]] if names else []
        first += len(names[0]) if names else 1
    return found


def glossary(terms: Iterable[Term], places: Places) -> str:
    text = [
        "# Словарь",
        "Термин, как его пишут по-английски, что он значит и где введён.",
    ]
    # Unicode has ё behind я.
    order = str.maketrans({"ё": "е", "«": ""})
    for term in sorted(terms, key=lambda term: term.russian.lower().translate(order)):
        english = f' (<span lang="en">{term.english}</span>)'
        text.append(
            f'<p class="entry" id="{term.id}"><dfn>{term.russian}</dfn>'
            f"{'' if term.english in term.russian else english}"
            f" — {html.escape(term.meaning)}; "
            f'<a href="{places.address(term)}">'
            f"{re.sub('^0', 'упр. ', term.where)}</a>.</p>"
        )
    return "\n\n".join(text) + "\n"


# --- bibliography ---------------------------------------------------------------------


def sources(notebooks: Notebooks) -> list[Source]:
    """All that the lists at the ends of the lectures name, each once."""
    found: dict[str, Source] = {}
    for name, nb in notebooks.items():
        for cell, heading, address in headed(nb):
            if not heading.startswith("Ссылки"):
                continue
            part = f"[{int(name[:2])}](#{address})"
            for item in re.findall(r"^- (.+)$", cell.source, re.MULTILINE):
                who = ""
                for piece in re.split(r"; (?=[^;]*\[)| и (?=\[)", item):
                    who = _add(found, piece.rstrip("."), part, who)
    return sorted(found.values(), key=lambda source: source.order)


def _add(found: dict[str, Source], piece: str, part: str, before: str) -> str:
    """Take in one source; its authors, or those named before, are returned."""
    link = LINK.match(piece)
    if link:
        who, title, url, rest = link["who"], link["title"], link["url"], link["rest"]
    else:
        title, comma, rest = piece.partition(",")
        who, _, title = title.rpartition(" и др. ")
        who, url, rest = who and f"{who} и др", "", comma + rest
    who = who.strip(" .,:") or before
    what, _, use = rest.partition(" — ")
    years = re.findall(r"\b(?:19|20)\d\d\b", what)
    source = found.setdefault(url or title, Source(title, url))
    # One list gives the full title, another all the authors.
    source.title = max(source.title, title, key=len)
    source.who = max(source.who, who, key=len)
    source.year = min(filter(None, [source.year, *years]), default="")
    source.used.append((part, use))
    return who


def bibliography(found: Iterable[Source]) -> str:
    text = [
        "# Литература",
        "Ссылки из всех частей лекции; после номера части — зачем текст там нужен.",
    ]
    for number, source in enumerate(found, 1):
        who = f"{source.who}. " if source.who else ""
        year = f", {source.year}" if source.year else ""
        link = f" {source.address}." if source.url else ""
        used = "; ".join(
            f"{part} — {use}" if use else part for part, use in source.used
        )
        title = re.sub("^[а-я]", lambda letter: letter[0].upper(), source.title)
        where = "Части" if len({part for part, _ in source.used}) > 1 else "Часть"
        text.append(f"{number}. {who}{title}{year}.{link} {where} {used}.")
    return "\n\n".join(text[:2]) + "\n\n" + "\n".join(text[2:]) + "\n"


# --- claims and exercises -------------------------------------------------------------


def claims(notebooks: Notebooks, made: Iterable[Page], places: Places) -> str:
    """The map of claims in one table, and all that the cells have checked."""
    names = list(notebooks)
    text = [
        "# Карта утверждений",
        "Что из исходной лекции подтвердилось: "
        + ", ".join(f"{sign} {meaning}" for sign, meaning in VERDICTS.items())
        + ".",
    ]
    table = [
        '<div class="filtered" tabindex="0">',
        "",
        "| Часть | Утверждение исходной лекции | Где | Как проверено | Итог |",
        "|---|---|---|---|---|",
    ]
    for cell, _, _ in headed(notebooks[names[0]]):
        if "| Итог |" in cell.source:
            for claim, place, how, verdict in rows(cell.source):
                part = int(place.split(".")[0])
                linked = re.sub(
                    r"(\d+)\.(\d+)", lambda m: places.link(m[1], m[2], m[0]), place
                )
                name = places.parts[part]
                table.append(
                    f"| [{part}]({name}.md) | {claim} | {linked} | {how} | {verdict} |"
                )
    text += ["\n".join([*table, "", "</div>"]), "## Что проверил код"]
    for page in made:
        if page.claims:
            items = "".join(
                f'<li><a href="{page.name}.html#{name}">{html.escape(claim)}</a></li>'
                for name, claim in page.claims
            )
            text.append(
                f"<details><summary>{page.title} · {len(page.claims)}</summary>"
                f"<ul>{items}</ul></details>"
            )
    return "\n\n".join(text) + "\n"


def tasks(notebooks: Notebooks) -> str:
    """All exercises with their minutes and addresses."""
    table = ["| № | Задание | Минут |", "|---|---|---|"]
    total = 0
    for nb in notebooks.values():
        for number, title, minutes in exercises(nb):
            address = "exercise-" + number.replace(".", "-")
            table.append(f"| {number} | [{title}](#{address}) | {minutes} |")
            total += minutes
    text = ["# Упражнения", f"Всего {len(table) - 2}, минут на все: {total}."]
    return "\n\n".join([*text, "\n".join(table)]) + "\n"
