// What the pages need beyond the theme: / goes to the search, a picture opens large, the
// map of claims filters, and an address inside something folded opens it.
document.addEventListener('keydown', event => {
  const typing = event.target.closest('input, textarea, select');
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const field = [...document.querySelectorAll('.search-box input')].find(input => input.offsetParent);
  if (field) field.focus();
  else location.href = `${document.documentElement.dataset.content_root}search.html`;
});

const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target?.closest('details:not([open])');
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener('hashchange', unfold);
unfold();
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(e => { e.open = true; }));

document.addEventListener('click', event => {
  const link = event.target.closest('a.enlarge');
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const dialog = document.createElement('dialog');
  const close = document.createElement('button');
  close.textContent = 'Закрыть';
  const image = link.querySelector('img').cloneNode();
  image.removeAttribute('loading');
  const scroll = document.createElement('div');
  scroll.tabIndex = 0;
  scroll.append(image);
  dialog.className = 'enlarged';
  dialog.setAttribute('aria-label', 'Увеличенный рисунок');
  dialog.append(close, scroll);
  dialog.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
});

const table = document.querySelector('.filtered table');
if (table) {
  const rows = [...table.tBodies[0].rows], verdict = row => row.cells[row.cells.length - 1].textContent.trim();
  const bar = document.createElement('div');
  bar.className = 'filter';
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', 'Показать утверждения');
  for (const wanted of ['', ...new Set(rows.map(verdict))]) {
    const button = document.createElement('button'), chosen = rows.filter(row => !wanted || verdict(row) === wanted);
    button.textContent = `${wanted || 'все'} ${chosen.length}`;
    button.setAttribute('aria-pressed', !wanted);
    button.addEventListener('click', () => {
      bar.querySelectorAll('button').forEach(other => other.setAttribute('aria-pressed', other === button));
      rows.forEach(row => { row.hidden = !chosen.includes(row); });
    });
    bar.append(button);
  }
  table.closest('.filtered').before(bar);
}
