"""Notebooks as Markdown pages of the site: what is folded, linked and given an address.

Addresses do not change when a neighbour does: ``s4-3`` a section, ``exercise-04-1``,
``formula-4-3`` by its number; ``h-``, ``fig-`` and ``claim-`` by the id of its cell.
"""

import ast
import base64
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import snowballstemmer
from nbformat import NotebookNode

from tools import live
from tools.cells import WIDGET_VIEW, slide_type, tags
from tools.notebooks import START

# Where nothing is linked: code, formulas, links, tags, headings.
CLOSED = re.compile(
    r"```.*?```|\$\$.*?\$\$|`[^`\n]*`|\$[^$\n]+\$|\[[^\]]*\]\([^)\s]*\)|<[^>\n]+>"
    r"|^#.*?$",
    re.DOTALL | re.MULTILINE,
)
CODE = re.compile(r"```python\n(.+?)\n```", re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
ENDING = re.compile(  # of an inline formula; code and display formulas have none
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$(?P<ending>[.,;:!?»)]*)", re.DOTALL
)
TAG = re.compile(r"\\tag\{(\d+)\}")
# «формула (1) статьи» and «как в статье» speak of another text's numbers.
MENTION = re.compile(r"(?<!\w)\((\d{1,2})\)(?! стать)")
FOREIGN = re.compile(r"стать|сноск|20\d\d")
SECTION = re.compile(r"(раздел\w*) (\d+)\.(\d+)")
PART = re.compile(r"(част(?:ь|и|ью|ях|ей)) (\d+(?:(?:, | и )\d+)*)")
WHERE = re.compile(r"(?<![\d.,])(\d+)\.(\d\d?)(?![\d%])")
# Formulas that have no other commands than these can be read as words.
SIGNS = {r"\times": "×", r"\cdot": "·", r"\ldots": "…", r"\dots": "…", r"\sqrt": "√"}
# Tables of such numbers.
SUMMARY = re.compile("Итоги|Карта утверждений|Чего в исходной лекции|.*продолжение")
# A caption is a clause or more of an alt text.
OTHER_SIDE = {"Слева": "справа", "Вверху": "внизу", "Сверху": "снизу"}
SAYS_SOMETHING = 45  # characters
STILL = "static-copy"  # of a picture that moves: on screen, its caption alone is shown


@dataclass(frozen=True)
class Section:
    """What search finds: a heading with what stands below it, up to the next one."""

    page: str
    id: str
    level: int  # 1 for the title of the page
    title: str
    above: str  # the title of the section, or of the page, that it belongs to
    text: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    @property
    def heading(self) -> str:
        """The title without the word before the number of an exercise."""
        return self.title.removeprefix("Упражнение ")


@dataclass(frozen=True)
class Page:
    """A notebook as Markdown, with its pictures by file name."""

    name: str
    title: str
    text: str
    images: dict[str, bytes]
    sections: list[Section]
    claims: list[tuple[str, str]]  # address and text


@dataclass(frozen=True)
class Term:
    """An entry of the glossary."""

    russian: str
    english: str
    meaning: str
    where: str  # it is introduced: section 4.3, exercise 04.5
    forms: list[str]  # how texts write it
    linked: bool = True  # no, if its word means other things, too

    @property
    def id(self) -> str:
        first = self.english.split(", ")[0].lower()
        return "term-" + re.sub(r"\W+", "-", first).strip("-")

    @property
    def names(self) -> list[str]:
        return [*self.forms, *self.english.split(", ")]

    @property
    def section(self) -> str:
        """Address, on its page, of where it is introduced."""
        kind = "exercise-" if self.where.startswith("0") else "s"
        return kind + self.where.replace(".", "-")


class Places:
    """All sections of the collection by number, and all parts."""

    def __init__(self, notebooks: dict[str, NotebookNode]):
        self.parts = {int(name[:2]): name for name in notebooks}
        self.sections = {
            heading[1]
            for nb in notebooks.values()
            for cell in nb.cells
            if cell.cell_type == "markdown"
            for heading in re.finditer(r"^## (\d+\.\d+)\. ", cell.source, re.MULTILINE)
        }

    def address(self, term: Term) -> str:
        """Of where it is introduced."""
        return f"{self.parts[int(term.where.split('.')[0])]}.html#{term.section}"

    def link(self, part: str, number: str, text: str) -> str:
        """The text as a link to a section, or as it is where there is none."""
        known = f"{part}.{number}" in self.sections
        return f"[{text}](#s{part}-{number})" if known else text


def outside(text: str, edit: Callable[[str], str]) -> str:
    """The text with all edited that is no code, formula, link, tag or heading."""
    parts, at = [], 0
    for closed in CLOSED.finditer(text):
        parts += [edit(text[at : closed.start()]), closed[0]]
        at = closed.end()
    return "".join([*parts, edit(text[at:])])


# --- the parts of a cell --------------------------------------------------------------


def heading_id(cell: NotebookNode, level: int, title: str) -> str:
    if numbered := re.match(r"(\d+)\.(\d+)\. ", title):
        kind = "s" if level == 2 else "exercise-"
        return f"{kind}{numbered[1]}-{numbered[2]}"
    return f"h-{cell.id}"


def display(formula: re.Match[str], part: int) -> str:
    number = TAG.search(formula[1])
    name = f' id="formula-{part}-{number[1]}"' if number else ""
    tex = html.escape(formula[1].strip(), quote=False)
    return f'\n\n<div class="math"{name} tabindex="0">\\[{tex}\\]</div>\n\n'


def keep(formula: re.Match[str]) -> str:
    """With the mark that follows it: a line must not begin with a full stop."""
    ending = formula["ending"]
    return f'<span class="keep">{formula[0]}</span>' if ending else formula[0]


def fold(summary: str, kind: str, text: str) -> str:
    return (
        f'<details class="{kind}"><summary>{summary}</summary>\n\n{text}\n\n</details>'
    )


def is_plumbing(source: str) -> bool:
    """Whether the cell only imports and sets options, or sets up the notebook."""
    if source.startswith(START):
        return True
    try:
        first, *others = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    imports = (ast.Import, ast.ImportFrom)
    return isinstance(first, imports) and all(
        isinstance(node, imports)
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript))
        for node in others
    )


def claims(text: str, cell: str) -> list[tuple[str, str]]:
    """Addresses and texts of the claims that a cell has printed."""
    found = re.findall(r"^✔ (.+)$", text, re.MULTILINE)
    return [(f"claim-{cell}-{k}", claim) for k, claim in enumerate(found, 1)]


def printed(text: str, cell: str) -> str:
    """What a cell has printed; the check mark of a claim is its address.

    Lines without columns are prose: a narrow screen breaks them.
    """
    lines, names = [], iter(claims(text, cell))
    for line in html.escape(text, quote=False).removesuffix("\n").split("\n"):
        if line.startswith("✔ "):
            name, _ = next(names)
            line = (
                f'<span class="claim" id="{name}"><a href="#{name}" '
                f'aria-label="ссылка на проверку">✔</a>{line[1:]}</span>'
            )
        # An empty line would end the HTML block of Markdown.
        lines.append(line or "<span></span>")
    whole = "\n".join(lines)
    kind = "output" if re.search(r"\S {2,}\S", text) else "output prose"
    return f'<pre class="{kind}" tabindex="0">{whole}</pre>'


def figure(output: NotebookNode, file: str, name: str, number: str, kind: str) -> str:
    shape = output.metadata["image/png"]
    alt = html.escape(output.data["text/plain"])
    said = html.escape(caption(output.data["text/plain"]))
    return (
        f'<figure id="{name}" class="{kind}"><a class="enlarge" href="images/{file}">'
        f'<img src="images/{file}" alt="{alt}" loading="lazy" '
        f'width="{shape["width"]}" height="{shape["height"]}"></a>'
        f'<figcaption><a href="#{name}">Рис. {number}</a>. {said}.</figcaption>'
        "</figure>"
    )


def caption(alt: str) -> str:
    """What the picture shows: the beginning of its alt text, before any detail.

    It says something by itself, and what stands right if it says what stands left.
    """
    other, text = OTHER_SIDE.get(alt.split(maxsplit=1)[0].rstrip(":"), ""), ""
    for clause in re.findall(r".+?(?:[.:;](?=\s|$)|$)", alt, re.DOTALL):
        text += clause
        if len(text) >= SAYS_SOMETHING and other in text.lower():
            break
    return text.rstrip(".:;")


# --- links ----------------------------------------------------------------------------


@cache
def stems(text: str) -> tuple[str, ...]:
    words = re.findall(r"[\w-]+", text.lower().replace("ё", "е"))
    return tuple(snowballstemmer.stemmer("russian").stemWords(words))


class Glossary:
    """Links a term where a page first uses it."""

    def __init__(self, terms: Iterable[Term]):
        linked = [term for term in terms if term.linked]
        self.left = {stems(form): term for term in linked for form in term.forms}
        self.longest = max(map(len, self.left), default=0)

    def link(self, text: str) -> str:
        words = list(re.finditer(r"[\w-]+", text))
        parts, at, first = [], 0, 0
        while first < len(words):
            for count in range(min(self.longest, len(words) - first), 0, -1):
                start, end = words[first].start(), words[first + count - 1].end()
                between = text[start:end]
                term = self.left.get(stems(between)) if "\n" not in between else None
                if term and re.fullmatch(r"[\w -]+", between):
                    meaning = html.escape(term.meaning)
                    parts += [
                        text[at:start],
                        f'<a class="term" href="glossary.html#{term.id}" '
                        f'title="{meaning}">{between}</a>',
                    ]
                    at = end
                    self.left = {k: t for k, t in self.left.items() if t is not term}
                    first += count
                    break
            else:
                first += 1
        return "".join([*parts, text[at:]])


def formulas(part: int, known: set[str], text: str) -> str:
    """Mentions of the page's own formulas as links."""

    def link(mention: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, mention.start()) + 1 : mention.start()]
        if mention[1] not in known or FOREIGN.search(line[-30:]):
            return mention[0]
        return f'<a href="#formula-{part}-{mention[1]}">{mention[0]}</a>'

    return MENTION.sub(link, text)


def sections(places: Places, text: str) -> str:
    """«раздел 4.3» as a link."""

    def link(mention: re.Match[str]) -> str:
        before = text[max(0, mention.start() - 30) : mention.start()]
        if FOREIGN.search(before):
            return mention[0]
        return places.link(mention[2], mention[3], mention[0])

    return SECTION.sub(link, text)


def numbers(places: Places, text: str) -> str:
    """4.3 as a link, in a table that tells where things stand."""
    return WHERE.sub(lambda number: places.link(*number.groups(), number[0]), text)


def parts(places: Places, here: int, text: str) -> str:
    """«части 2 и 3» as links."""

    def one(number: re.Match[str]) -> str:
        part = int(number[0])
        name = places.parts.get(part)
        return f"[{number[0]}]({name}.md)" if name and part != here else number[0]

    def link(mention: re.Match[str]) -> str:
        return mention[1] + " " + re.sub(r"\d+", one, mention[2])

    return PART.sub(link, text)


# --- a page ---------------------------------------------------------------------------


def page(
    name: str,
    nb: NotebookNode,
    places: Places,
    terms: Iterable[Term] = (),
    links: str = "",
) -> Page:
    """The notebook as a reader without a kernel gets it.

    Left out are speaker's notes and views of controls; ``links`` stand below the title.
    """
    writer = _Writer(name, nb, places, terms, links)
    cells = [cell for cell in nb.cells if slide_type(cell) != "notes"]
    text = "".join(
        (writer.markdown if cell.cell_type == "markdown" else writer.code)(cell)
        + "\n\n"
        for cell in cells
    )
    return Page(
        name, nb.metadata.title, text, writer.images, writer.sections, writer.claims
    )


class _Writer:
    """Writes the cells of one notebook, from top to bottom."""

    def __init__(
        self,
        name: str,
        nb: NotebookNode,
        places: Places,
        terms: Iterable[Term],
        links: str,
    ):
        self.name, self.part, self.title = name, int(name[:2]), nb.metadata.title
        self.places, self.links = places, links
        # The start page is a list of terms itself.
        self.glossary = Glossary(terms if self.part else ())
        markdown = [cell for cell in nb.cells if cell.cell_type == "markdown"]
        self.formulas = {n for cell in markdown for n in TAG.findall(cell.source)}
        # How JupyterLab writes the address of a heading -> its address here.
        self.anchors = {
            heading[2].replace(" ", "-"): heading_id(cell, len(heading[1]), heading[2])
            for cell in markdown
            if (heading := HEADING.search(cell.source))
        }
        self.images: dict[str, bytes] = {}
        self.sections: list[Section] = []
        self.claims: list[tuple[str, str]] = []
        self.above = self.title  # the section that subsections belong to
        self.moves = False  # whether the next picture stands in for one that moves

    def markdown(self, cell: NotebookNode) -> str:
        source = cell.source
        heading = HEADING.search(source)
        if heading:
            opened = self.open_section(cell, len(heading[1]), heading[2])
            source = source.replace(heading[0], opened, 1)
        self.sections[-1].text.append(plain(cell.source))
        self.sections[-1].code.extend(CODE.findall(cell.source))
        source = re.sub(
            r"\]\(#([^)]+)\)", lambda m: f"](#{self.anchors.get(m[1], m[1])})", source
        )
        source = re.sub(r"\]\(([\w-]+)\.ipynb\)", r"](\1.md)", source)
        source = ENDING.sub(keep, source)
        if not (heading and heading[2].startswith("Ссылки")):
            is_summary = heading and SUMMARY.match(heading[2])
            source = outside(source, lambda t: formulas(self.part, self.formulas, t))
            source = outside(source, lambda t: sections(self.places, t))
            source = outside(source, lambda t: parts(self.places, self.part, t))
            if is_summary:
                source = outside(source, lambda t: numbers(self.places, t))
            source = outside(source, self.glossary.link)
        return DISPLAY.sub(lambda m: display(m, self.part), source)

    def open_section(self, cell: NotebookNode, level: int, title: str) -> str:
        """The heading with its address."""
        name = heading_id(cell, level, title)
        if name.startswith("exercise"):  # section 10.3 is something else
            title = f"Упражнение {title}"
        parent = self.above if level == 3 else self.title
        self.sections.append(
            Section(self.name, name, level, plain(title), plain(parent))
        )
        if level == 2:
            self.above = title
        links = f"\n\n{self.links}" if level == 1 else ""
        return f"({name})=\n{'#' * level} {title}{links}"

    def code(self, cell: NotebookNode) -> str:
        kinds = {*tags(cell)}
        self.sections[-1].code.append(cell.source)
        blocks = [f"```python\n{cell.source}\n```"]
        if "hide-input" in kinds:
            kind = f"code {STILL}" if self.moves else "code"
            blocks[0] = fold("Код", kind, blocks[0])
        elif is_plumbing(cell.source):
            blocks[0] = fold("Подготовка", "code", blocks[0])
        blocks += [self.output(output, cell.id) for output in cell.outputs]
        return "\n\n".join(filter(None, blocks))

    def output(self, output: NotebookNode, cell: str) -> str:
        data = output.get("data", {})
        if output.output_type == "stream":
            self.sections[-1].text.append(output.text)
            self.claims += claims(output.text, cell)
            return printed(output.text, cell)
        if "image/png" in data:
            self.sections[-1].text.append(data["text/plain"])
            file = f"{self.name}-{cell}.png"
            self.images[file] = base64.b64decode(data["image/png"])
            number = f"{self.part}.{len(self.images)}"
            kind, self.moves = STILL if self.moves else "still", False
            return figure(output, file, f"fig-{cell}", number, kind)
        if WIDGET_VIEW in data and (moving := live.fragment(self.name, cell)):
            self.moves = True
            return re.sub(r"\n\s*\n", "\n", moving)  # would end the HTML in Markdown
        return ""  # the style of callouts; a control


def plain(markdown: str) -> str:
    """The words of a Markdown text, without headings, formulas and tags."""
    text = re.sub(
        r"```.+?```|\$\$.+?\$\$|^#[^\n]*$",
        " ",
        markdown,
        flags=re.MULTILINE | re.DOTALL,
    )
    for command, sign in SIGNS.items():
        text = text.replace(command, sign)
    text = re.sub(
        r"\]\([^)\s]*\)|</?(div|details|summary)[^>]*>|\$[^$]*\\[^$]*\$", " ", text
    )
    return " ".join(re.sub(r"[*`$\[\]|]|-{3,}", " ", text).split())
