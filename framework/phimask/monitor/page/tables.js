// Workers, notes and checks.

import { by, data, keyed, make, rows, show, text } from './dom.js';
import { count, duration, plural, sharePercent, size, time, NOTHING } from './format.js';

let received = 0;
let sent = 0;

/** Seconds since the ledger's server noted it, by that server's clock. */
function since(known, milliseconds) {
  if (milliseconds == null) return null;
  if (sent !== known.sent) {
    sent = known.sent;
    received = performance.now();
  }
  const now = known.sent + (performance.now() - received) + 1000 * (known.ahead || 0);
  return Math.max((now - milliseconds) / 1000, 0);
}

export function showWorkers(known) {
  const workers = known.workers || [];
  show(by('no-workers'), !workers.length);
  show(by('workers'), workers.length > 0);
  text(by('workers-count'), workers.length ? `(${count(workers.length)})` : '');
  rows(by('workers').tBodies[0], workers, (one) => one.worker, (one) => {
    const age = since(known, one.seen);
    return [
      one.worker,
      [one.state, `worker-${one.state.replace(' ', '-')}`],
      one.partition == null ? NOTHING : `${one.namespace} ${named(one.partition)}`,
      [size(one.rss), 'number'],
      one.pid == null ? NOTHING : `${one.host}, ${one.pid}`,
      [age == null ? NOTHING : age < 60 ? `${Math.floor(age)} s ago` : `${duration(age)} ago`, 'number'],
    ];
  });
}

/** Parts that were split off are numbered from 1,000,000,000 on. */
function named(number) {
  return number > 1e9 ? `split ${count(number - 1e9)}` : `#${number}`;
}

const KINDS = {
  Warned: '', FindingMade: 'finding', BreakerTripped: 'breaker', WorkerEnded: 'worker', Scaled: 'workers', AlertRaised: 'over',
};

export function showNotes(known) {
  let order = 0;
  const notes = known.notes.map((note) => ({ ...note, key: `${note.at} ${note.what} ${note.text}` }));
  const seen = new Set();
  for (const note of notes) {
    while (seen.has(note.key)) note.key += ` ${(order += 1)}`;
    seen.add(note.key);
  }
  show(by('no-notes'), !notes.length);
  show(by('notes'), notes.length > 0);
  keyed(
    by('notes'), notes, (one) => one.key,
    () => make('li', {}, make('time'), make('span', { className: 'badge' }), make('span')),
    (item, one) => {
      // That a run is finished is told as alerts are, and is none to worry about.
      const finished = one.what === 'AlertRaised' && one.text.startsWith('finished: run completed');
      data(item, 'level', finished ? 'information' : one.level);
      text(item.children[0], time(one.at));
      text(item.children[1], finished ? 'finished' : one.level === 'information' ? KINDS[one.what] || 'note' : one.level);
      text(item.children[2], one.text);
    },
  );
}

export function showChecks(known) {
  const several = known.collections.length > 1;
  show(by('no-checks'), !known.checks.length);
  show(by('checks'), known.checks.length > 0);
  rows(
    by('checks').tBodies[0], known.checks, (one) => `${one.namespace} ${one.validator} ${one.phase}`,
    (one) => [
      several ? `${one.validator}, ${one.namespace}` : one.validator,
      { before: 'before', during: 'in batches', after: 'all documents' }[one.phase] || one.phase,
      [one.checked || one.phase !== 'after' ? count(one.checked) : 'counts', 'number'],
      outcome(one),
    ],
  );
}

/** "nothing" is said only where something was judged. */
function outcome({ findings, unjudged = [], sample, ok }) {
  const listed = (several) => several.map(({ count: times, what, path }) => `${plural(times, 'time')} ${what}${path ? ` at ${path}` : ''}`).join('; ');
  const parts = [];
  if (findings.length) parts.push(listed(findings));
  else if (ok) parts.push('nothing');
  if (sample) parts.push(`at most ${sharePercent(sample.share_at_most)} of ${count(sample.of)}, at a confidence of ${sharePercent(sample.confidence)}`);
  if (unjudged.length) parts.push(`not judged: ${listed(unjudged)}`);
  return [parts.join('; ') || 'not judged', findings.length ? 'bad' : ok && !unjudged.length ? 'good' : 'warned'];
}
