// The run over time: four small plots that share their time, and the same as a table.

import { by, make, text } from './dom.js';
import { duration, rough, shortTime, size, time, NOTHING } from './format.js';

const SPACE = 'http://www.w3.org/2000/svg';
const HEIGHT = 132;
const EDGE = { top: 8, right: 4, bottom: 20, left: 46 };
const [RATE, SIZE, TYPICAL, HELD] = [1, 2, 3, 9];
const ROWS_SHOWN = 40;

// Places in a row, as the monitor sends it.
const PLOTS = [
  { name: 'Documents/s', lines: [{ place: 1, word: '' }], shown: rough, area: true },
  { name: 'MB/s', lines: [{ place: 2, word: '', by: 1e-6 }], shown: rough, area: true },
  { name: 'Memory of a worker', lines: [{ place: 5, word: 'largest' }, { place: 7, word: 'ceiling', kind: 'limit' }], shown: size },
  { name: 'Batch time', lines: [{ place: 3, word: 'typical' }, { place: 4, word: 'longest', kind: 'second' }], shown: duration },
];

function svg(tag, attributes, parent) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
}

/** A round number at or above the value. */
function roof(value) {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * unit).find((step) => step >= value * 0.999);
}

/** Rates over three batches or so, work and standstill apart, since documents come in batches, and shorter times would show nothing else. */
function smoothed({ rows, step }) {
  const batches = rows.map((row) => row[TYPICAL]).filter((seconds) => seconds != null).sort((one, other) => one - other);
  const half = Math.min(Math.ceil((1.5 * (batches[batches.length >> 1] || 0)) / step - 0.5), 8);
  if (half < 1) return rows;
  return rows.map((row, place) => {
    const near = rows.slice(Math.max(place - half, 0), place + half + 1).filter((one) => (one[HELD] > 0.5) === (row[HELD] > 0.5));
    const mean = (at) => {
      const measured = near.map((one) => one[at]).filter((value) => value != null);
      return measured.reduce((sum, value) => sum + value, 0) / measured.length;
    };
    return row.map((value, at) => (value != null && (at === RATE || at === SIZE) ? mean(at) : value));
  });
}

/** Rows without a gap of more than so many seconds: while a run is stopped, nothing is drawn. */
function parted(rows, most) {
  const parts = [];
  rows.forEach((row, place) => {
    if (!place || row[0] - rows[place - 1][0] > most) parts.push([]);
    parts.at(-1).push(row);
  });
  return parts;
}

/** Rows that follow each other and have a value. */
function measured(rows, value) {
  const pieces = [];
  rows.forEach((row, place) => {
    if (value(row) == null) return;
    if (!place || value(rows[place - 1]) == null) pieces.push([]);
    pieces.at(-1).push(row);
  });
  return pieces;
}

class Plot {
  constructor(kind) {
    this.kind = kind;
    this.rows = [];
    this.parts = [];
    this.at = null;
    this.now = make('span', { className: 'plot-now' });
    this.drawing = svg('svg', { height: HEIGHT, role: 'img', tabindex: '0', focusable: 'true' });
    this.element = make('figure', { className: 'plot' }, make('figcaption', {}, make('span', { textContent: kind.name }), this.now), this.drawing);
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.drawing.addEventListener('mousemove', (event) => this.point(event.clientX - this.drawing.getBoundingClientRect().left));
    for (const end of ['mouseleave', 'blur']) this.drawing.addEventListener(end, () => this.pointAt(null));
    this.drawing.addEventListener('keydown', (event) => this.key(event));
  }

  show(rows, step) {
    this.rows = rows;
    this.step = step;
    this.parts = parted(rows, 3 * step + 10);
    if (this.at != null && this.at >= rows.length) this.at = null;
    this.draw();
  }

  key(event) {
    const last = this.rows.length - 1;
    const at = this.at == null ? last + 1 : this.at;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.pointAt(Math.min(Math.max(to, 0), last));
    text(by('spoken'), `${this.kind.name}, ${this.now.textContent}`);
  }

  point(x) {
    if (!this.rows.length || !this.x) return;
    let best = 0;
    this.rows.forEach((row, place) => { if (Math.abs(this.x(row[0]) - x) < Math.abs(this.x(this.rows[best][0]) - x)) best = place; });
    this.pointAt(best);
  }

  pointAt(at) {
    this.at = at;
    this.draw();
  }

  value(row, line) {
    const value = row[line.place];
    return value == null ? null : value * (line.by || 1);
  }

  words(row) {
    return this.kind.lines.map((line) => {
      const value = this.value(row, line);
      return value == null ? '' : `${line.word ? `${line.word} ` : ''}${this.kind.shown(value)}`;
    }).filter(Boolean).join(' · ');
  }

  draw() {
    const width = this.element.firstChild.clientWidth;
    const { rows, kind } = this;
    if (!width) return;
    this.drawing.setAttribute('width', width);
    this.drawing.replaceChildren();
    const row = this.at != null ? rows[this.at] : rows.at(-1);
    text(this.now, row ? `${this.at != null ? `${time(row[0] * 1000)} · ` : ''}${this.words(row) || NOTHING}` : NOTHING);
    this.drawing.setAttribute('aria-label', row ? `${kind.name} over time. Latest: ${this.words(rows.at(-1)) || 'nothing'}. Arrow keys read earlier values.` : `${kind.name}: nothing yet`);
    if (!rows.length) return;
    const values = rows.flatMap((one) => kind.lines.map((line) => this.value(one, line) || 0));
    const top = roof(Math.max(...values));
    const first = rows[0][0];
    const last = Math.max(rows.at(-1)[0] + this.step, first + 1);
    const bottom = HEIGHT - EDGE.bottom;
    this.x = (at) => EDGE.left + ((at - first + this.step / 2) / (last - first)) * (width - EDGE.left - EDGE.right);
    const y = (value) => bottom - (value / top) * (bottom - EDGE.top);
    this.drawHeld(bottom);
    for (const share of [0, 0.5, 1]) {
      svg('line', { class: 'grid', x1: EDGE.left, x2: width - EDGE.right, y1: y(top * share), y2: y(top * share) }, this.drawing);
      const label = svg('text', { class: 'axis', x: EDGE.left - 6, y: y(top * share) + 4, 'text-anchor': 'end' }, this.drawing);
      label.textContent = share ? kind.shown(top * share) : '0';
    }
    svg('text', { class: 'axis', x: EDGE.left, y: HEIGHT - 4 }, this.drawing).textContent = shortTime(first * 1000, last - first);
    svg('text', { class: 'axis', x: width - EDGE.right, y: HEIGHT - 4, 'text-anchor': 'end' }, this.drawing).textContent = shortTime(last * 1000, last - first);
    for (const line of [...kind.lines].reverse()) this.drawLine(line, y, bottom);
    if (this.at != null) {
      const x = this.x(row[0]);
      svg('line', { class: 'cursor', x1: x, x2: x, y1: EDGE.top, y2: bottom }, this.drawing);
    }
  }

  /** A rate has an end where nothing is masked; of batches it is only not known between two of them. */
  drawLine(line, y, bottom) {
    for (const part of this.parts) {
      const pieces = this.kind.area ? measured(part, (row) => this.value(row, line)) : [part];
      for (const piece of pieces) this.drawPart(piece, line, y, bottom);
    }
  }

  drawPart(rows, line, y, bottom) {
    const dots = rows.map((row) => [this.x(row[0]), this.value(row, line)]).filter(([, value]) => value != null);
    if (!dots.length) return;
    const path = dots.map(([x, value], place) => `${place ? 'L' : 'M'}${x.toFixed(1)} ${y(value).toFixed(1)}`).join('');
    if (this.kind.area) svg('path', { class: 'area', d: `${path}L${dots.at(-1)[0].toFixed(1)} ${bottom}L${dots[0][0].toFixed(1)} ${bottom}Z` }, this.drawing);
    svg('path', { class: `line ${line.kind || ''}`, d: path }, this.drawing);
    if (dots.length === 1) svg('circle', { class: 'spot', cx: dots[0][0], cy: y(dots[0][1]), r: 2 }, this.drawing);
  }

  /** Where work stood still. */
  drawHeld(bottom) {
    const half = (this.x(this.step) - this.x(0)) / 2;
    const { rows } = this;
    for (let from = 0; from < rows.length; from += 1) {
      if (rows[from][HELD] <= 0.5) continue;
      let to = from;
      while (to + 1 < rows.length && rows[to + 1][HELD] > 0.5) to += 1;
      const [x, end] = [this.x(rows[from][0]) - half, this.x(rows[to][0]) + half];
      svg('rect', { class: 'held', x, width: end - x, y: EDGE.top, height: bottom - EDGE.top }, this.drawing);
      from = to;
    }
  }
}

export class Plots {
  constructor() {
    this.plots = PLOTS.map((kind) => new Plot(kind));
    this.which = 'recent';
    this.curves = null;
    this.rows = [];
    by('plots').append(...this.plots.map((plot) => plot.element));
    for (const which of ['recent', 'whole']) {
      by(`plots-${which}`).addEventListener('click', () => {
        this.which = which;
        for (const one of ['recent', 'whole']) by(`plots-${one}`).setAttribute('aria-pressed', String(one === which));
        this.show(this.curves);
      });
    }
    by('plots-table').addEventListener('toggle', () => this.showTable());
  }

  show(curves) {
    if (!curves) return;
    this.curves = curves;
    const { step } = curves[this.which];
    this.rows = smoothed(curves[this.which]);
    const { rows } = this;
    for (const plot of this.plots) plot.show(rows, step);
    this.showTable();
  }

  showTable() {
    if (!by('plots-table').open || !this.curves) return;
    const [head, body] = [by('plots-table').querySelector('thead'), by('plots-table').querySelector('tbody')];
    const lines = PLOTS.flatMap((kind) => kind.lines.map((line) => ({ ...line, kind, title: `${kind.name}${line.word ? `, ${line.word}` : ''}` })));
    head.replaceChildren(make('tr', {}, make('th', { scope: 'col', textContent: 'From' }),
      ...lines.map((line) => make('th', { scope: 'col', className: 'number', textContent: line.title }))));
    const { rows } = this;
    const every = Math.ceil(rows.length / ROWS_SHOWN) || 1;
    const picked = rows.filter((_, place) => (rows.length - 1 - place) % every === 0).reverse();
    body.replaceChildren(...picked.map((row) => make('tr', {}, make('th', { scope: 'row', textContent: time(row[0] * 1000) }),
      ...lines.map((line) => {
        const value = row[line.place];
        return make('td', { className: 'number', textContent: value == null ? NOTHING : line.kind.shown(value * (line.by || 1)) });
      }))));
  }
}
