// A deck: numbers, room, time; then reveal.js.

const slides = [...document.querySelectorAll('.slides section:not(:has(section))')];
const BOTTOM = 664, RIGHT = 1230; // px; below and beside them lie the margins
const LEAST = { text: 24, mono: 18, good: 20, table: 20, moving: 0.6 }; // px; times
const LARGEST = { text: 32, mono: 26, table: 24, picture: 2 }; // px; of a picture, times

const UNSEEN = 'svg *, aside, aside *, .picture span, mjx-assistive-mml, mjx-assistive-mml *';
const content = slide => [...slide.querySelectorAll(`*:not(${UNSEEN})`)];
const fits = slide => content(slide).every(element => {
  const box = element.getBoundingClientRect(), page = slide.getBoundingClientRect();
  const cut = element.localName === 'pre' && element.scrollWidth > element.clientWidth;
  return box.bottom - page.top <= BOTTOM && box.right - page.left <= RIGHT && !cut;
});

// The largest value at which the slide still fits; ``apply`` is left at it.
function enlarge(slide, apply, least, most) {
  apply(most);
  if (fits(slide)) return;
  for (let step = 0; step < 6; step++) {
    const middle = (least + most) / 2;
    apply(middle);
    if (fits(slide)) least = middle; else most = middle;
  }
  apply(least);
}

// Pictures, code, printed results and tables grow into the free room of their slide, and
// text where it is alone.
function fill(slide) {
  const pictures = [...slide.querySelectorAll('.picture img')]
    .filter(picture => !picture.closest('.celltag_still'));
  const widths = pictures.map(picture => picture.width);
  const picture = by => pictures.forEach((one, i) => { one.width = widths[i] * by; });
  const frames = [...slide.querySelectorAll('.live-picture')].map(box => [box,
    ...['width', 'height'].map(side => box.firstElementChild.getAttribute(side))]);
  const moving = by => frames.forEach(([box, width, height]) => {
    box.firstElementChild.setAttribute('width', by * width);
    box.firstElementChild.setAttribute('height', by * height);
  });
  const property = name => size => slide.style.setProperty(name, `${size}px`);
  const [mono, table] = [property('--mono-size'), property('--table-size')];
  const [code, tables, live] = ['pre', 'table', '.live'].map(tag => slide.querySelector(tag));
  if (!code && !live && !pictures.length)
    enlarge(slide, property('--text-size'), LEAST.text, LARGEST.text);
  if (live) enlarge(slide, moving, LEAST.moving, LARGEST.picture);
  if (code) enlarge(slide, mono, LEAST.mono, LEAST.good);
  if (tables) enlarge(slide, table, LEAST.table, LARGEST.table);
  if (pictures.length) enlarge(slide, picture, 1, LARGEST.picture);
  if (code) {
    const now = parseFloat(slide.style.getPropertyValue('--mono-size'));
    enlarge(slide, mono, now, LARGEST.mono);
  }
}

// Paper shows what was drawn on slides. The plugin prints boards alone, and puts them where
// a deck with a page for each fragment would have them. Colours and sponge are the plugin's.
const PENS = ['#646464', '#1e90ff', '#dc143c', '#32cd32', '#ff8c00', '#9600ff', '#ffdc00'];
const SPONGE = 20; // px, its radius
function printDrawings() {
  const drawn = JSON.parse(sessionStorage.getItem(document.title)) ?? [];
  drawn.forEach(({ width, height, data }, board) => data.forEach(one => {
    one.page = one.slide.h;
    if (board || !one.events.length) return;
    const sheet = document.createElement('canvas'), scale = Math.min(width / 1280, height / 720);
    [sheet.width, sheet.height, sheet.className] = [1280, 720, 'drawing'];
    slides[one.page].append(sheet);
    const pen = sheet.getContext('2d');
    [pen.lineWidth, pen.lineCap] = [3, 'round'];
    pen.setTransform(1 / scale, 0, 0, 1 / scale, 640 - width / 2 / scale, 360 - height / 2 / scale);
    for (const { type, color, x1, y1, x2, y2, x, y } of one.events) {
      pen.globalCompositeOperation = type === 'draw' ? 'source-over' : 'destination-out';
      pen.strokeStyle = PENS[color];
      pen.beginPath();
      if (type === 'draw') { pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke(); }
      if (type === 'erase') pen.arc(x + SPONGE, y + SPONGE, SPONGE, 0, 2 * Math.PI);
      if (type === 'clear') pen.rect(0, 0, width, height);
      if (type !== 'draw') pen.fill();
    }
  }));
  sessionStorage.setItem(document.title, JSON.stringify(drawn));
}

// What is claimed is said in the letters of the text.
for (const printed of document.querySelectorAll('.jp-RenderedText pre'))
  if (/^[✔✘]/.test(printed.textContent.trim())) printed.classList.add('claims');

slides.forEach((slide, i) => {
  slide.dataset.number = `${i + 1} / ${slides.length}`;
  const time = slide.querySelector('aside [data-seconds]');
  if (time) slide.dataset.timing = time.dataset.seconds;
});

// Everything is measured while all slides are laid out and all fonts are loaded.
Promise.all([...document.fonts].map(font => font.load()))
  .then(() => MathJax.startup.promise)
  .then(() => MathJax.typesetPromise())
  .then(() => Promise.all([...document.images].map(image => image.decode().catch(() => {}))))
  .then(() => slides.forEach(fill))
  .then(() => document.body.classList.remove('typesetting'))
  .then(() => location.search.includes('print-pdf') && printDrawings())
  .then(() => Reveal.initialize({
    width: 1280, height: 720, margin: 0, center: false, transition: 'none',
    controls: false, progress: true, hash: true,
    defaultTiming: 60, pdfSeparateFragments: false,
    // Keys: B a board, C a pen, Del wipes, X the next colour, Q a pointer. What is drawn
    // is kept as long as the tab, and printed from it with ?print-pdf.
    // (transition: ms until a board may open on a new slide; 0 would mean the default.)
    chalkboard: { storage: document.title, grid: false, transition: 1 },
    pointer: { key: 'q', pointerSize: 18 },
    plugins: [RevealNotes, window.RevealChalkboard, window.RevealPointer].filter(Boolean),
  }))
  .then(() => { document.documentElement.dataset.deckReady = ''; });
