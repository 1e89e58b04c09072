// Moves the pictures that tools/draw.py has prepared. Controls and pointing change the state of a
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
      for (const {name, values, start} of page.controls) {
        const input = this.inputs[name] = figure.querySelector(`[data-name="${name}"]`);
        if (input.matches('.live-pad')) this.pad(input, name, this.places[name] = values[0]);
        else input.addEventListener('input', () => this.go({[name]: this.placeOf(input)}));
        this.places[name] ??= start;
      }
      if (page.pointed.length) {
        this.box.addEventListener('pointerdown', event => this.pointer(event));
        this.box.addEventListener('pointermove', event => event.buttons && this.pointer(event));
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

    key() {
      return this.page.figures.map(name => this.places[name]).join('-') || '0';
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
      image.src = `${FOLDER}${this.id}/${this.key()}.webp`;
      this.said = this.page.drawn[this.key()];
      image.alt = `${this.page.title}: ${this.said}`;
      await image.decode().catch(() => {});  // another one was asked for meanwhile
      return {};
    }

    draw() {
      const key = this.key(), frame = this.frame = this.page.drawn[key];
      if (this.shown !== key) {
        const svg = new DOMParser().parseFromString(frame.svg, 'image/svg+xml').documentElement;
        const old = this.box.querySelector('svg');
        for (const name of ['role', 'aria-label', 'width', 'height']) {
          svg.setAttribute(name, old.getAttribute(name));
        }
        old.replaceWith(svg);
        this.shown = key;
      }
      this.units = frame.axes.map(axes => axes.unit);
      const parts = this.formula.answer(this.state(), this.page.data, this);
      for (const [name, value] of Object.entries(parts)) this.move(name, value);
      this.said = [...this.box.querySelectorAll('[id$="title"]')]
        .map(title => title.textContent.trim().replace(/\s+/g, ' ')).join('; ');
      if (this.formula.table) this.write(this.formula.table(this.state(), this.page.data, this));
      return parts;
    }

    // Rows of a table below the picture; a row of one cell is a sum.
    write(rows) {
      this.table ??= this.box.insertAdjacentElement('afterend', document.createElement('table'));
      this.table.tabIndex = 0;  // on a phone it scrolls
      this.table.innerHTML = rows.map(([first, ...others]) => others.length
        ? `<tr>${first && `<th scope="row">${first}</th>` || '<td></td>'}<td>${others.join('</td><td>')}</td></tr>`
        : `<tr><th colspan="${rows[0].length}">${first}</th></tr>`).join('');
    }

    // What a part of the figure is like, in the units of its axes.
    move(name, value) {
      const place = Number(name.match(/^a(\d+)/)?.[1]);
      if (value?.limits) return this.limit(place, value.limits);
      const part = this.box.querySelector(`[id="${this.id}:${name}"]`);
      part.style.display = value ? '' : 'none';
      if (!value) return;
      const [kind] = name.match(/[a-z]+(?=\d*$)/);
      const [sx, tx, sy, ty] = this.frame.units[name] ?? this.units[place] ?? [1, 0, 1, 0];
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
        const text = part.querySelector('text');
        text.textContent = value.text;
        if (value.fill) text.style.fill = value.fill;
        if (value.x === undefined) return;
        const [x, y] = this.frame.texts[name], [ox, otx, oy, oty] = this.frame.axes[place].unit;
        const move = [sx * value.x + tx - ox * x - otx, sy * value.y + ty - oy * y - oty];
        part.setAttribute('transform', `translate(${move})`);
      }
    }

    // Axes without ticks take other limits: all that comes later lies in their new units.
    limit(place, [x0, x1, y0, y1]) {
      const [left, top, right, bottom] = this.frame.axes[place].box;
      const sx = (right - left) / (x1 - x0), sy = (top - bottom) / (y1 - y0);
      this.units[place] = [sx, left - sx * x0, sy, bottom - sy * y0];
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

    // The axes under the pointer stay those of its whole way.
    pointer(event) {
      const {x, y} = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(this.box.querySelector('svg').getScreenCTM().inverse());
      if (event.type === 'pointerdown') {
        if (event.pointerType === 'mouse') event.preventDefault();  // select no text
        this.held = this.frame.axes.findIndex(({box: [left, top, right, bottom]}) =>
          left <= x && x <= right && top <= y && y <= bottom);
      }
      if (!(this.held >= 0)) return;
      const [sx, tx, sy, ty] = this.units[this.held];
      const places = this.pointedAt(this.held, (x - tx) / sx, (y - ty) / sy);
      if (Object.keys(places).length) this.go(places);
    }

    // The places that controls take when the picture is pointed at.
    pointedAt(axes, x, y) {
      const wanted = this.formula.point(axes, x, y, this);
      return Object.fromEntries(Object.entries(wanted).map(([name, value]) => [
        name, nearest(this.page.controls.find(c => c.name === name).values, value)]));
    }
  }

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
