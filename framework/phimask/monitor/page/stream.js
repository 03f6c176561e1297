// The stream of what the monitor sees: kept as a whole here, changed by what is sent.

const SILENCE = 25000;

/** Put what was sent into what is known. */
export function merge(known, sent, whole) {
  const next = whole ? {} : known;
  for (const [name, value] of Object.entries(sent)) {
    if (name === 'gone') for (const one of value) delete next[one];
    else if (name === 'strips' && !whole) next.strips = mergeStrips(next.strips || {}, value);
    else if (name === 'curves' && !whole && next.curves) next.curves = mergeCurves(next.curves, value);
    else next[name] = value;
  }
  return next;
}

function mergeStrips(known, sent) {
  const next = { ...known };
  for (const [namespace, change] of Object.entries(sent)) {
    if (typeof change === 'string') {
      next[namespace] = change;
      continue;
    }
    const marks = [...next[namespace]];
    for (const [place, mark] of change) marks[place] = mark;
    next[namespace] = marks.join('');
  }
  return next;
}

function mergeCurves(known, sent) {
  const next = { ...known };
  for (const [name, change] of Object.entries(sent)) {
    if (change.since == null) {
      next[name] = change;
      continue;
    }
    const kept = known[name].rows.filter((row) => row[0] >= change.since && (change.from == null || row[0] < change.from));
    next[name] = { step: change.step, rows: [...kept, ...change.rows] };
  }
  return next;
}

/** Follow a run ('' is the live or latest one). `seen(known, changed)` is called for each message, `link(state)` with
 * live, lost or refused. */
export class Stream {
  constructor(run, seen, link) {
    this.known = {};
    this.source = new EventSource(`/events?run=${encodeURIComponent(run)}`);
    const heard = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => link('lost'), SILENCE);
      link('live');
    };
    const take = (event, whole) => {
      const sent = JSON.parse(event.data);
      this.known = merge(this.known, sent, whole);
      heard();
      seen(this.known, whole ? null : new Set([...Object.keys(sent), ...(sent.gone || [])]));
    };
    this.source.addEventListener('whole', (event) => take(event, true));
    this.source.addEventListener('change', (event) => take(event, false));
    this.source.addEventListener('here', heard);
    this.source.onerror = () => {
      clearTimeout(this.timer);
      link(this.source.readyState === EventSource.CLOSED ? 'refused' : 'lost');
    };
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }
}
