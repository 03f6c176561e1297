// The run's title, its state, and the buttons that steer it.

import { by, banner, data, show, text } from './dom.js';
import { date } from './format.js';

const ASKED = 'asked to pause';

export class Steering {
  constructor() {
    this.run = null;
    this.enabled = true;
    for (const name of ['pause', 'continue']) by(name).addEventListener('click', () => this.order(name));
    by('stop').addEventListener('click', () => by('sure').showModal());
    by('sure').addEventListener('close', () => {
      if (by('sure').returnValue === 'yes') this.order('stop');
      by('sure').returnValue = 'no';
      by('stop').focus();
    });
  }

  async order(command) {
    const run = this.run.id;
    banner(by('answer'), '');
    try {
      const answer = await fetch(`/runs/${encodeURIComponent(run)}/${command}`, { method: 'POST' });
      if (!answer.ok) banner(by('answer'), `Not done: ${(await answer.text()).trim()}`);
    } catch {
      banner(by('answer'), 'Not done: the monitor does not answer.');
    }
  }

  show(run, ending, orders) {
    if (this.run && this.run.id !== run.id) banner(by('answer'), '');
    this.run = run;
    const state = standing(run);
    text(by('name'), run.id);
    text(by('state'), state);
    data(by('state'), 'state', run.state);
    document.title = `${state} · ${run.id} · phimask`;
    const where = run.host ? ` · ${run.host}, process ${run.pid}` : '';
    text(by('about'), `profile ${run.profile} · begun ${date(run.created)}${run.live ? where : ''} · phimask ${run.version}`);
    banner(by('holding'), run.holding.length ? `Standing still: ${run.holding.join('; ')}` : '');
    banner(by('ending'), endingOf(run, ending));
    by('ending').classList.toggle('bad', ['dead', 'failed'].includes(run.state));
    text(by('sure-resume'), `phimask resume ${run.id}`);
    show(by('actions'), Boolean(orders) && run.live);
    this.enable(this.enabled);
  }

  enable(enabled) {
    this.enabled = enabled;
    if (!this.run) return;
    const { command, holding } = this.run;
    const paused = command === 'pause' || holding.includes(ASKED);
    able(by('pause'), enabled && !paused && command !== 'stop');
    able(by('continue'), enabled && paused && command !== 'stop');
    able(by('stop'), enabled && command !== 'stop');
  }
}

/** Not `disabled`: a button that has the focus would lose it just after it was pressed. */
function able(button, can) {
  const value = String(!can);
  if (button.getAttribute('aria-disabled') !== value) button.setAttribute('aria-disabled', value);
}

document.addEventListener('click', (event) => {
  if (event.target.closest('[aria-disabled="true"]')) event.stopImmediatePropagation();
}, true);

export function standing(run) {
  if (!run.live) return run.state.replaceAll('_', ' ');
  if (run.command === 'stop') return 'stopping';
  if (run.command === 'pause' && !run.holding.includes(ASKED)) return 'pausing';
  return run.state === 'paused' && !run.holding.includes(ASKED) ? 'standing still' : run.state;
}

function endingOf(run, ending) {
  if (run.live) return '';
  if (run.state === 'dead') return `Nobody is at work on it, and nobody said that it ended. phimask resume ${run.id} goes on with it.`;
  if (!ending || run.state === 'completed') return '';
  const why = ending.because ? `${ending.because}. ` : '';
  return ['stopped', 'failed'].includes(run.state) ? `${why}phimask resume ${run.id} goes on with it.` : '';
}
