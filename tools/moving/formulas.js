// The formulas of the pictures that are no frames. `answer` says what depends on the state: parts of
// the figure by the names of tools/draw.py. `point` is that of the notebook, `table` writes the
// arithmetic below the picture.
const {formulas} = live;
const range = n => [...Array(n).keys()];
const sum = values => values.reduce((a, b) => a + b, 0);
const least = values => values.reduce((a, b) => Math.min(a, b));
const most = values => values.reduce((a, b) => Math.max(a, b));
const dot = (a, b) => a.reduce((total, value, k) => total + value * b[k], 0);
const fixed = (value, digits) => (Object.is(value, -0) ? '−' : '')
  + value.toFixed(digits).replace('.', ',').replace('-', '−');
const russian = value => String(Number(value.toFixed(2)) + 0).replace('.', ',').replace('-', '−');
// Row k of a matrix as an ordinary array.
const row = (matrix, k, width = matrix.shape.at(-1)) => [...matrix.subarray(k * width, (k + 1) * width)];
const softmax = scores => {
  const powers = scores.map(s => Math.exp(s - most(scores))), total = sum(powers);
  return powers.map(p => p / total);
};
// Row and column, in the first `count` axes.
const cellIn = count => (place, x, y) => place < count ? {row: y, column: x} : {};
const whole = (value, last) => Math.min(Math.max(Math.round(value), 0), last);

// --- 01: a box against the truth ---
const area = ([x0, y0, x1, y1]) => Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
formulas['01_tasks-draw_verdict'] = {
  answer({dx, dy, size, threshold}, {box: truth}) {
    const [x0, y0, x1, y1] = truth, [x, y] = [(x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy];
    const [w, h] = [size * (x1 - x0) / 2, size * (y1 - y0) / 2];
    const box = [x - w, y - h, x + w, y + h];
    const [low, high] = [Math.min, Math.max].map(of => box.map((b, k) => of(b, truth[k])));
    const both = area([high[0], high[1], low[2], low[3]]);
    const around = area([low[0], low[1], high[2], high[3]]);
    const either = area(box) + area(truth) - both, iou = both / either;
    return {
      'a0.patch2': {box}, 'a0.patch3': {box},
      'a0.text1': {text: 'ответ', x: box[0] + 2, y: box[3] + 2},
      'a0.text2': {text: `порог ${fixed(threshold, 2)}: ${iou >= threshold ? 'верно ✔' : 'неверно ✘'}`},
      'a0.title': {text: `IoU = ${fixed(iou, 2)}; GIoU = ${fixed(iou - (around - either) / around, 2)}`},
    };
  },
  point: (place, x, y, {page: {data: {box: [x0, y0, x1, y1]}}}) =>
    ({dx: x - (x0 + x1) / 2, dy: y - (y0 + y1) / 2}),
};

// --- 03: what the branches of Inception cost, module 3a ---
formulas['03_googlenet-draw_costs'] = {
  answer({r3, r5, proj, side}) {
    const million = side * side / 1e6, [from, c1, c3, c5] = [192, 64, 128, 32];
    const costs = [from * c1, from * r3 + 9 * r3 * c3, from * r5 + 25 * r5 * c5, from * proj]
      .map(n => n * million);
    const direct = [from * c1, 9 * from * c3, 25 * from * c5, from * proj].map(n => n * million);
    const parts = {'a0.title': {
      text: `всего ${fixed(sum(costs), 1)} млн; без сужений ${fixed(sum(direct), 1)} млн`}};
    for (const k of range(4)) {
      parts[`a0.patch${k}`] = {box: [0, k - 0.4, costs[k], k + 0.4]};
      parts[`a0.patch${k + 4}`] = {box: [0, k - 0.4, direct[k], k + 0.4]};
      parts[`a0.text${k}`] = {text: fixed(costs[k], 1), x: costs[k], y: k};
    }
    return parts;
  },
};

// --- 08: attention of words and of patches ---
const attend = (query, keys, values, T = 1) => {
  const scores = keys.map(key => dot(query, key) / Math.sqrt(query.length));
  const weights = softmax(scores.map(s => s / T));
  return {scores, weights, result: query.map((_, c) => dot(weights, values.map(v => v[c])))};
};
const tableOf = (head, {scores, weights}, shown, last, mean) => [head,
  ...mean ? [] : [['оценка s = q·k/√d', ...shown.map(j => russian(scores[j]))]],
  [mean ? 'вес a, среднее по головам' : 'вес a = softmax(s)', ...shown.map(j => russian(weights[j]))], ...last];
const lookOf = ({word, T}, data, words) => {
  const [q, keys, values] = ['Q', 'K', 'V'].map(name => words.map((_, j) => row(data[name], j)));
  return {...attend(q[words.indexOf(word)], keys, values, T), values};
};
formulas['08_self_attention-draw_word'] = {
  answer(state, data, {page}) {
    const words = page.controls[0].values, i = words.indexOf(state.word);
    const parts = {'a0.title': {text: `«${state.word}», T = ${russian(state.T)}`}};
    const arc = range(40).map(k => k / 39 * Math.PI);
    lookOf(state, data, words).weights.forEach((a, j) => {
      const [middle, half] = [(i + j) / 2, Math.abs(i - j) / 2];
      parts[`a0.line${j}`] = {x: arc.map(t => middle + half * Math.cos(t)),
        y: arc.map(t => 0.22 + 0.28 * half * Math.sin(t)), width: 0.5 + 9 * a};
      parts[`a0.patch${j}`] = {box: [j - 0.25, -0.1, j + 0.25, -0.1 - 0.9 * a]};
      parts[`a0.text${words.length + j}`] = {text: russian(a), x: j, y: -0.22 - 0.9 * a};
    });
    return parts;
  },
  point: (place, x, y, {page}) => ({word: page.controls[0].values[whole(x, 5)]}),
  table(state, data, {page}) {
    const words = page.controls[0].values, found = lookOf(state, data, words);
    const pair = v => `(${v.map(russian).join('; ')})`;
    const rows = tableOf(['', ...words], found, range(words.length),
      [['значение v', ...found.values.map(pair)], [`результат Σ a·v = ${pair(found.result)}`]]);
    rows[2][0] = 'вес a = softmax(s/T)';
    return rows;
  },
};
const patchLook = ({street, layer, head, query}, data) => {
  const [q, k, v] = ['q', 'k', 'v'].map(name => data[`${name} ${street} ${layer}`]);
  const [heads, count, width] = q.shape;
  const looks = (head === 'среднее' ? range(heads) : [head - 1]).map(h => {
    const rows = matrix => range(count).map(j => row(matrix, h * count + j, width));
    return attend(row(q, h * count + query, width), rows(k), rows(v));
  });
  const mean = name => range(count).map(j => sum(looks.map(l => l[name][j])) / looks.length);
  return {scores: mean('scores'), weights: mean('weights'), result: looks.flatMap(l => l.result)};
};
formulas['08_self_attention-patch_look'] = {
  answer(state, data) {
    const {weights} = patchLook(state, data), {query} = state;
    const [i, j] = [8 * Math.floor((query - 1) / 6) - 0.5, 8 * ((query - 1) % 6) - 0.5];
    return {
      'a0.patch0': query ? {box: [j, i, j + 8, i + 8]} : null,
      'a1.image1': {values: range(36).map(() => 1), shape: [6, 6], range: [0, 1.3],
        map: 'Reds', alpha: weights.slice(1).map(a => Math.min(a / 0.4, 1))},
    };
  },
  point: (place, x, y) => ({query: 1 + 6 * whole((y - 3.5) / 8, 5) + whole((x - 3.5) / 8, 5)}),
  // Those that it looks at most; 0 is the class token.
  table(state, data) {
    const found = patchLook(state, data), {weights, result} = found;
    const most = range(37).sort((a, b) => weights[b] - weights[a]).slice(0, 6);
    return tableOf(['на кого', ...most.map(j => j ? `патч ${j}` : 'класс')], found, most,
      [[`результат Σ a·v, длина ${russian(Math.sqrt(dot(result, result)))}`]], state.head === 'среднее');
  },
};

// --- 09: whom a query sees: the segments of an axis that windows cut, or k neighbours ---
const windowOf = (M, shift, of = n => Math.floor((n - shift + M) / M)) => (
  i => range(12).filter(n => of(n) === of(i)));
const neighboursOf = k => i => range(k).map(n => Math.min(Math.max(i - (k >> 1), 0), 12 - k) + n);
formulas['09_swin-draw_four'] = {
  answer({row: i, column: j, M, shift, two_layers: two}) {
    const [plain, moved, near] = [windowOf(M, 0), windowOf(M, shift % M), neighboursOf(M | 1)];
    const layers = {MSA: [() => range(12)], 'W-MSA': [plain, plain], 'SW-MSA': [moved, plain],
      NA: [near, near]};
    const parts = {};
    Object.entries(layers).forEach(([name, seen], a) => {
      // Rows and columns are seen apart from each other.
      const [rows, columns] = [i, j].map(from => new Set(
        seen.slice(0, 1 + two).reduce((all, see) => all.flatMap(see), [from])));
      const values = range(144).map(n => Number(rows.has(Math.floor(n / 12)) && columns.has(n % 12)));
      parts[`a${a}.image0`] = {values, shape: [12, 12], range: [0, 1.6], map: 'Blues'};
      parts[`a${a}.line0`] = {x: [j], y: [i]};
      parts[`a${a}.title`] = {text: `${name}: ${sum(values)}`};
    });
    return parts;
  },
  point: cellIn(4),
};

// --- 10: positional encoding ---
const encoding = (position, d, base) => range(d).map(k => {
  const angle = position * Math.exp((k - k % 2) * -Math.log(base) / d);
  return k % 2 ? Math.cos(angle) : Math.sin(angle);
});
formulas['10_positional_encoding-draw_encoding'] = {
  answer({d, base, position}) {
    const rows = range(100).map(p => encoding(p, d, base));
    const thousands = String(base).replace(/\B(?=(\d{3})+$)/g, ' ');
    return {
      'a0.image0': {values: rows.flat(), shape: [100, d], range: [-1, 1], map: 'RdBu_r'},
      'a0.line0': {x: [0, 1], y: [position, position]},
      'a0.title': {text: `d = ${d}, основание ${thousands}`},
      'a1.line0': {x: range(100), y: rows.map(r => dot(r, rows[position]) / (d / 2))},
      'a1.line1': {x: [position, position], y: [0, 1]},
      'a1.title': {text: `сходство с позицией ${position}`},
    };
  },
  point: (place, x, y) => ({position: place ? x : y}),
};
formulas['10_positional_encoding-draw_similarity'] = {
  answer({row: i, column: j, kind}, data) {
    const grid = data[kind], query = row(grid, 14 * i + j);
    return {
      'a0.image0': {values: range(196).map(k => dot(row(grid, k), query) / 32),
        shape: [14, 14], range: [0.4, 1], map: 'cividis'},
      'a0.line0': {x: [j], y: [i]},
    };
  },
  point: cellIn(1),
};

// --- 11: convolutions. (C, S, S) maps -> (F, S, S), kernels 5×5, zeros around ---
// Half of what ReLU lets through is zero: sums of products are made of the rest.
const filled = (x, from = 0, at = range(x.length)) => {
  const places = new Uint16Array(at.length), values = new Float64Array(at.length);
  let count = 0;
  for (let k = 0; k < at.length; k++) {
    [places[count], values[count]] = [k, x[from + at[k]]];  // the next overwrites a zero
    if (values[count]) count++;
  }
  return {places, values, count};
};
// With these rows of weights, four at a time: a sum waits for its last addition, four do not.
const dotFilled = (weights, rows, {places, values, count}, out, at = 0, step = 1) => {
  const begin = n => weights.length / weights.shape[0] * rows[Math.min(n, rows.length - 1)];
  for (let n = 0; n < rows.length; n += 4) {
    const a = begin(n), b = begin(n + 1), c = begin(n + 2), d = begin(n + 3);
    let p = 0, q = 0, r = 0, s = 0;
    for (let k = 0; k < count; k++) {
      const place = places[k], value = values[k];
      p += weights[a + place] * value; q += weights[b + place] * value;
      r += weights[c + place] * value; s += weights[d + place] * value;
    }
    const to = at + n * step;  // what lies behind the end is not stored
    out[to] = p; out[to + step] = q; out[to + 2 * step] = r; out[to + 3 * step] = s;
  }
};
const conv = (x, side, weight, bias, filters = range(weight.shape[0])) => {
  const size = 25 * weight.shape[1], wide = side + 4, count = side * side;
  const padded = new Float64Array(size * wide * wide / 25), out = new Float64Array(filters.length * count);
  for (let i = 0; i < x.length / side; i++) {
    padded.set(x.subarray(i * side, (i + 1) * side), (Math.floor(i / side) * wide + i % side + 2) * wide + 2);
  }
  const around = Int32Array.from({length: size},
    (_, k) => (Math.floor(k / 25) * wide + Math.floor(k % 25 / 5)) * wide + k % 5);
  for (let place = 0; place < count; place++) {
    const from = Math.floor(place / side) * wide + place % side;
    dotFilled(weight, filters, filled(padded, from, around), out, place, count);
  }
  return out.map((sum, n) => sum + bias[filters[Math.floor(n / count)]]);
};
const relu = x => x.map(value => Math.max(value, 0));
const pool = (x, side) => Float64Array.from({length: x.length / 4}, (_, n) => {
  const half = side / 2, at = 2 * Math.floor(n / half) * side + 2 * (n % half);
  return Math.max(x[at], x[at + 1], x[at + side], x[at + side + 1]);
});
const firstLayer = (x, data) => relu(conv(x, 28, data['conv2d_1 weight'], data['conv2d_1 bias']));
const image = (values, side, map) => ({values, shape: [side, side], range: [least(values), most(values)], map});
// A table of numbers as seaborn's heatmap writes it.
const annotated = (place, values, title, map, picture, parts) => {
  const limit = most(values.map(Math.abs)) || 1;
  const mesh = {values, shape: [5, 5], map, range: [map === 'PuOr_r' ? -limit : 0, limit]};
  const colours = picture.colours(mesh);
  parts[`a${place}.mesh0`] = mesh;
  parts[`a${place}.title`] = {text: title};
  values.forEach((value, k) => {
    const light = dot([0.2126, 0.7152, 0.0722], [0, 1, 2].map(c => colours[4 * k + c] / 255)
      .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    parts[`a${place}.text${k}`] = {text: fixed(Number(value.toFixed(2)) + 0, 2), x: k % 5 + 0.5,
      y: Math.floor(k / 5) + 0.5, fill: light > 0.408 ? '#262626' : '#ffffff'};
  });
};
formulas['11_mnist_activations-draw_pixel'] = {
  answer(state, data, picture) {
    const {number, layer} = state, second = layer === 'conv2d_2';
    const digit = Float64Array.from(row(data.digits, number, 784), v => v / 255);
    const [x, side] = second ? [pool(firstLayer(digit, data), 28), 14] : [digit, 28];
    const weight = data[`${layer} weight`], [filters, channels] = weight.shape;
    const f = state.channel % filters, bias = data[`${layer} bias`][f];
    const [i, j] = [state.row, state.column].map(n => Math.floor(n * side / 28));
    const patches = range(channels).map(c => range(25).map(n => {
      const [a, b] = [i + Math.floor(n / 5) - 2, j + n % 5 - 2];
      return a >= 0 && b >= 0 && a < side && b < side ? x[(c * side + a) * side + b] : 0;
    }));
    const kernels = range(channels).map(c => row(weight, f * channels + c, 25));
    const sums = patches.map((patch, c) => dot(patch, kernels[c]));
    const best = sums.reduce((b, v, c) => Math.abs(v) > Math.abs(sums[b]) ? c : b, 0);
    const box = k => [j - k, i - k, j + k + 1, i + k + 1].map(n => n * 28 / side - 0.5);
    const total = sum(sums), z = total + bias;
    const parts = {
      'a0.image0': image(digit, 28, 'gray_r'),
      'a0.title': {text: `цифра ${data.labels[number]}`},
      'a0.patch0': {box: box(2)},
      'a1.image0': image(
        relu(conv(x, side, weight, data[`${layer} bias`], [f])), side, 'cividis'),
      'a1.title': {text: `${layer}, канал ${f}`},
      'a1.patch0': {box: box(0)},
      title: {text: `сумма ${fixed(total, 3)}; смещение ${fixed(bias, 3)}: z = ${fixed(z, 3)}`
        + `; после ReLU ${fixed(Math.max(z, 0), 3)}`},
    };
    annotated(2, patches[best], `участок канала ${best}`, 'cividis', picture, parts);
    annotated(3, kernels[best], '× ядро', 'PuOr_r', picture, parts);
    if (second) {
      const [low, high] = [Math.min(0, ...sums), Math.max(0, ...sums)];
      const margin = 0.05 * (high - low);
      parts.a4 = {limits: [-1.99, 32.99, low && low - margin, high && high + margin]};
      parts['a4.title'] = {text: `вклад канала ${best}: ${fixed(sums[best], 2)}`};
      sums.forEach((value, c) => {
        const fill = c === best ? '#d55e00' : '#0173b2';
        parts[`a4.patch${c}`] = {box: [c - 0.4, 0, c + 0.4, value], fill};
      });
    } else {
      const products = patches[0].map((p, n) => p * kernels[0][n]);
      annotated(4, products, '= произведения', 'PuOr_r', picture, parts);
    }
    return parts;
  },
  point: cellIn(2),
};

// --- 11: a digit drawn by the reader, in the form of MNIST as like_mnist makes it ---
const even = n => Math.abs(n % 1) === 0.5 ? 2 * Math.round(n / 2) : Math.round(n);
const likeMnist = (ink, side) => {
  const out = new Float64Array(784);
  const inked = range(side * side).filter(k => ink[k]);
  if (!inked.length) return out;
  const [rows, columns] = [inked.map(k => Math.floor(k / side)), inked.map(k => k % side)];
  const [top, left] = [least(rows), least(columns)];
  const [high, wide] = [most(rows) + 1 - top, most(columns) + 1 - left];
  const scale = 20 / Math.max(high, wide);
  const [H, W] = [high, wide].map(n => Math.max(1, even(n * scale)));
  const small = range(H * W).map(n => {  // adaptive_avg_pool2d
    const [i, j] = [Math.floor(n / W), n % W];
    const [i0, i1] = [Math.floor(i * high / H), Math.ceil((i + 1) * high / H)];
    const [j0, j1] = [Math.floor(j * wide / W), Math.ceil((j + 1) * wide / W)];
    const line = a => sum(ink.slice((top + a) * side + left + j0, (top + a) * side + left + j1));
    return sum(range(i1 - i0).map(a => line(i0 + a))) / 255 / (i1 - i0) / (j1 - j0);
  });
  const [y, x] = [[n => Math.floor(n / W), H], [n => n % W, W]].map(([step, size]) =>
    Math.min(Math.max(even(14 - dot(small, small.map((_, n) => step(n))) / sum(small)), 0),
      28 - size));
  small.forEach((v, n) => { out[(y + Math.floor(n / W)) * 28 + x + n % W] = v; });
  return out;
};
// The four brightest maps in a square with a pixel between them, and their numbers.
const brightest = (place, maps, side, parts) => {
  const size = side ** 2, wide = 2 * side + 3, values = Array(wide * wide).fill(NaN);
  const tops = range(maps.length / size).map(c => most(maps.subarray(c * size, (c + 1) * size)));
  const best = [...tops.keys()].sort((a, b) => tops[b] - tops[a]).slice(0, 4);
  best.forEach((c, k) => {
    row(maps, c, size).forEach((value, n) => {
      const [i, j] = [(k >> 1) * (side + 1) + 1 + Math.floor(n / side), k % 2 * (side + 1) + 1];
      values[i * wide + j + n % side] = value;
    });
    parts[`a${place}.text${k}`] = {text: String(c)};
  });
  const shown = values.filter(value => !isNaN(value));
  parts[`a${place}.image0`] = {...image(shown, wide, 'cividis'), values};
};
formulas['11_mnist_activations-draw_own'] = {
  answer({digit}, data) {
    const side = Math.sqrt(digit.length), x = likeMnist(digit, side);
    const first = firstLayer(x, data);
    const second = relu(conv(pool(first, 28), 14, data['conv2d_2 weight'], data['conv2d_2 bias']));
    const flat = pool(second, 14);
    const layer = (name, from) => {
      const bias = data[`${name} bias`], sums = new Float64Array(bias.length);
      dotFilled(data[`${name} weight`], range(bias.length), filled(from), sums);
      return sums.map((sum, n) => sum * (data[`${name} step`]?.[n] ?? 1) + bias[n]);
    };
    const hidden = relu(layer('dense_1', flat));
    const answer = softmax([...layer('dense_2', hidden)]);
    const best = answer.indexOf(most(answer)), scale = {range: [0, 1], map: 'gray_r'};
    const parts = {
      'a0.image0': {values: digit.map(v => v / 255), shape: [side, side], ...scale},
      'a0.title': {text: digit.some(Boolean) ? 'рисунок' : 'лист пуст'},
      'a1.image0': {values: x, shape: [28, 28], ...scale},
      'a2.title': {text: `ответ: ${best} (${fixed(100 * answer[best], 0)} %)`},
    };
    answer.forEach((p, n) => {
      parts[`a2.patch${n}`] = {box: [0, n - 0.4, p, n + 0.4], fill: n === best ? '#d55e00' : '#0173b2'};
    });
    brightest(3, first, 28, parts);
    brightest(4, second, 14, parts);
    return parts;
  },
};

// --- 12: patches that are alike; of pairs (a, b) only those with a <= b are stored ---
formulas['12_real_transformer-draw_alike'] = {
  answer({source, row: i, column: j}, data) {
    const query = 24 * (i - 1) + j - 1;
    const at = (a, b) => a * 576 - a * (a - 1) / 2 + b - a;
    const cross = {x: [j], y: [i]};
    return {
      'a0.line0': cross, 'a0.line1': cross,
      'a1.image0': {shape: [24, 24], range: [0, 1], map: 'magma', values: range(576).map(
        k => data[source][at(Math.min(k, query), Math.max(k, query))] / 255)},
    };
  },
  point: cellIn(2),
};
