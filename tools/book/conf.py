"""How Sphinx builds the site from the Markdown pages of tools/site.py."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

project = "Продвинутые модели глубокого машинного зрения"
author = ""
language = "ru"
extensions = ["myst_parser", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath"]
html_extra_path = ["files"]
templates_path = ["templates"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["callouts.css", "site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_additional_pages = {"search": "search.html"}
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_permalinks_icon = "¶"
html_last_updated_fmt = None
html_sidebars = {"**": ["site-title.html", "search-box.html", "sbt-sidebar-nav.html"]}
html_context = {"default_mode": "auto"}  # light or dark as the system is
html_theme_options = {
    "extra_footer": "Исходная лекция: С. В. Макрушин, Л. В. Алексеев, 2023",
    "disable_search": True,
    "back_to_top_button": False,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "max_navbar_depth": 2,
    "toc_title": "На этой странице",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

mathjax_path = "mathjax/tex-svg-full.js"
myst_update_mathjax = False
mathjax3_config = {
    "tex": {"packages": {"[-]": ["noerrors", "noundefined"]}},
    "svg": {"mtextInheritFont": True},
    "options": {"enableMenu": False, "processHtmlClass": "math"},
}


class StableIds(SphinxTransform):
    """Sections go by the label above them: docutils' own ids are counted."""

    default_priority = 500

    def apply(self, **_: object) -> None:
        for section in self.document.findall(nodes.section):
            section["ids"].sort(key=lambda name: name.startswith("id"))
            del section["ids"][1:]


# What the themes have not translated: names of controls, for who does not see them.
LABELS = {
    "Color mode": "Светлая или тёмная тема",
    "System Settings": "Как в системе",
    "Main": "Лекции",
    "Page": "На этой странице",
    "Toggle primary sidebar": "Показать или скрыть лекции",
    "Toggle secondary sidebar": "Показать или скрыть разделы",
}


def translate_labels(app: Sphinx, exception: Exception | None) -> None:
    """Russian names for controls, in every page that was written."""
    for page in Path(app.outdir).glob("*.html"):
        text = page.read_text("utf-8")
        for english, russian in LABELS.items():
            text = text.replace(f'"{english}"', f'"{russian}"')
            text = text.replace(f"</i>{english}</button>", f"</i>{russian}</button>")
        page.write_text(text, encoding="utf-8")


def name_no_empty_header(app, page, template, context, doctree) -> None:
    """An empty cell in the head of a table heads nothing: no ``th``."""
    context["body"] = context.get("body", "").replace(
        '<th class="head"><p></p></th>', "<td></td>"
    )


def setup(app: Sphinx) -> None:
    app.add_transform(StableIds)
    app.connect("html-page-context", name_no_empty_header)
    app.connect("build-finished", translate_labels)
    # Its index knows pages only; templates/search.html finds sections.
    app.connect("builder-inited", lambda app: setattr(app.builder, "search", False))
