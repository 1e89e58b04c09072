// Everything that is wrong on any slide of the open deck, fragments open.
// Returns [{number, heading, fault, element}, …]; run by test_slides.py in one call.
(limits) => {
  const faults = [];
  let section, number, scale, area, worst, inked;

  const name = element => `<${element.localName}> ` + (
    element.alt || element.textContent || element.outerHTML
  ).trim().replace(/\s+/g, ' ').slice(0, 70);
  const report = (fault, element) => faults.push({
    number,
    heading: section.querySelector('h1, h2, h3')?.textContent.trim() ?? '',
    fault,
    element: name(element),
  });

  // --- colours -------------------------------------------------------------------
  const rgba = css => {
    const numbers = css.match(/[\d.]+/g).map(Number);
    const [r, g, b, a = 1] = css.startsWith('color(srgb')
      ? numbers.map((x, i) => i < 3 ? 255 * x : x) : numbers;
    return [r, g, b, a];
  };
  const over = (top, bottom) => [
    ...[0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * bottom[i]), 1,
  ];
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(x => x / 255)
      .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = element => {
    if (!element) return [255, 255, 255, 1];
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, behind(element.parentElement));
  };
  const opacity = element => element === section
    ? 1 : getComputedStyle(element).opacity * opacity(element.parentElement);
  const checkContrast = (css, element, pseudo) => {
    const [r, g, b, a] = rgba(css);
    const paper = behind(element);
    const ratio = contrast(over([r, g, b, a * opacity(element)], paper), paper);
    if (ratio < limits.contrast) {
      report(`contrast ${ratio.toFixed(1)} : 1${pseudo ?? ''}`, element);
    }
  };

  // --- geometry, in slide coordinates ----------------------------------------------
  const checkPlace = (rect, element) => {
    const out = {
      left: area.left - rect.left, right: rect.right - area.right,
      top: area.top - rect.top, bottom: rect.bottom - area.bottom,
    };
    for (const [side, pixels] of Object.entries(out)) {
      if (pixels / scale > Math.max(1, worst[side]?.pixels ?? 0)) {
        worst[side] = {pixels: pixels / scale, element};
      }
    }
  };
  // Texts, formulas and pictures; what one piece of text draws is one owner.
  const draw = (rect, element, owner = element) => {
    checkPlace(rect, element);
    inked.push({rect, element, owner});
  };
  const checkOverlaps = () => inked.forEach((a, i) => inked.slice(0, i).forEach(b => {
    const wide = Math.min(a.rect.right, b.rect.right)
      - Math.max(a.rect.left, b.rect.left);
    const high = Math.min(a.rect.bottom, b.rect.bottom)
      - Math.max(a.rect.top, b.rect.top);
    if (a.owner !== b.owner && Math.min(wide, high) > limits.overlap * scale) {
      report(`covers ${name(b.element)}`, a.element);
    }
  }));
  const checkClipping = element => {
    const style = getComputedStyle(element);
    const wide = style.overflowX !== 'visible'
      && element.scrollWidth > element.clientWidth + 1;
    const high = style.overflowY !== 'visible'
      && element.scrollHeight > element.clientHeight + 1;
    if (wide || high) report('clipped', element);
  };

  // --- what a slide holds -------------------------------------------------------------
  const checkSize = (style, least, element) => {
    const size = parseFloat(style.fontSize);
    if (size < least) report(`text of ${size} px, ${least} px needed`, element);
  };
  const checkLabel = (element, pseudo) => {
    const style = getComputedStyle(element, pseudo);
    if (style.content === 'none') return;
    checkSize(style, limits.small, element);
    checkContrast(style.color, element, ` of ${pseudo}`);
  };
  const checkText = (text, element) => {
    const style = getComputedStyle(element);
    const small = element.closest('pre:not(.claims), code, table, sub, sup, .live');
    checkSize(style, small ? limits.small : limits.text, element);
    if (!style.fontFamily.startsWith('"DejaVu Sans')) {
      report(`font ${style.fontFamily}`, element);
    }
    checkContrast(style.color, element);
    const foreign = [...text.data].filter(c => c.trim() && !limits.glyphs.includes(c));
    if (foreign.length) report(`not in DejaVu Sans: ${foreign.join(' ')}`, element);
    if (!element.closest('pre, code') && /\$.*\$|\\[a-zA-Z([]/.test(text.data)) {
      report('unrendered formula', element);
    }
    const range = document.createRange();
    range.selectNodeContents(text);
    [...range.getClientRects()].forEach(rect => draw(rect, element, text));
  };
  const checkPicture = image => {
    if (!image.complete || !image.naturalWidth) report('broken picture', image);
    if (!image.alt.trim() || image.alt.startsWith('<')) {
      report('picture without alt text', image);
    }
  };
  // Those of a picture that moves, as a share of its width, are its frame's.
  const checkLetters = picture => {
    const share = picture.closest('[data-letters]')?.dataset.letters;
    const letters = Math.round(share * picture.clientWidth);
    if (letters < limits.letters) {
      report(`letters of ${letters} px, ${limits.letters} px needed`, picture);
    }
  };
  const checkFormula = formula => {
    formula.querySelectorAll('[fill]:not([fill="currentColor"])').forEach(
      part => checkContrast(getComputedStyle(part).fill, part, ' in a formula'));
    checkContrast(getComputedStyle(formula).color, formula);
    draw(formula.querySelector('svg').getBoundingClientRect(), formula);
  };
  const painted = style => style.backgroundColor !== 'rgba(0, 0, 0, 0)'
    || parseFloat(style.borderLeftWidth) || parseFloat(style.borderTopWidth);

  const checkElement = element => {
    if (element.matches('[data-mml-node="merror"]')) report('failed formula', element);
    if (element.closest('aside.notes, style, script, mjx-container *')) return;
    if (element.closest('.celltag_section h3')) return;  // only an address
    // What is only heard or reached by the keyboard; a figure is a picture as a whole.
    if (element.closest('.live-said, .live-pointed, .live svg *')) return;
    if (element.localName === 'mjx-container') return checkFormula(element);
    const style = getComputedStyle(element);
    if (style.display === 'contents' || !element.getClientRects().length) return;
    checkClipping(element);
    if (element.localName === 'img') checkPicture(element);
    if (element.matches('img, svg')) {
      checkLetters(element);
      draw(element.getBoundingClientRect(), element);
    } else if (element.localName === 'table' || painted(style)) {
      checkPlace(element.getBoundingClientRect(), element);
    }
    if (element.dataset.mimeType === 'application/vnd.jupyter.stderr') {
      report('error output', element);
    }
    checkLabel(element, '::before');
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE && node.data.trim()) checkText(node, element);
    }
  };

  Reveal.layout();
  scale = Reveal.getScale();
  Reveal.getSlides().forEach((slide, index) => {
    [section, number] = [slide, index + 1];
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v, 99);
    const box = section.getBoundingClientRect();
    area = {
      left: box.left + limits.margin * scale,
      right: box.right - limits.margin * scale,
      top: box.top, bottom: box.bottom - limits.footer * scale,
    };
    const repeated = section.querySelector('.celltag_continued')?.innerText ?? '';
    if (!section.querySelector('img') && section.innerText.trim() === repeated.trim()) {
      report('empty slide', section);
    }
    if (section.scrollHeight > section.clientHeight) {
      report('prints on two pages', section);
    }
    [worst, inked] = [{}, []];
    checkLabel(section, '::before');  // slide number
    checkLabel(section, '::after');   // title of the lecture
    section.querySelectorAll('*').forEach(checkElement);
    checkOverlaps();
    for (const [side, {pixels, element}] of Object.entries(worst)) {
      report(`${Math.round(pixels)} px outside the slide, ${side}`, element);
    }
  });
  return faults;
}
