// Moves the pictures that tools/live.py has prepared. Controls and pointing change the state of a
// picture; a state has a frame, or a formula says where the parts of an SVG are. Works from
// file:// and asks for nothing but the files beside the page.
window.live ??= (() => {
  const FOLDER = new URL('.', document.currentScript.src).href;
  const waiting = {}, formulas = {};
  const arrays = of => Object.fromEntries(Object.entries(of ?? {}).map(
    ([name, {kind, shape, base64}]) => {
      const text = atob(base64), bytes = new Uint8Array(text.length);
      for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
      return [name, Object.assign(new globalThis[kind](bytes.buffer), {shape})];
    }));
  // Called by the data file of a picture.
  const add = (id, page) => {
    Object.assign(page, {data: arrays(page.data), maps: arrays(page.maps)});
    for (const figure of waiting[id]) figure.live = new Picture(figure, id, page);
  };
  const nearest = (values, value) => typeof value !== 'number' ? values.indexOf(value)
    : values.reduce((b, v, k) => Math.abs(v - value) < Math.abs(values[b] - value) ? k : b, 0);

  class Picture {
    constructor(figure, id, page) {
      Object.assign(this, {figure, id, page, formula: formulas[id], places: {}, inputs: {}});
      this.box = figure.querySelector('.live-picture');
      for (const {name, values} of page.controls) {
        const input = this.inputs[name] = figure.querySelector(`[data-name="${name}"]`);
        if (input.matches('.live-pad')) this.pad(input, name, this.places[name] = values[0]);
        else input.addEventListener('input', () => this.go({[name]: this.placeOf(input)}));
        this.places[name] ??= this.placeOf(input);
      }
      if (this.formula?.point) {
        this.box.addEventListener('pointerdown', event => this.point(event));
        this.box.addEventListener('pointermove', event => event.buttons && this.point(event));
      }
      figure.classList.add('live-ready');
      this.ready = this.go({});
    }

    placeOf(input) {
      return input.type === 'checkbox' ? Number(input.checked)
        : input.matches('select') ? input.selectedIndex : Number(input.value);
    }

    // The widget of JupyterLab; a place of this control is the ink itself.
    pad(el, name, value) {
      const model = {side: 112, description: el.dataset.label, value};
      live.pad({el, model: {
        get: key => key === 'value' ? new DataView(Uint8Array.from(model.value).buffer) : model[key],
        set: (key, ink) => { model.value = [...new Uint8Array(ink.buffer)]; },
        save_changes: () => this.go({[name]: model.value}), on() {},
      }});
    }

    state() {
      return Object.fromEntries(this.page.controls.map(({name, values}) => [name,
        Array.isArray(this.places[name]) ? this.places[name] : values[this.places[name]]]));
    }

    key(places = this.places) {
      return this.page.frames.map(name => places[name]).join('-') || '0';
    }

    // Show other places of some controls; returns what the picture then consists of.
    async go(places) {
      const begin = performance.now();
      Object.assign(this.places, places);
      for (const {name, texts} of this.page.controls) {
        const input = this.inputs[name], place = this.places[name];
        if (input.matches('select')) input.selectedIndex = place;
        else if (input.type === 'checkbox') input.checked = Boolean(place);
        else if (input.type === 'range') {
          input.value = place;
          input.setAttribute('aria-valuetext', texts[place]);
          input.nextElementSibling.textContent = texts[place];
        }
      }
      const parts = this.formula ? this.draw() : await this.show();
      this.ms = performance.now() - begin;
      this.figure.querySelector('.live-said').textContent = this.said;
      return parts;
    }

    async show() {
      const image = this.box.querySelector('img');
      const file = places => `${FOLDER}${this.id}/${this.key(places)}.webp`;
      image.src = file(this.places);
      this.said = this.page.drawn[this.key()];
      image.alt = `${this.figure.getAttribute('aria-label')}: ${this.said}`;
      await image.decode().catch(() => {});  // another one was asked for meanwhile
      // A step in any direction is ready before it is asked for.
      this.near = this.page.controls.flatMap(({name, values}) => [-1, 1]
        .map(step => this.places[name] + step).filter(place => place in values)
        .map(place => Object.assign(new Image(), {src: file({...this.places, [name]: place})})));
      return {};
    }

    draw() {
      const key = this.key(), frame = this.frame = this.page.drawn[key];
      if (this.shown !== key) {
        const old = this.box.querySelector('svg');
        const svg = new DOMParser().parseFromString(frame.svg, 'image/svg+xml').documentElement;
        for (const name of ['role', 'aria-label', 'width', 'height']) {
          svg.setAttribute(name, old.getAttribute(name));
        }
        old.replaceWith(svg);
        this.shown = key;
        this.axes = frame.axes.map(axes => ({...axes}));
        this.parts = Object.fromEntries([...svg.querySelectorAll('[data-part]')]
          .map(part => [part.dataset.part, part]));
      }
      const parts = this.formula.answer(this.state(), this.page.data, this);
      const isAxes = name => /^a\d+$/.test(name);  // their limits place all else
      Object.keys(parts).filter(isAxes).forEach(name => this.limit(name, parts[name]));
      Object.keys(parts).filter(name => !isAxes(name)).forEach(name => this.move(name, parts[name]));
      this.said = [...this.box.querySelectorAll('[data-part$="title"]')]
        .map(title => title.textContent.trim().replace(/\s+/g, ' ')).join('; ');
      if (this.formula.table) this.write(this.formula.table(this.state(), this.page.data, this));
      return parts;
    }

    // Rows of a table below the picture; a row of one cell is a sum.
    write(rows) {
      this.table ??= this.box.insertAdjacentElement('afterend', document.createElement('table'));
      this.table.replaceChildren(...rows.map(cells => {
        const row = document.createElement('tr');
        row.append(...cells.map((textContent, k) => Object.assign(
          document.createElement(k ? 'td' : 'th'), {textContent})));
        if (cells.length === 1) row.firstChild.colSpan = rows[0].length;
        return row;
      }));
    }

    // Parts have the names and contents that `parts` of tools/live.py reads from a figure.
    move(name, value) {
      const part = this.parts[name], [kind] = name.match(/[a-z]+(?=\d*$)/);
      part.style.display = value ? '' : 'none';
      if (!value) return;
      const place = Number(name.match(/^a(\d+)/)?.[1]);
      const [sx, tx, sy, ty] = this.frame.units[name] ?? this.axes[place]?.unit ?? [1, 0, 1, 0];
      const at = (x, y) => `${sx * x + tx} ${sy * y + ty}`;
      if (kind === 'image') part.setAttribute('href', this.picture(value));
      else if (kind === 'line') {
        const points = [...value.x].map((x, k) => at(x, value.y[k]));
        const path = part.querySelector(':scope > path');
        path?.setAttribute('d', `M${points.join('L')}`);
        if (path && value.width) path.style.strokeWidth = value.width;
        part.querySelectorAll('use').forEach((use, k) => ['x', 'y'].forEach(
          (axis, n) => use.setAttribute(axis, points[k].split(' ')[n])));
      } else if (kind === 'patch') {
        const [x0, y0, x1, y1] = value.box, path = part.querySelector('path');
        path.setAttribute('d', `M${[at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1)].join('L')}z`);
        if (value.fill) path.style.fill = value.fill;
      } else if (kind === 'mesh') {
        const colours = this.colours(value);
        part.querySelectorAll('use, path:not(defs *)').forEach((cell, k) => {
          cell.style.fill = `rgb(${colours.slice(4 * k, 4 * k + 3).join()})`;
        });
      } else {
        part.querySelectorAll('text').forEach((text, k) => {
          text.textContent = value.text.split('\n')[k];
          if (value.fill) text.style.fill = value.fill;
        });
        if (value.x === undefined) return;
        const [x, y] = this.frame.texts[name], [ox, otx, oy, oty] = this.frame.axes[place].unit;
        const move = [sx * value.x + tx - ox * x - otx, sy * value.y + ty - oy * y - oty];
        part.setAttribute('transform', `translate(${move})`);
      }
    }

    // Numbers in the colours of a map, rounded as matplotlib does.
    colours({values, range: [low, high], map, alpha}) {
      const rgba = new Uint8ClampedArray(4 * values.length), table = this.page.maps[map];
      values.forEach((value, k) => {
        const share = high > low ? (value - low) / (high - low) : 0;
        const step = Math.max(0, Math.min(255, Math.floor(256 * share)));
        for (let c = 0; c < 3; c++) rgba[4 * k + c] = table[3 * step + c];
        rgba[4 * k + 3] = isNaN(value) ? 0 : 255 * (alpha?.[k] ?? 1);
      });
      return rgba;
    }

    picture(value) {
      const canvas = document.createElement('canvas');
      [canvas.height, canvas.width] = value.shape;
      canvas.getContext('2d').putImageData(
        new ImageData(this.colours(value), canvas.width), 0, 0);
      return canvas.toDataURL();
    }

    // New limits of an axes: its units, its ticks and their labels.
    limit(name, value) {
      const axes = this.axes[name.slice(1)], [left, top, right, bottom] = axes.box;
      const [x0, x1, y0, y1] = value.limits, k = 'xy'.indexOf(value.ticks);
      const sx = (right - left) / (x1 - x0), sy = (top - bottom) / (y1 - y0);
      axes.unit = [sx, left - sx * x0, sy, bottom - sy * y0];
      const [places, texts] = ticks(k ? [y0, y1] : [x0, x1], axes.room[k]);
      value[value.ticks] = texts;
      const group = this.parts[`${name}.${value.ticks}`];
      const old = [...group.children].filter(child => !child.dataset.part), [model] = old;
      // Its line of the grid says where the first tick was; its text may stand below.
      const line = model.querySelector('path:not(defs *)')?.getAttribute('d').match(/[-\d.]+/g);
      const from = model.dataset.from
        ??= line?.[k] ?? model.querySelector('text').getAttribute(value.ticks);
      group.prepend(...places.map((tick, n) => {
        const copy = model.cloneNode(true);
        const by = axes.unit[2 * k] * tick + axes.unit[2 * k + 1] - from;
        copy.setAttribute('transform', `translate(${k ? [0, by] : [by, 0]})`);
        copy.querySelector('text').textContent = texts[n];
        return copy;
      }));
      old.forEach(child => child.remove());
    }

    // The axes under the pointer stay those of its whole way.
    point(event) {
      const {x, y} = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(this.box.querySelector('svg').getScreenCTM().inverse());
      if (event.type === 'pointerdown') {
        if (event.pointerType === 'mouse') event.preventDefault();  // select no text
        this.grip = null;
        this.held = this.axes.findIndex(({box: [left, top, right, bottom]}) =>
          left <= x && x <= right && top <= y && y <= bottom);
      }
      if (!(this.held >= 0)) return;
      const [sx, tx, sy, ty] = this.axes[this.held].unit;
      const wanted = this.formula.point(this.held, (x - tx) / sx, (y - ty) / sy, this);
      const places = Object.entries(wanted).map(([name, value]) => [
        name, nearest(this.page.controls.find(c => c.name === name).values, value)]);
      if (places.length) this.go(Object.fromEntries(places));
    }
  }

  // Places and labels of ticks, as matplotlib's AutoLocator chooses them.
  const ticks = ([low, high], room) => {
    const raw = (high - low) / Math.min(9, Math.max(1, room)), slack = 1e-9 * (high - low);
    const step = [1, 2, 2.5, 5, 10].map(s => s * 10 ** Math.floor(Math.log10(raw)))
      .find(s => s >= raw * (1 - 1e-9));
    const places = [];
    for (let k = Math.ceil((low - slack) / step); k * step <= high + slack; k++) {
      places.push(k * step);
    }
    const digits = [...Array(9).keys()].find(
      d => places.every(p => Math.abs(p - p.toFixed(d)) < 1e-3 * step));
    return [places, places.map(p => (p + 0).toFixed(digits).replace('-', '−'))];
  };

  // The data of a picture are asked for when it comes near to what the reader sees.
  const watch = new IntersectionObserver(entries => {
    for (const {target, isIntersecting} of entries) {
      const id = target.dataset.live;
      if (!isIntersecting) continue;
      watch.unobserve(target);
      waiting[id] = [...waiting[id] ?? [], target];
      document.head.append(Object.assign(
        document.createElement('script'), {src: `${FOLDER}${id}.js`}));
    }
  }, {rootMargin: '600px'});
  document.addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('figure.live').forEach(figure => watch.observe(figure));
  });
  return {add, formulas};
})();
