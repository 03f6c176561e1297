// The few figures that are looked at first, and what a screen reader is told by itself.

import { by, keyed, make, show, text } from './dom.js';
import { count, date, duration, percent, plural, range, rough, roughly, size, NOTHING } from './format.js';
import { standing } from './steering.js';

const RSS_MAX = 5;
const CEILING = 7;
const SPOKEN_EVERY = 60000;

let spokenAt = 0;
let spokenState = '';

function tiles(known) {
  const { run, progress, speed, curves, ending } = known;
  const workers = known.workers || [];
  const last = curves.recent.rows.at(-1) || curves.whole.rows.at(-1);
  const list = [{ key: 'done', label: 'Done', ...done(known) }];
  if (run.live) {
    list.push({ key: 'left', label: 'Left', ...left(run, progress) });
    list.push({ key: 'rate', label: 'Documents/s', value: rough(speed && speed.documents), more: speed ? `${rough(speed.bytes / 1e6)} MB/s, of late` : '' });
    list.push({ key: 'memory', label: 'Memory', ...memory(last) });
    const masking = workers.filter((one) => one.state === 'masking').length;
    list.push({ key: 'workers', label: 'Workers', value: count(workers.filter((one) => one.state !== 'silent').length), more: `${count(masking)} masking` });
  } else if (ending) {
    list.push({ key: 'took', label: 'Masking took', value: duration(ending.seconds), more: ending.finished ? `ended ${date(Date.parse(ending.finished))}` : '' });
    list.push({ key: 'rate', label: 'Documents/s', value: rough(ending.documents_per_second), more: 'on the whole' });
  }
  list.push({ key: 'quarantine', label: 'Quarantine', value: count(progress.quarantined), more: 'documents left out', bad: progress.quarantined > 0 });
  return list;
}

export function share(progress) {
  return progress.total ? Math.min(progress.read / progress.total, 1) : 0;
}

function done({ progress, collections }) {
  const finished = collections.every((one) => one.done);
  const unknown = progress.unknown ? `; ${plural(progress.unknown, 'collection')} more` : '';
  if (!progress.total && !finished) return { value: NOTHING, more: `${count(progress.read)} documents` };
  const value = finished ? '100 %' : percent(Math.min(share(progress), 0.999));
  return { value, more: `${count(progress.read)} of ${finished ? '' : 'about '}${count(progress.total)}${unknown}` };
}

function left(run, progress) {
  if (run.holding.length) return { value: NOTHING, more: 'standing still' };
  if (!progress.forecast) return { value: NOTHING, more: progress.total && progress.read >= progress.total ? 'checking' : 'not known yet' };
  return { value: roughly(progress.forecast.seconds), more: range(progress.forecast) };
}

function memory(row) {
  if (!row || row[RSS_MAX] == null) return { value: NOTHING, more: 'largest worker' };
  const ceiling = row[CEILING];
  return {
    value: size(row[RSS_MAX]),
    more: ceiling ? `of ${size(ceiling)}, largest worker` : 'largest worker',
    share: ceiling ? row[RSS_MAX] / ceiling : null,
    bad: Boolean(ceiling) && row[RSS_MAX] > 0.95 * ceiling,
  };
}

export function showGlance(known) {
  keyed(
    by('tiles'), tiles(known), (one) => one.key,
    (one) => make('div', {}, make('dt', { textContent: one.label }), make('dd', { className: 'value' }),
      make('dd', { className: 'more quiet' }), make('meter', { min: 0, max: 1, high: 0.9, hidden: true, ariaHidden: 'true' })),
    (tile, one) => {
      text(tile.children[1], one.value);
      text(tile.children[2], one.more);
      tile.classList.toggle('bad', Boolean(one.bad));
      show(tile.children[3], one.share != null);
      if (one.share != null) tile.children[3].value = one.share;
    },
  );
}

/** Once a minute, and whenever the state changes; more would talk without end. */
export function speak(known) {
  const state = `${known.run.id} ${standing(known.run)}`;
  if (state === spokenState && Date.now() - spokenAt < SPOKEN_EVERY) return;
  spokenState = state;
  spokenAt = Date.now();
  const about = done(known);
  const more = left(known.run, known.progress);
  const yet = known.run.live && more.value !== NOTHING ? `, ${more.value} left, ${more.more}` : '';
  const why = known.run.holding.length ? `: ${known.run.holding.join(', ')}` : '';
  text(by('spoken'), `Run ${standing(known.run)}${why}. ${about.value} done${yet}.`);
}
