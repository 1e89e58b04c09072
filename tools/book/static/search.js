// Finds sections (sections.js) by BM25 over Snowball stems, as one types. A word of the
// title counts most; a section that has all the words comes before one that has not, and
// one that explains before one that only sums up.
(() => {
  const WEIGHTS = {title: 8, above: 2, text: 1, code: 0.3};
  const BELOW = 0.2;  // what subsections add to their section
  const SUMMARY = /^(Итоги|Вопросы|Упражнения|Ещё два вопроса|Ссылки|Словарь|Карта утверждений|Разминка)/;
  const SHOWN = 20;
  const stemmer = new RussianStemmer();
  const known = new Map();
  const normal = text => text.toLowerCase().replaceAll('ё', 'е').replace(/(\d)[×хx](?=\d)/g, '$1x');
  const stem = word => known.get(word) ?? (known.set(word, stemmer.stemWord(word)), known.get(word));
  const stems = text => (normal(text).match(/[\p{L}\p{N}]+/gu) ?? []).map(stem);

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
  }
  const spread = new Map();  // stem -> in how many sections
  for (const word of sections.flatMap(section => [...section.count.keys()])) {
    spread.set(word, (spread.get(word) ?? 0) + 1);
  }
  let whole;  // the section that contains the ones below it
  for (const section of sections) {
    if (section.level === 2) whole = section;
    else if (section.level > 2) section.count.forEach((count, word) => add(whole, word, count * BELOW));
  }
  const usual = sections.reduce((sum, section) => sum + section.length, 0) / sections.length;

  // Stems that a word of the query stands for, and how much they count: its own, those of
  // the same root (затухание, затухающий), what an unfinished last word may become, and
  // what the glossary says is the same (батчнорм, BN).
  const root = word => word.slice(0, Math.max(5, word.length - 3));
  const meant = query => {
    const words = [...new Set(stems(query))];
    const unfinished = /[\p{L}\p{N}]{3}$/u.test(query) ? words.at(-1) : null;
    const same = word => SYNONYMS.map(group => group.flatMap(stems)).filter(group => group.includes(word)).flat();
    return words.map(word => new Map([
      ...[...spread.keys()].filter(other => (word === unfinished && other.startsWith(word))
        || (word.length > 4 && other.startsWith(root(word)) && other.length < word.length + 4)
      ).map(other => [other, 0.3]),
      ...same(word).map(other => [other, 0.7]),
      [word, 1],
    ]));
  };
  const common = new Set(STOPWORDS.map(stem));
  const rare = word => Math.log(1 + (sections.length + 0.5) / ((spread.get(word) ?? 0) + 0.5));
  const find = query => {
    const words = meant(query).map(forms => {
      const known = [...forms.keys()].filter(word => spread.has(word));
      const worth = known.length && Math.min(...known.map(rare));
      return {forms, worth: common.has([...forms.keys()].at(-1)) ? 0.3 * worth : worth};
    });
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
        score += worth * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * section.length / usual));
        had += worth * sure;
      }
      const kind = SUMMARY.test(section.title) ? 0.3 : 1;
      return {section, score: kind * score * (had / all) ** 2};
    }).filter(({score}) => score > 0).sort((a, b) => b.score - a.score);
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

  const article = document.getElementById('search');
  const input = article.querySelector('input');
  const show = () => {
    const query = input.value.trim(), hits = query ? find(query) : [];
    article.querySelector('#search-count').textContent =
      query && (hits.length ? `Разделов: ${hits.length}` : 'Ничего не найдено: попробуйте другое слово.');
    article.querySelector('#search-results').replaceChildren(...hits.slice(0, SHOWN).map(({section}) => {
      const item = document.createElement('li'), link = document.createElement('a');
      const above = document.createElement('span');
      link.href = `${section.page}.html#${section.id}`;
      link.textContent = section.title;
      above.textContent = section.above === section.title ? '' : section.above;
      item.append(link, above, excerpt(section, query));
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
