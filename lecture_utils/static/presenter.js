// Follows the live show of JupyterLab (jupyterlab-slideshow): a strip above it with
// title and number of the slide, and a window with what the lecturer says.
const OFTEN = 200; // milliseconds
// The still picture after one that moves is for those who have no kernel.
const STILL = ".jp-Deck .jp-Cell:has(.jupyter-widgets img) + .jp-CodeCell";
const STRIP = `
.lecture-strip {
  position: fixed; inset: 0 0 auto; z-index: 9996; pointer-events: none;
  box-sizing: border-box; height: 48px; padding: 0 32px 0 97px; overflow: hidden;
  display: flex; align-items: center; justify-content: space-between; gap: 32px;
  font: 600 26px/1 var(--jp-content-font-family); color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1); border-bottom: 2px solid var(--jp-border-color2);
}
.lecture-strip :first-child {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; line-height: 1.4;
}
.lecture-strip :last-child { white-space: nowrap; font-weight: 400; }
.jp-Deck.jp-NotebookPanel { box-sizing: border-box; padding-top: 48px; }
.jp-Deck .jp-Notebook { max-height: calc(100vh - 48px); }
${STILL} .jp-RenderedImage { display: none; }
`;
const WINDOW = `
body { margin: 0 auto; max-width: 44em; padding: 16px 24px; color: #111;
  background: #fff; font: 24px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: center;
  position: sticky; top: 0; padding: 8px 0; background: #fff;
  border-bottom: 2px solid #ccc; font-size: 20px; }
.number { font-weight: 700; font-size: 28px; }
button { margin-left: auto; font: inherit; font-size: 16px; }
h1 { font-size: 30px; line-height: 1.25; margin: 16px 0; }
.next { padding: 12px 0; border-top: 2px solid #ccc; color: #555; }
@media (prefers-color-scheme: dark) {
  body, header { color: #eee; background: #181818; }
  .next { color: #bbb; }
}
`;

const clock = (seconds) => {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

function part(parent, tag, properties = {}) {
  const element = parent.ownerDocument.createElement(tag);
  Object.assign(element, properties);
  return parent.appendChild(element);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The strip and the room for it.
function makeStrip() {
  const style = part(document.head, "style", { textContent: STRIP });
  const strip = part(document.body, "div", { className: "lecture-strip" });
  const title = part(strip, "span", { ariaLive: "polite" });
  const number = part(strip, "span");
  return {
    show(slide) {
      write(title, slide.title);
      write(number, slide.number);
    },
    remove() {
      style.remove();
      strip.remove();
    },
  };
}

function fillWindow(page, restart) {
  const { head, body } = page;
  page.documentElement.lang = "ru";
  page.title = "Текст лекции";
  part(head, "style", { textContent: WINDOW });
  const header = part(body, "header");
  const number = part(header, "span", { className: "number" });
  const passed = part(header, "span", { className: "passed" });
  const planned = part(header, "span", { className: "planned" });
  const button = part(header, "button", {
    textContent: "Сверить часы",
    title: "Будто этот слайд только что начался",
  });
  button.addEventListener("click", restart);
  const title = part(body, "h1", { ariaLive: "polite" });
  const note = part(body, "main");
  const next = part(body, "p", { className: "next" });
  let shown = null;
  return (slide, elapsed) => {
    const late = elapsed - slide.ends;
    const early = slide.starts - elapsed;
    const pace =
      late >= 1
        ? `отстаёте на ${clock(late)}`
        : early >= 1
          ? `спешите на ${clock(early)}`
          : "вовремя";
    write(passed, `Прошло ${clock(elapsed)}`);
    write(planned, `по тексту ${clock(slide.starts)}–${clock(slide.ends)}: ${pace}`);
    if (shown === slide) return;
    shown = slide;
    write(number, slide.number);
    write(title, slide.title);
    note.replaceChildren();
    for (const text of slide.note) part(note, "p", { textContent: text });
    write(next, slide.next ? `Дальше: ${slide.next}` : "Это последний слайд.");
    page.defaultView.scrollTo(0, 0);
  };
}

// Adds what depends on the other slides.
function inOrder(slides) {
  let ends = 0;
  return slides.map((slide, k) => {
    const starts = ends;
    ends += slide.seconds;
    const number = `${k + 1} / ${slides.length}`;
    return { ...slide, number, starts, ends, next: slides[k + 1]?.title };
  });
}

function render({ model, el }) {
  const slides = inOrder(model.get("slides"));
  const slideOf = new Map(slides.flatMap((s) => s.cells.map((id) => [id, s])));
  const cells = model.widget_manager.context?.model.cells;
  const button = part(el, "button", {
    className: "jupyter-button widget-button",
    textContent: "Открыть текст лекции",
  });
  button.style.width = "auto";
  const message = part(el, "div", { role: "status" });
  if (!cells) {
    button.disabled = true;
    write(message, "Показать можно только тетрадь, открытую в JupyterLab.");
    return;
  }
  let panel, strip, page, fill, began, from;
  let slide = slides[0];

  const indexOf = (cell) => Number(cell.dataset.windowedListIndex);
  const found = () => {
    panel = el.closest(".jp-NotebookPanel");
    if (!panel) return;
    panel.stopPresenter?.(); // of a cell that was run earlier
    panel.stopPresenter = stop;
    const own = cells.get(indexOf(el.closest(".jp-Cell")));
    if (!own.getMetadata("slideshow"))
      own.setMetadata("slideshow", { slide_type: "skip" });
  };
  // A picture that is not shown takes no press of its own: on, as the lecturer came.
  const passOver = () => {
    const active = panel.querySelector(".jp-Cell.jp-mod-active");
    if (!active) return;
    const index = indexOf(active);
    if (active.matches(STILL) && active.querySelector(".jp-RenderedImage")) {
      const ways = index > from ? ["down", "forward"] : ["up", "back"];
      ways
        .map((way) => `.jp-deck-mod-direction-${way}:not(.jp-mod-disabled)`)
        .map((arrow) => document.querySelector(`.jp-Deck-Remote ${arrow}`))
        .find((arrow) => arrow)
        ?.click();
    } else from = index;
  };
  // A cell that the stored notebook does not have belongs to the slide above it.
  const current = () => {
    const active = panel.querySelector(".jp-Cell.jp-mod-active");
    if (!active) return slide;
    for (let index = indexOf(active); index >= 0; index--) {
      const known = slideOf.get(cells.get(index)?.id);
      if (known) return known;
    }
    return slides[0];
  };
  // The time at which the script is at this slide is now.
  const restart = () => (began = Date.now() - 1000 * slide.starts);
  const follow = () => {
    if (!panel) found();
    if (!panel) return;
    slide = current();
    if (!panel.classList.contains("jp-Deck")) {
      strip?.remove();
      strip = null;
    } else {
      if (!began) restart();
      strip ??= makeStrip();
      strip.show(slide);
      passOver();
    }
    if (page && !page.closed)
      fill(slide, began ? (Date.now() - began) / 1000 : slide.starts);
  };
  const stop = () => {
    clearInterval(timer);
    window.removeEventListener("pagehide", stop);
    strip?.remove();
    page?.close(); // it would go on showing this slide
  };
  button.addEventListener("click", () => {
    if (page && !page.closed) return page.focus();
    page = window.open("", "_blank", "popup,width=1000,height=760");
    write(
      message,
      page ? "" : "Браузер не открыл окно: разрешите этой странице всплывающие окна.",
    );
    if (!page) return;
    fill = fillWindow(page.document, restart);
    follow();
  });
  window.addEventListener("pagehide", stop);
  const timer = setInterval(follow, OFTEN);
  return stop;
}

export default { render };
