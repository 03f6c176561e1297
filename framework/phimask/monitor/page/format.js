// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short', hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

export const NOTHING = '–';

export function count(value) {
  return value == null ? NOTHING : whole.format(value);
}

/** Three digits or so. */
export function rough(value) {
  if (value == null) return NOTHING;
  return (value >= 100 ? whole : value >= 10 ? one : two).format(value);
}

export function size(bytes) {
  if (bytes == null) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let place = 0;
  while (bytes >= 1000 && place < units.length - 1) {
    bytes /= 1000;
    place += 1;
  }
  return `${place ? rough(bytes) : whole.format(bytes)} ${units[place]}`;
}

export function percent(share) {
  // Never "100 %" before everything is done.
  const shown = Math.floor(share * 1000) / 10;
  return `${one.format(shown)} %`;
}

export function sharePercent(share) {
  return `${share < 0.001 && share > 0 ? (100 * share).toPrecision(1) : two.format(100 * share)} %`;
}

/** Seconds, to two units. */
export function duration(seconds) {
  if (seconds == null) return NOTHING;
  if (seconds < 10) return `${two.format(seconds)} s`;
  seconds = Math.round(seconds);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60 && seconds < 600 ? `${seconds % 60} s` : ''}`.trim();
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60 ? `${minutes % 60} min` : ''}`.trim();
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24 ? `${hours % 24} h` : ''}`.trim();
}

/** Seconds that nobody knows to the second. */
export function roughly(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return duration(seconds);
}

export function range(forecast) {
  const { soonest, latest } = forecast;
  if (latest == null) return `${roughly(soonest)} or more`;
  const from = roughly(soonest);
  const to = roughly(latest);
  return from === to ? from : `${from} to ${to}`;
}

export function time(milliseconds) {
  return milliseconds == null ? NOTHING : clock.format(milliseconds);
}

/** For an axis that is so many seconds long. */
export function shortTime(milliseconds, length) {
  return (length > 72000 ? weekday : minute).format(milliseconds);
}

export function date(milliseconds) {
  return milliseconds == null ? NOTHING : day.format(milliseconds);
}

export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? '' : 's'}`;
}
