// The formulas of the pictures that are no frames. `answer` returns the parts of the figure that
// depend on the state, as `parts` of tools/live.py reads them from the figure that Python draws;
// `point` turns a place in the figure into a state, `table` writes the arithmetic below it.
const {formulas} = live;
const range = n => [...Array(n).keys()];
const sum = values => values.reduce((a, b) => a + b, 0);
const least = values => values.reduce((a, b) => Math.min(a, b));
const most = values => values.reduce((a, b) => Math.max(a, b));
const dot = (a, b) => a.reduce((total, x, k) => total + x * b[k], 0);
const fixed = (value, digits) => (Object.is(value, -0) ? '-' : '') + value.toFixed(digits);
const russian = value => String(Number(value.toFixed(2)) + 0).replace('.', ',').replace('-', '−');
// Row k of a matrix, as it lies there and as an ordinary array.
const line = (matrix, k, width = matrix.shape.at(-1)) =>
  matrix.subarray(k * width, (k + 1) * width);
const row = (matrix, k, width) => [...line(matrix, k, width)];
const softmax = scores => {
  const powers = scores.map(s => Math.exp(s - most(scores))), total = sum(powers);
  return powers.map(p => p / total);
};
const whole = (value, last) => Math.min(Math.max(Math.round(value), 0), last);

// --- 01: a box against the truth ---
const area = ([x0, y0, x1, y1]) => Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
formulas['01_tasks-draw_verdict'] = {
  answer({dx, dy, size, threshold}, {box: truth}) {
    const [x0, y0, x1, y1] = truth, [x, y] = [(x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy];
    const [w, h] = [size * (x1 - x0) / 2, size * (y1 - y0) / 2];
    const box = [x - w, y - h, x + w, y + h];
    const low = k => Math.min(box[k], truth[k]), high = k => Math.max(box[k], truth[k]);
    const both = area([high(0), high(1), low(2), low(3)]);
    const either = area(box) + area(truth) - both;
    const around = area([low(0), low(1), high(2), high(3)]);
    const iou = both / either, giou = iou - (around - either) / around;
    return {
      'a0.patch2': {box}, 'a0.patch3': {box},
      'a0.text1': {text: 'ответ', x: box[0] + 2, y: box[3] + 2},
      'a0.text2': {text: `порог ${fixed(threshold, 2)}: `
        + (iou >= threshold ? 'верно ✔' : 'неверно ✘')},
      'a0.title': {text: `IoU = ${fixed(iou, 2)}, GIoU = ${fixed(giou, 2)}`},
    };
  },
  point(place, x, y, {page: {data: {box: [x0, y0, x1, y1]}}}) {
    return {dx: x - (x0 + x1) / 2, dy: y - (y0 + y1) / 2};
  },
};

// --- 03: what the branches of Inception cost, module 3a ---
formulas['03_googlenet-draw_costs'] = {
  answer({r3, r5, proj, side}) {
    const million = side * side / 1e6, [from, c1, c3, c5] = [192, 64, 128, 32];
    const costs = [from * c1, from * r3 + 9 * r3 * c3, from * r5 + 25 * r5 * c5, from * proj]
      .map(n => n * million);
    const direct = [from * c1, 9 * from * c3, 25 * from * c5, from * proj].map(n => n * million);
    const parts = {'a0.title': {
      text: `всего ${fixed(sum(costs), 1)} млн, без сужений ${fixed(sum(direct), 1)}`}};
    for (const k of range(4)) {
      parts[`a0.patch${k}`] = {box: [0, k - 0.4, costs[k], k + 0.4]};
      parts[`a0.patch${k + 4}`] = {box: [0, k - 0.4, direct[k], k + 0.4]};
      parts[`a0.text${k}`] = {text: fixed(costs[k], 1), x: costs[k], y: k};
    }
    return parts;
  },
};

// --- 08: attention of words and of patches ---
const lookOf = ({word, T}, {Q, K, V}, words) => {
  const i = words.indexOf(word);
  const scores = words.map((_, j) => dot(row(Q, i), row(K, j)) / Math.SQRT2);
  const weights = softmax(scores.map(s => s / T));
  return {i, scores, weights, result: range(2).map(k => dot(weights, words.map(
    (_, j) => row(V, j)[k])))};
};
formulas['08_self_attention-look'] = {
  answer(state, data, {page}) {
    const {i, weights} = lookOf(state, data, page.controls[0].values);
    const parts = {'a0.title': {text: `«${state.word}», T = ${russian(state.T)}`}};
    const arc = range(40).map(k => k / 39 * Math.PI);
    weights.forEach((a, j) => {
      const [middle, half] = [(i + j) / 2, Math.abs(i - j) / 2];
      parts[`a0.line${j}`] = {x: arc.map(t => middle + half * Math.cos(t)),
        y: arc.map(t => 0.35 + 0.28 * half * Math.sin(t)), width: 0.5 + 9 * a};
      parts[`a0.patch${j}`] = {box: [j - 0.25, -0.22, j + 0.25, -0.22 - 0.9 * a]};
      parts[`a0.text${2 * j + 1}`] = {text: russian(a), x: j, y: -0.34 - 0.9 * a};
    });
    return parts;
  },
  point: (place, x, y, {page}) => ({word: page.controls[0].values[whole(x, 5)]}),
  table(state, data, {page}) {
    const words = page.controls[0].values;
    const {scores, weights, result} = lookOf(state, data, words);
    const pair = v => `(${v.map(russian).join('; ')})`;
    return [
      ['', ...words],
      ['оценка s = q·k/√2', ...scores.map(russian)],
      ['вес a = softmax(s/T)', ...weights.map(russian)],
      ['значение v', ...words.map((_, j) => pair(row(data.V, j)))],
      [`результат Σ a·v = ${pair(result)}`],
    ];
  },
};
const patchLook = ({street, layer, head, query}, data) => {
  const [q, k, v] = ['q', 'k', 'v'].map(name => data[`${name} ${street} ${layer}`]);
  const [heads, count, width] = q.shape;
  const used = head === 'среднее' ? range(heads) : [head - 1];
  const scores = used.map(h => range(count).map(j => dot(
    row(q, h * count + query, width), row(k, h * count + j, width)) / Math.sqrt(width)));
  const weights = scores.map(softmax);
  const mean = rows => range(count).map(j => sum(rows.map(r => r[j])) / rows.length);
  const result = used.flatMap((h, n) => range(width).map(
    c => sum(weights[n].map((a, j) => a * v[(h * count + j) * width + c]))));
  return {scores: mean(scores), weights: mean(weights), result};
};
formulas['08_self_attention-patch_look'] = {
  answer(state, data) {
    const {weights} = patchLook(state, data);
    const [i, j] = [Math.floor((state.query - 1) / 6), (state.query - 1) % 6];
    const box = [8 * j - 0.5, 8 * i - 0.5, 8 * j + 7.5, 8 * i + 7.5];
    return {
      'a0.patch0': state.query ? {box} : null,
      'a1.image1': {values: range(36).map(() => 1), shape: [6, 6], range: [0, 1.3],
        map: 'Reds', alpha: weights.slice(1).map(a => Math.min(a / 0.4, 1))},
    };
  },
  point: (place, x, y) => ({query: 1 + 6 * whole((y - 3.5) / 8, 5) + whole((x - 3.5) / 8, 5)}),
  // Those that it looks at most; 0 is the class token.
  table(state, data) {
    const {scores, weights, result} = patchLook(state, data);
    const first = range(37).sort((a, b) => weights[b] - weights[a]).slice(0, 6);
    return [
      ['на кого', ...first.map(j => j ? `патч ${j}` : 'класс')],
      ['оценка s = q·k/√d', ...first.map(j => russian(scores[j]))],
      ['вес a = softmax(s)', ...first.map(j => russian(weights[j]))],
      [`результат Σ a·v, длина ${russian(Math.sqrt(dot(result, result)))}`],
    ];
  },
};

// --- 09: whom a query sees: the segments of an axis that windows cut, or k neighbours ---
const windowOf = (M, shift) => i => {
  const of = n => Math.floor((n - shift + M) / M);
  return range(12).filter(n => of(n) === of(i));
};
const neighboursOf = k => i => range(k).map(
  n => Math.min(Math.max(i - (k >> 1), 0), 12 - k) + n);
formulas['09_swin-draw_four'] = {
  answer({row: i, column: j, M, shift, two_layers: two}) {
    const [plain, moved, near] = [windowOf(M, 0), windowOf(M, shift % M), neighboursOf(M | 1)];
    const layers = {SA: [() => range(12)], 'W-SA': [plain, plain], 'SW-SA': [moved, plain],
      NA: [near, near]};
    const parts = {};
    Object.entries(layers).forEach(([name, seen], a) => {
      // Rows and columns are seen apart from each other.
      const [rows, columns] = [i, j].map(from => new Set(
        seen.slice(0, 1 + two).reduce((all, see) => all.flatMap(see), [from])));
      const values = range(144).map(
        n => Number(rows.has(Math.floor(n / 12)) && columns.has(n % 12)));
      parts[`a${a}.image0`] = {values, shape: [12, 12], range: [0, 1.6], map: 'Blues'};
      parts[`a${a}.line0`] = {x: [j], y: [i]};
      parts[`a${a}.title`] = {text: `${name}: ${sum(values)}`};
    });
    return parts;
  },
  point: (place, x, y) => ({row: y, column: x}),
};

// --- 10: positional encoding ---
const encoding = (position, d, base) => range(d).map(k => {
  const angle = position * Math.exp((k - k % 2) * -Math.log(base) / d);
  return k % 2 ? Math.cos(angle) : Math.sin(angle);
});
formulas['10_positional_encoding-draw_encoding'] = {
  answer({d, base, position}) {
    const rows = range(100).map(p => encoding(p, d, base));
    const thousands = String(base).replace(/\B(?=(\d{3})+$)/g, '_');
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
  point: (place, x, y) => place ? {} : {row: y, column: x},
};

// --- 11: convolutions. (C, S, S) maps -> (F, S, S), kernels 5×5, zeros around ---
const conv = (x, side, weight, bias, filters = range(weight.shape[0])) => {
  const channels = weight.shape[1], wide = side + 4;
  const padded = new Float64Array(channels * wide * wide);
  for (let i = 0; i < channels * side; i++) {
    padded.set(x.subarray(i * side, (i + 1) * side),
      (Math.floor(i / side) * wide + i % side + 2) * wide + 2);
  }
  const out = new Float64Array(filters.length * side * side);
  filters.forEach((f, n) => {
    const map = out.subarray(n * side * side, (n + 1) * side * side).fill(bias[f]);
    for (let k = 0; k < 25 * channels; k++) {
      const w = weight[f * channels * 25 + k];
      const from = (Math.floor(k / 25) * wide + Math.floor(k % 25 / 5)) * wide + k % 5;
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) map[i * side + j] += w * padded[from + i * wide + j];
      }
    }
  });
  return out;
};
const relu = x => x.map(value => Math.max(value, 0));
const pool = (x, side) => Float64Array.from({length: x.length / 4}, (_, n) => {
  const half = side / 2, at = 2 * Math.floor(n / half) * side + 2 * (n % half);
  return Math.max(x[at], x[at + 1], x[at + side], x[at + side + 1]);
});
const firstLayer = (x, data) =>
  relu(conv(x, 28, data['conv2d_1 weight'], data['conv2d_1 bias']));
const image = (values, side, map) =>
  ({values, shape: [side, side], range: [least(values), most(values)], map});
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
    parts[`a${place}.text${k}`] = {text: fixed(value, 2), x: k % 5 + 0.5,
      y: Math.floor(k / 5) + 0.5, fill: light > 0.408 ? '#262626' : '#ffffff'};
  });
};
let known = {};  // what the second layer sees of a digit
formulas['11_mnist_activations-draw_pixel'] = {
  answer(state, data, picture) {
    const {number, layer} = state, second = layer === 'conv2d_2';
    const digit = Float64Array.from(row(data.digits, number, 784), v => v / 255);
    if (second && known.number !== number) {
      known = {number, x: pool(firstLayer(digit, data), 28)};
    }
    const [x, side] = second ? [known.x, 14] : [digit, 28];
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
    const s = 28 / side, box = [j * s, i * s, (j + 1) * s, (i + 1) * s].map(v => v - 0.5);
    const total = sum(sums), z = total + bias;
    const parts = {
      'a0.image0': image(digit, 28, 'gray_r'),
      'a0.title': {text: `цифра ${data.labels[number]}`},
      'a0.patch0': {box},
      'a1.image0': image(
        relu(conv(x, side, weight, data[`${layer} bias`], [f])), side, 'cividis'),
      'a1.title': {text: `${layer}, канал ${f}`},
      'a1.patch0': {box},
      title: {text: (`сумма ${fixed(total, 3)}, смещение ${fixed(bias, 3)}: z = ${fixed(z, 3)}`
        + `, после ReLU ${fixed(Math.max(z, 0), 3)}`).replaceAll('-', '−')},
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
  point: (place, x, y) => place > 1 ? {} : {row: y, column: x},
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
  const tops = range(maps.length / size).map(c => most(row(maps, c, size)));
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
    const second = relu(
      conv(pool(first, 28), 14, data['conv2d_2 weight'], data['conv2d_2 bias']));
    const flat = pool(second, 14);
    const layer = (name, n, from) => dot(line(data[`${name} weight`], n), from)
      * (data[`${name} step`]?.[n] ?? 1) + data[`${name} bias`][n];
    const hidden = relu(range(data['dense_1 bias'].length).map(n => layer('dense_1', n, flat)));
    const answer = softmax(range(10).map(n => layer('dense_2', n, hidden)));
    const best = answer.indexOf(most(answer)), scale = {range: [0, 1], map: 'gray_r'};
    const parts = {
      'a0.image0': {values: digit.map(v => v / 255), shape: [side, side], ...scale},
      'a0.title': {text: digit.some(Boolean) ? 'рисунок' : 'лист пуст'},
      'a1.image0': {values: x, shape: [28, 28], ...scale},
      'a2.title': {text: `ответ: ${best} (${fixed(100 * answer[best], 0)} %)`},
    };
    answer.forEach((p, n) => {
      const fill = n === best ? '#d55e00' : '#0173b2';
      parts[`a2.patch${n}`] = {box: [0, n - 0.4, p, n + 0.4], fill};
    });
    brightest(3, first, 28, parts);
    brightest(4, second, 14, parts);
    return parts;
  },
};

// --- 12: patches that are alike; of pairs (a, b) only those with a <= b are stored ---
formulas['12_real_transformer-alike'] = {
  answer({photo, row: i, column: j}, data) {
    const query = 24 * (i - 1) + j - 1;
    const at = (a, b) => a * 576 - a * (a - 1) / 2 + b - a;
    const cross = {x: [j], y: [i]};
    return {
      'a0.line0': cross, 'a0.line1': cross,
      'a1.image0': {shape: [24, 24], range: [0, 1], map: 'magma', values: range(576).map(
        k => data[photo][at(Math.min(k, query), Math.max(k, query))] / 255)},
    };
  },
  point: (place, x, y) => place > 1 ? {} : {row: y, column: x},
};
