// Finds sections (sections.js) by BM25 over Snowball stems, as one types. A word of the
// title counts most; a section that has all the words comes before one that has not, and
// one that explains before one that only sums up. A section has the other names of the
// glossary's terms, too; a word stands for those of the same root and those that mean nearly
// the same (words.txt), and if no section has it, for those that sound alike. Neighbours
// count together, too; words that only ask (ASKED in tools/site.py) count little. A section
// has the questions that readers may ask about it (asked.txt); one that is like the query counts
// most.
(() => {
  const WEIGHTS = {title: 12, above: 2, told: 2, asked: 1, text: 1, code: 0.3};
  const NAMES = {about: 12, mentioned: 0.7};  // of terms
  const BELOW = 0.2;  // what subsections add to their section
  const SUMMARY = /^(Содержание|Итоги|Вопросы|Упражнения|Ещё два вопроса|Ссылки|Словарь|Карта утверждений|Разминка)/;
  const PAIR = 0.15;  // neighbours beside the words themselves
  const LIKE = 2;  // a question of readers that is the query itself
  const EXERCISE = 0.65;  // asks for what a section explains
  const SHOWN = 20, BESIDE = 3;  // sections, and places in one of them
  const russian = new RussianStemmer(), english = new EnglishStemmer();
  const known = new Map();
  const NUMBERS = {один: 1, два: 2, три: 3, пять: 5, семь: 7};
  const normal = text => text.normalize('NFD').replace(/[\u0300-\u0305\u0307-\u036f]/g, '')  // é, ё; й stays
    .normalize('NFC').toLowerCase().replaceAll('√', ' корень ').replace(/(\d)[×хx](?=\d)/g, '$1x')
    .replace(/([a-z])_\{?(\d)/g, '$1$2')  // P_2
    .replace(/(\S+) на \1(?!\S)/g, (said, side) => {  // три на три, 3 на 3
      const count = NUMBERS[side] ?? side;
      return /^\d+$/.test(count) ? `${count}x${count}` : said;
    });
  const stem = word => {
    if (!known.has(word)) known.set(word, (/[a-z]/.test(word) ? english : russian).stemWord(word));
    return known.get(word);
  };
  // Of U-Net: u, net, unet; of Hugging Face: hugging, face, huggingface.
  const split = text => (normal(text).match(/[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*/gu) ?? []).flatMap(word => (
    word.includes('-') ? [...word.split('-'), word.replaceAll('-', '')] : [word]));
  const joined = text => [...text.matchAll(/[A-Z][a-z]+(?= ([A-Z][a-z]+))/g)].map(([word, next]) => (
    stem((word + next).toLowerCase())));
  const stems = text => split(text).map(stem);
  const common = new Set(STOPWORDS.map(stem));
  // Neighbours among the words that say something: self attention.
  const pairs = words => {
    const said = words.filter(word => !common.has(word));
    return said.slice(1).map((word, k) => `${said[k]} ${word}`);
  };

  const names = TERMS.map(term => term.map(stems));
  const sections = SECTIONS.map(section => ({...section, count: new Map(), length: 0}));
  const add = (section, word, weight) => {
    section.count.set(word, (section.count.get(word) ?? 0) + weight);
  };
  const read = (section, words, weight) => {
    for (const word of [...words, ...pairs(words)]) add(section, word, weight);
  };
  for (const section of sections) {
    for (const [part, weight] of Object.entries(WEIGHTS)) {
      const words = stems([section[part]].flat().join(' '));
      read(section, words, weight);
      if (weight < 2) section.length += weight * words.length;
    }
    read(section, joined(section.title), WEIGHTS.title);
    for (const [part, weight] of Object.entries(NAMES)) {
      for (const name of section[part].flatMap(term => names[term])) read(section, name, weight);
    }
  }
  const spread = new Map();  // stem or pair -> in how many sections
  for (const word of sections.flatMap(section => [...section.count.keys()])) {
    spread.set(word, (spread.get(word) ?? 0) + 1);
  }
  let whole;  // the section that contains the ones below it
  for (const section of sections) {
    if (section.level < 3) whole = section;
    else section.count.forEach((count, word) => add(whole, word, count * BELOW));
    section.whole = section.id.startsWith('exercise') ? section : whole;
  }
  const words = [...spread.keys()].filter(word => !word.includes(' ')).sort();
  const usual = sections.reduce((sum, section) => sum + section.length, 0) / sections.length;

  // What was meant where the keyboard had the other alphabet: cdthnrf, свёртка.
  const KEYS = [...'qwertyuiop[]asdfghjkl;\'zxcvbnm,.`'], TYPED = [...'йцукенгшщзхъфывапролджэячсмитьбюё'];
  const layouts = text => [[KEYS, TYPED], [TYPED, KEYS]].map(([from, to]) => (
    [...text.toLowerCase()].map(letter => to[from.indexOf(letter)] ?? letter).join('')));
  const understood = text => split(text).filter(word => spread.has(stem(word))).length;
  const retyped = text => understood(text) ? text : layouts(text).find(understood) ?? text;

  // How a word sounds: гуглнет and GoogLeNet are almost the same.
  const LETTERS = Object.fromEntries([...'абвгдежзийклмнопрстуфхцчшщъыьэюя'].map((letter, k) => (
    [letter, 'a b v g d e j z i i k l m n o p r s t u f h ts ch sh sh  i  e u a'.split(' ')[k]])));
  const sound = word => [...word.replaceAll('ай', 'и')].map(letter => LETTERS[letter] ?? letter).join('')
    .replace(/[ts]ion/g, 'shen').replaceAll('oo', 'u').replaceAll('ee', 'i').replaceAll('ph', 'f')
    .replaceAll('x', 'ks').replaceAll('w', 'v').replaceAll('y', 'i').replace(/c(?=[ei])/g, 's')
    .replace(/c(?!h)/g, 'k').replace(/(.)\1/g, '$1').replace(/(?<=...)e$/, '');
  const sounds = [...known].filter(([word]) => word.length > 3).map(([word, stem]) => [stem, sound(word)]);
  const distance = (a, b) => {  // of Levenshtein
    let row = [...Array(b.length + 1).keys()];
    for (let i = 0; i < a.length; i++) {
      const next = [i + 1];
      for (let j = 0; j < b.length; j++) {
        next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (a[i] !== b[j])));
      }
      row = next;
    }
    return row.at(-1);
  };
  const alike = word => {
    const own = sound(word), most = own.length > 7 ? 2 : own.length > 3 ? 1 : 0;
    const near = sounds.filter(([, its]) => Math.abs(its.length - own.length) <= most)
      .map(([other, its]) => [other, distance(own, its)]);
    const least = Math.min(most, ...near.map(([, far]) => far));
    const found = near.filter(([, far]) => far === least).map(([other]) => [other, 0.8]);
    if (found.length) return found;
    for (let length = word.length - 1; length > 4; length--) {  // стереозрение, стереопара
      const others = words.filter(other => other.startsWith(word.slice(0, length)));
      if (others.length) return others.map(other => [other, 0.5]);
    }
    return [];
  };

  // Without what derives a word from another: маскированное, маска.
  const DERIVED = /[аеияоыу]?(?:из)?(?:ир)?(?:ова|ов|ац|ич|т)?(?:ельн|ени|ани|ен|ан|нн|ост|к|н|ь)?$/;
  const kernel = word => {
    const bare = word.replace(DERIVED, '');
    return bare.length > 3 ? bare : word;
  };
  const kernels = new Map(words.map(word => [word, kernel(word)]));
  const kin = new Map();  // stem -> those that mean nearly the same
  for (const group of WORDS.map(words => words.flatMap(stems))) {
    const had = group.filter(word => spread.has(word));
    for (const word of new Set(group.map(kernel))) kin.set(word, [...kin.get(word) ?? [], ...had]);
  }
  // Stems that a word of the query stands for, and how much they count: its own, those of
  // the same root (затухание, затухающий), what an unfinished last word may become, those
  // that mean nearly the same, and those that sound alike if there are no others.
  const root = word => word.slice(0, Math.max(5, word.length - 3));
  const meant = query => {
    const said = split(query), asked = new Map(said.map(word => [stem(word), word]));
    said.slice(1).forEach((word, k) => {  // гугл нет
      const before = said[k], whole = before + word;
      if (spread.has(stem(whole)) || !spread.has(stem(before)) && !kin.has(kernel(stem(before)))) asked.set(stem(whole), whole);
    });
    const unfinished = /[\p{L}\p{N}]{3}$/u.test(query) ? [...asked.keys()].at(-1) : null;
    return [...asked].map(([word, written]) => {
      const others = words.filter(other => kernels.get(other) === kernel(word) || (word === unfinished && other.startsWith(word))
        || (word.length > 4 && other.startsWith(root(word)) && other.length < word.length + 4)
      ).map(other => [other, 0.5]);
      const same = (kin.get(kernel(word)) ?? []).map(other => [other, spread.has(word) ? 0.4 : 0.8]);
      const found = same.length || others.length || spread.has(word) ? others
        : alike(written).concat(alike(word));
      return {word, forms: new Map([...same, ...found, [word, 1]])};
    });
  };
  // The section that introduces a term comes before those that use it: as much before as
  // the term is of the query.
  const named = query => {
    const said = ` ${stems(query).join(' ')} `, all = stems(query).length;
    return names.map(term => Math.max(0, ...term.map(name => (
      said.includes(` ${name.join(' ')} `) ? name.length / all : 0))));
  };
  const inTitles = new Set(sections.flatMap(section => stems(section.title)));
  const rare = word => Math.log(1 + (sections.length + 0.5) / ((spread.get(word) ?? 0) + 0.5));
  const rarely = word => (common.has(word) ? 0.3 : 1) * rare(word);
  for (const section of sections) {
    section.questions = section.asked.map(question => {
      const words = new Set(stems(question));
      return {words, worth: [...words].reduce((sum, word) => sum + rarely(word), 0)};
    });
  }
  // The cosine between a query and a question of readers.
  const likeness = (asked, all, {words, worth}) => {
    let shared = 0;
    for (const {forms, worth} of asked) {
      let most = 0;
      for (const [word, share] of forms) if (share > most && words.has(word)) most = share;
      shared += worth * most;
    }
    return shared && shared / Math.sqrt(all * worth);
  };
  const filled = (section, count) => (
    count * 3.2 / (count + 2.2 * (0.25 + 0.75 * section.length / usual)));
  const find = (query, meaning) => {
    const asked = meaning.map(({word, forms}) => {
      const known = [...forms.keys()].filter(form => spread.has(form));
      // What stands in a title counts more than an everyday word.
      const name = known.some(form => inTitles.has(form)) ? 1.5 : 1;
      const own = known.filter(form => forms.get(form) >= 0.5);
      const worth = known.length && name * Math.min(...(own.length ? own : known).map(rare));
      return {forms, worth: common.has(word) ? 0.3 * worth : worth};
    });
    const together = pairs(stems(query)).filter(pair => spread.has(pair));
    const terms = named(query);
    const all = asked.reduce((sum, {worth}) => sum + worth, 0);
    return sections.map(section => {
      let score = 0, had = 0;
      for (const {forms, worth} of asked) {
        let count = 0, sure = 0;
        for (const [word, share] of forms) {
          if (!section.count.has(word)) continue;
          count += share * section.count.get(word);
          sure = Math.max(sure, share);
        }
        score += worth * filled(section, count);
        had += worth * sure;
      }
      for (const pair of together) {
        score += PAIR * rare(pair) * filled(section, section.count.get(pair) ?? 0);
      }
      const kind = SUMMARY.test(section.title) ? 0.15 : section.level === 1 ? 0.4
        : section.id.startsWith('exercise') ? EXERCISE : 1;
      const first = 1 + Math.max(0, ...section.introduced.map(term => terms[term]));
      const like = Math.max(0, ...section.questions.map(question => likeness(asked, all, question)));
      return {section, score: kind * first * score * had / all * (1 + LIKE * like ** 2)};
    }).filter(({score}) => score > 0).sort((a, b) => b.score - a.score);
  };
  const bySection = hits => {
    const found = new Map();
    for (const {section} of hits) found.set(section.whole, [...found.get(section.whole) ?? [], section]);
    return [...found].slice(0, SHOWN);
  };

  // About 200 characters around the first word that was asked for, which is marked.
  const excerpt = (section, wanted) => {
    const text = section.text.join(' ');
    const words = [...text.matchAll(/[\p{L}\p{N}]+/gu)];
    const asked = words.filter(word => wanted.has(stem(normal(word[0]))));
    const start = text.lastIndexOf(' ', Math.max(0, (asked[0]?.index ?? 0) - 60)) + 1;
    const line = document.createElement('p');
    let at = start;
    for (const word of asked.filter(word => word.index < start + 200)) {
      const mark = document.createElement('mark');
      mark.textContent = word[0];
      line.append(text.slice(at, word.index), mark);
      at = word.index + word[0].length;
    }
    line.append(text.slice(at, Math.max(at, start + 200)), start + 200 < text.length ? '…' : '');
    return line;
  };

  const link = section => {
    const made = document.createElement('a');
    made.href = `${section.page}.html#${section.id}`;
    made.textContent = section.title;
    return made;
  };
  const article = document.getElementById('search');
  const input = article.querySelector('input');
  const show = () => {
    const query = retyped(input.value.trim()), meaning = meant(query), hits = find(query, meaning);
    const wanted = new Set(meaning.flatMap(({forms}) => [...forms.keys()]));
    article.querySelector('#search-count').textContent =
      query && (hits.length ? `Мест: ${hits.length}` : 'Ничего не найдено: попробуйте другое слово.');
    article.querySelector('#search-results').replaceChildren(...bySection(hits).map(([section, places]) => {
      const item = document.createElement('li'), above = document.createElement('span');
      const inside = document.createElement('ul');
      above.textContent = section.above === section.title ? '' : section.above;
      inside.append(...places.filter(place => place !== section).slice(0, BESIDE).map(place => {
        const one = document.createElement('li');
        one.append(link(place));
        return one;
      }));
      item.append(link(section), above, excerpt(places[0], wanted), ...inside.children.length ? [inside] : []);
      return item;
    }));
  };
  input.value = new URLSearchParams(location.search).get('q') ?? '';
  input.addEventListener('input', show);
  article.querySelector('form').addEventListener('submit', event => {
    event.preventDefault();
    history.replaceState(null, '', `?q=${encodeURIComponent(input.value)}`);
  });
  input.focus();
  show();
})();
