// The page: which run it shows, and each part of it told of what concerns it.

import { by, banner, data, keyed, make, show, text } from './dom.js';
import { date, time } from './format.js';
import { Steering } from './steering.js';
import { showGlance, speak } from './glance.js';
import { showCollections } from './collections.js';
import { Plots } from './plots.js';
import { showChecks, showNotes, showWorkers } from './tables.js';
import { Stream } from './stream.js';

const plots = new Plots();
const steering = new Steering();
let stream;
let wanted = '';
let latest = {};
let link = 'waiting';

const LINKS = { live: 'live', lost: 'the monitor does not answer', refused: 'signed out', waiting: 'connecting' };

function follow(run) {
  wanted = run;
  if (stream) stream.close();
  by('run').setAttribute('aria-busy', 'true');
  stream = new Stream(run, update, setLink);
}

function setLink(state) {
  if (state === link) return;
  link = state;
  showLink();
}

function showLink() {
  const lost = latest.ledger && latest.ledger.lost;
  data(by('link'), 'state', link === 'live' && lost ? 'lost' : link);
  text(by('link-text'), link === 'live' && lost ? 'the ledger does not answer' : LINKS[link]);
  let message = '';
  if (link === 'refused') message = 'This monitor was begun anew and has another token. Open the address that it printed.';
  else if (link === 'lost') message = 'The monitor does not answer; the run may well go on. This page tries again by itself.';
  else if (lost) message = `The ledger has not answered since ${time(lost)} (${latest.ledger.because}). What is shown is from before; the page goes on by itself.`;
  banner(by('lost'), message);
  document.body.classList.toggle('stale', Boolean(message));
  steering.enable(!message);
}

/** `changed`: the sections that did, null for all. */
function update(known, changed) {
  const began = performance.now();
  latest = known;
  const on = (...names) => !changed || names.some((name) => changed.has(name));
  showLink();
  if (on('from')) text(by('from'), known.from || '');
  if (on('runs', 'run')) showRuns(known);
  const run = known.run;
  if (run !== undefined) {
    by('run').setAttribute('aria-busy', 'false');
    show(by('shown'), Boolean(run));
    show(by('empty'), !run);
    if (!run) text(by('empty'), wanted ? 'The ledger knows no such run.' : 'No run yet. One that begins is shown here by itself.');
  }
  if (run) {
    if (on('run', 'orders', 'ending')) steering.show(run, known.ending, known.orders);
    if (on('run', 'progress', 'speed', 'curves', 'workers')) showGlance(known);
    if (on('run', 'collections', 'strips', 'progress')) showCollections(known);
    if (on('curves')) plots.show(known.curves);
    showWorkers(known);
    if (on('notes', 'ending')) showNotes(known);
    if (on('checks', 'collections')) showChecks(known);
    speak(known);
  }
  performance.measure('phimask-update', { start: began });
}

function showRuns(known) {
  const runs = known.runs || [];
  show(by('no-runs'), !runs.length);
  const current = known.run ? known.run.id : '';
  keyed(
    by('runs'), runs, (one) => one.id,
    (one) => make('li', {}, make('a', { href: `/?run=${encodeURIComponent(one.id)}` },
      make('span', { className: 'id' }), make('span', { className: 'badge' }),
      make('span', { className: 'quiet' }), make('span', { className: 'quiet what' }))),
    (item, one) => {
      const anchor = item.firstChild;
      const [id, badge, begun, what] = anchor.children;
      text(badge, one.state.replaceAll('_', ' '));
      data(badge, 'state', one.state);
      text(id, one.id);
      text(begun, date(one.created));
      text(what, `${one.namespaces.join(', ')} · ${one.profile}`);
      if (one.id === current) anchor.setAttribute('aria-current', 'page');
      else anchor.removeAttribute('aria-current');
    },
  );
}

function fromAddress() {
  return new URLSearchParams(location.search).get('run') || '';
}

by('runs').addEventListener('click', (event) => {
  const anchor = event.target.closest('a');
  if (!anchor || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, '', anchor.href);
  follow(fromAddress());
});
window.addEventListener('popstate', () => follow(fromAddress()));
window.addEventListener('pagehide', () => stream.close());
window.addEventListener('pageshow', (event) => { if (event.persisted) follow(fromAddress()); });
setInterval(() => { if (latest.run) showWorkers(latest); }, 1000);

follow(fromAddress());
