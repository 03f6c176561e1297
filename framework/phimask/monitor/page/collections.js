// Each collection: how far it is, and its partitions as a strip.

import { by, data, keyed, make, show, text } from './dom.js';
import { count, percent, plural } from './format.js';
import { drawStrip, markAt } from './strip.js';

const STEPS = {
  filling: 'its shadow is being filled', closing: 'it refuses writes until its shadow is swapped in',
  swapping: 'its shadow is being swapped in', swapped: 'its shadow has its name',
  taking_back: 'the original gets its name back', given_up: 'its shadow was given up',
};

const drawn = new Map();

function create() {
  const strip = make('canvas', { className: 'strip', role: 'img' });
  const item = make('article', { className: 'collection' },
    make('div', { className: 'collection-head' }, make('h3'), make('span', { className: 'share' })),
    make('progress', { max: 1 }), make('p', { className: 'quiet counts' }),
    strip, make('p', { className: 'quiet under' }, make('span'), make('span', { className: 'pointed', ariaHidden: 'true' })));
  strip.addEventListener('mousemove', (event) => {
    const box = strip.getBoundingClientRect();
    text(item.querySelector('.pointed'), markAt(drawn.get(strip) || '', (event.clientX - box.left) / box.width));
  });
  strip.addEventListener('mouseleave', () => text(item.querySelector('.pointed'), ''));
  new ResizeObserver(() => drawStrip(strip, drawn.get(strip) || '')).observe(strip);
  return item;
}

function words(one) {
  const { documents, target, shadow } = one;
  const parts = [`${count(documents.masked)} masked`, `${count(documents.unchanged)} unchanged`];
  if (documents.quarantined) parts.push(`${count(documents.quarantined)} in quarantine`);
  if (documents.missing) parts.push(`${count(documents.missing)} deleted meanwhile`);
  if (target) parts.push(`into ${target}`);
  if (shadow) parts.push(STEPS[shadow]);
  if (one.checking) parts.push(`checking ${count(one.checking.checked)} of ${count(one.checking.documents)}`);
  return parts.join(' · ');
}

function partitionWords({ partitions }) {
  const known = partitions.open + partitions.leased + partitions.done;
  const total = `${plural(known, 'partition')}${partitions.all_known ? '' : ' so far'}`;
  return `${total}: ${count(partitions.done)} done, ${count(partitions.leased)} leased, ${count(partitions.open)} open`;
}

function update(item, one, marks) {
  const [head, bar, counts, strip, under] = item.children;
  text(head.children[0], one.namespace);
  const share = one.done ? 1 : one.total ? Math.min(one.documents.read / one.total, 0.999) : null;
  const of = one.total == null ? 'documents, of how many is not known yet' : `of ${one.done ? '' : 'about '}${count(one.total)} documents`;
  text(head.children[1], `${share == null ? '' : `${one.done ? '100 %' : percent(share)} · `}${count(one.documents.read)} ${of}`);
  bar.setAttribute('aria-label', `${one.namespace}, done`);
  if (share != null) bar.value = share;
  else if (one.partitions.leased) bar.removeAttribute('value');
  else bar.value = 0;
  data(bar, 'done', String(one.done));
  const begun = one.partitions.all_known || one.documents.read > 0 || one.partitions.open + one.partitions.leased > 0;
  text(counts, begun ? words(one) : `not begun yet${one.target ? `, into ${one.target}` : ''}`);
  const said = begun ? partitionWords(one) : '';
  text(under.children[0], said);
  strip.setAttribute('aria-label', said);
  show(strip, marks.length > 0);
  if (drawn.get(strip) !== marks) {
    drawn.set(strip, marks);
    drawStrip(strip, marks);
  }
}

export function showCollections(known) {
  keyed(by('collections'), known.collections, (one) => one.namespace, create,
    (item, one) => update(item, one, known.strips[one.namespace] || ''));
}

window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const [strip, marks] of drawn) drawStrip(strip, marks);
});
