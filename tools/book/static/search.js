// Finds sections (sections.js) by BM25 over Snowball stems, as one types. A word of the
// title counts most; a section that has all the words comes before one that has not, and
// one that explains before one that only sums up. A section has the other names of the
// glossary's terms, too; a word stands for those that mean nearly the same (words.txt), and
// if no section has it, for those that sound alike.
(() => {
  const WEIGHTS = {title: 12, above: 2, told: 2, text: 1, code: 0.3};
  const NAMES = {about: 12, mentioned: 0.7};  // of terms
  const BELOW = 0.2;  // what subsections add to their section
  const SUMMARY = /^(Содержание|Итоги|Вопросы|Упражнения|Ещё два вопроса|Ссылки|Словарь|Карта утверждений|Разминка)/;
  const SHOWN = 20, BESIDE = 3;  // sections, and places in one of them
  const russian = new RussianStemmer(), english = new EnglishStemmer();
  const known = new Map();
  const NUMBERS = {один: 1, два: 2, три: 3, пять: 5, семь: 7};
  const normal = text => text.toLowerCase().replaceAll('ё', 'е').replace(/(\d)[×хx](?=\d)/g, '$1x')
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

  const names = TERMS.map(term => term.map(stems));
  const sections = SECTIONS.map(section => ({...section, count: new Map(), length: 0}));
  const add = (section, word, weight) => {
    section.count.set(word, (section.count.get(word) ?? 0) + weight);
  };
  for (const section of sections) {
    for (const [part, weight] of Object.entries(WEIGHTS)) {
      for (const word of stems([section[part]].flat().join(' '))) {
        add(section, word, weight);
        section.length += weight < 2 && weight;
      }
    }
    for (const word of joined(section.title)) add(section, word, WEIGHTS.title);
    for (const [part, weight] of Object.entries(NAMES)) {
      for (const word of section[part].flatMap(term => names[term].flat())) add(section, word, weight);
    }
  }
  const spread = new Map();  // stem -> in how many sections
  for (const word of sections.flatMap(section => [...section.count.keys()])) {
    spread.set(word, (spread.get(word) ?? 0) + 1);
  }
  let whole;  // the section that contains the ones below it
  for (const section of sections) {
    if (section.level < 3) whole = section;
    else section.count.forEach((count, word) => add(whole, word, count * BELOW));
    section.whole = section.id.startsWith('exercise') ? section : whole;
  }
  const usual = sections.reduce((sum, section) => sum + section.length, 0) / sections.length;

  // How a word sounds: гуглнет and GoogLeNet are almost the same.
  const LETTERS = Object.fromEntries([...'абвгдежзийклмнопрстуфхцчшщъыьэюя'].map((letter, k) => (
    [letter, 'a b v g d e j z i i k l m n o p r s t u f h ts ch sh sh  i  e u a'.split(' ')[k]])));
  const sound = word => [...word].map(letter => LETTERS[letter] ?? letter).join('')
    .replace(/[ts]ion/g, 'shen').replaceAll('oo', 'u').replaceAll('ee', 'i').replaceAll('ph', 'f')
    .replaceAll('x', 'ks').replaceAll('w', 'v').replaceAll('y', 'i').replace(/c(?=[ei])/g, 's')
    .replace(/c(?!h)/g, 'k').replace(/(.)\1/g, '$1');
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
      const begun = [...spread.keys()].filter(other => other.startsWith(word.slice(0, length)));
      if (begun.length) return begun.map(other => [other, 0.5]);
    }
    return [];
  };

  const kin = new Map();  // stem -> those that mean nearly the same
  for (const group of WORDS.map(words => words.flatMap(stems))) {
    const had = group.filter(word => spread.has(word));
    for (const word of group) kin.set(word, [...kin.get(word) ?? [], ...had]);
  }
  // Stems that a word of the query stands for, and how much they count: its own, those of
  // the same root (затухание, затухающий), what an unfinished last word may become, those
  // that mean nearly the same, and those that sound alike if there are no others.
  const root = word => word.slice(0, Math.max(5, word.length - 3));
  const meant = query => {
    const words = new Map(split(query).map(word => [stem(word), word]));
    const unfinished = /[\p{L}\p{N}]{3}$/u.test(query) ? [...words.keys()].at(-1) : null;
    return [...words].map(([word, written]) => {
      const others = [...spread.keys()].filter(other => (word === unfinished && other.startsWith(word))
        || (word.length > 4 && other.startsWith(root(word)) && other.length < word.length + 4)
      ).map(other => [other, 0.5]);
      const same = (kin.get(word) ?? []).map(other => [other, spread.has(word) ? 0.4 : 0.8]);
      const found = same.length || others.length || spread.has(word) ? others : alike(written);
      return new Map([...same, ...found, [word, 1]]);
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
  const common = new Set(STOPWORDS.map(stem));
  const rare = word => Math.log(1 + (sections.length + 0.5) / ((spread.get(word) ?? 0) + 0.5));
  const find = query => {
    const words = meant(query).map(forms => {
      const known = [...forms.keys()].filter(word => spread.has(word));
      // What stands in a title counts more than an everyday word.
      const name = known.some(word => inTitles.has(word)) ? 1.5 : 1;
      const own = known.filter(word => forms.get(word) >= 0.5);
      const worth = known.length && name * Math.min(...(own.length ? own : known).map(rare));
      return {forms, worth: common.has([...forms.keys()].at(-1)) ? 0.3 * worth : worth};
    });
    const terms = named(query);
    const all = words.reduce((sum, {worth}) => sum + worth, 0);
    return sections.map(section => {
      let score = 0, had = 0;
      for (const {forms, worth} of words) {
        let count = 0, sure = 0;
        for (const [word, share] of forms) {
          if (!section.count.has(word)) continue;
          count += share * section.count.get(word);
          sure = Math.max(sure, share);
        }
        score += worth * count * 3.2 / (count + 2.2 * (0.25 + 0.75 * section.length / usual));
        had += worth * sure;
      }
      const kind = SUMMARY.test(section.title) ? 0.15 : section.level === 1 ? 0.4 : 1;
      const first = 1 + Math.max(0, ...section.introduced.map(term => terms[term]));
      return {section, score: kind * first * score * had / all};
    }).filter(({score}) => score > 0).sort((a, b) => b.score - a.score);
  };
  const bySection = hits => {
    const found = new Map();
    for (const {section} of hits) found.set(section.whole, [...found.get(section.whole) ?? [], section]);
    return [...found].slice(0, SHOWN);
  };

  // About 200 characters around the first word that was asked for, which is marked.
  const excerpt = (section, query) => {
    const text = section.text.join(' '), wanted = new Set(meant(query).flatMap(forms => [...forms.keys()]));
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
    const query = input.value.trim(), hits = query ? find(query) : [];
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
      item.append(link(section), above, excerpt(places[0], query), ...inside.children.length ? [inside] : []);
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
