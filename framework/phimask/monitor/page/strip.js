// Partitions as a strip of colours: a cell each while there is room, else each column the mean of those in it.

const WORDS = {
  o: 'open', r: 'begun, waiting', d: 'done', q: 'done, with documents in quarantine',
  c: 'taken over from a dead worker', x: 'withdrawn',
};
const GAP_FROM = 5;

export function wordFor(mark) {
  return WORDS[mark] || `being masked${mark === undefined ? '' : `, ${mark}0 %`}`;
}

export function markAt(marks, share) {
  if (!marks.length) return '';
  const place = Math.min(Math.max(Math.floor(share * marks.length), 0), marks.length - 1);
  return `the ${(place + 1).toLocaleString('en')}th: ${wordFor(marks[place])}`.replace(/(?<!1)1th/, '1st').replace(/(?<!1)2th/, '2nd').replace(/(?<!1)3th/, '3rd');
}

function palette(element) {
  const style = getComputedStyle(element);
  const colour = (name) => hex(style.getPropertyValue(`--strip-${name}`).trim());
  const [open, working, done] = [colour('open'), colour('working'), colour('done')];
  const made = { o: open, d: done, r: colour('begun'), q: colour('quarantine'), c: colour('crashed'), x: open };
  for (let tenth = 0; tenth < 10; tenth += 1) made[tenth] = mix(working, done, tenth / 18);
  return made;
}

function hex(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}

function mix(one, other, share) {
  return one.map((value, place) => value + (other[place] - value) * share);
}

function css(colour) {
  return `rgb(${colour.map(Math.round).join(' ')})`;
}

export function drawStrip(canvas, marks) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (!width || !height || !marks.length) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  const colours = palette(canvas);
  context.clearRect(0, 0, width, height);
  const cell = width / marks.length;
  if (cell >= 1) drawCells(context, marks, colours, cell, height, cell >= GAP_FROM * scale ? scale : 0);
  else drawColumns(context, marks, colours, width, height);
}

function drawCells(context, marks, colours, cell, height, gap) {
  for (let place = 0; place < marks.length; place += 1) {
    const from = Math.round(place * cell);
    context.fillStyle = css(colours[marks[place]]);
    context.fillRect(from, 0, Math.max(Math.round((place + 1) * cell) - from - gap, 1), height);
  }
}

function drawColumns(context, marks, colours, width, height) {
  for (let column = 0; column < width; column += 1) {
    const from = Math.floor((column * marks.length) / width);
    const upto = Math.max(Math.floor(((column + 1) * marks.length) / width), from + 1);
    const sum = [0, 0, 0];
    for (let place = from; place < upto; place += 1) {
      const colour = colours[marks[place]];
      for (let part = 0; part < 3; part += 1) sum[part] += colour[part];
    }
    context.fillStyle = css(sum.map((value) => value / (upto - from)));
    context.fillRect(column, 0, 1, height);
  }
}
