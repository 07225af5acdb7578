/** The study's numbers: reading them from the page, and what follows from them. */

/** @typedef {(number|null)[]} Column */

/** Names, symbols and formulas of exponents, channels and differences: those of gradcascade.vocabulary. */
export let vocabulary = { exponents: {}, channels: {}, differences: {} };

/** @returns {any} what the page carries */
export function readData() {
  const data = JSON.parse(document.getElementById("study-data").textContent);
  vocabulary = data.vocabulary;
  return data;
}

/** @returns {string[]} exponents that say something of their own */
export function shownExponents() {
  return Object.keys(vocabulary.exponents).filter((name) => !vocabulary.exponents[name].same_as);
}

/** @type {WeakMap<any, Map<string, Column[]>>} */
const made = new WeakMap();

/**
 * Channels of a variant from what is stored; the slider asks for them at every frame, so they are kept.
 * @param {any} group @param {string} variant @param {string} name a channel, or n_steps or size_per_n
 * @returns {Column[]} for each scale, over the steps
 */
export function channel(group, variant, name) {
  if (!made.has(group)) made.set(group, new Map());
  const kept = made.get(group);
  const key = JSON.stringify([variant, name]);
  if (!kept.has(key)) kept.set(key, madeChannel(group, variant, name));
  return kept.get(key);
}

function madeChannel(group, variant, name) {
  const part = group.variants[variant];
  if (!part) return group.scales.map(() => group.steps.map(() => null));
  if (Object.hasOwn(part, name)) return part[name];
  const { size = 0, duration = 0, n: entries = 0 } = vocabulary.channels[name].powers;
  return group.n.map((n, place) =>
    part.size_per_n[place].map((share, i) => {
      if (share === null) return null;
      return share ** size * n ** (size + entries) * part.n_steps[place][i] ** duration;
    }));
}

/**
 * An exponent over the steps; one that is another up to a constant is made from that, with the same interval.
 * @param {any} group @param {string} variant @param {string} name
 * @returns {{value: Column, low: Column, high: Column, r2: Column}}
 */
export function exponent(group, variant, name) {
  const part = group.variants[variant];
  if (!part) {
    const none = group.steps.map(() => null);
    return { value: none, low: none, high: none, r2: none };
  }
  const { same_as: twin, neutral } = vocabulary.exponents[name];
  const stored = part.exponents[twin || name];
  const shift = twin ? neutral - vocabulary.exponents[twin].neutral : 0;
  const value = stored.value.map((v) => (v === null ? null : v + shift));
  const end = (sign) => value.map((v, i) => (v === null || stored.half[i] === null ? null : v + sign * stored.half[i]));
  return { value, low: end(-1), high: end(1), r2: part.exponents[name].r2 };
}

/** @param {Column} a @param {Column} b @returns {Column} a - b where both are known */
export function minus(a, b) {
  return a.map((v, i) => (v === null || b[i] === null ? null : v - b[i]));
}

/**
 * Bring columns of other steps to these.
 * @param {number[]} from @param {number[]} to @param {Column} column @returns {Column}
 */
export function align(from, to, column) {
  if (from === to) return column;
  const known = new Map(from.map((step, i) => [step, column[i]]));
  return to.map((step) => known.get(step) ?? null);
}

/**
 * A power law of given slope through the mean of points, on logarithms: the line that the fit of this slope draws.
 * @param {number[]} x @param {Column} y @param {number|null} slope @returns {Column} at every x
 */
export function powerLaw(x, y, slope) {
  const there = x.map((_, i) => i).filter((i) => y[i] !== null && y[i] > 0);
  if (slope === null || !there.length) return x.map(() => null);
  const middle = (values) => there.reduce((sum, i) => sum + Math.log(values[i]), 0) / there.length;
  const [mx, my] = [middle(x), middle(y)];
  return x.map((v) => Math.exp(my + slope * (Math.log(v) - mx)));
}

/** @param {number[]} sorted @param {number} value @returns {number} place of the nearest entry */
export function nearest(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle;
    else high = middle;
  }
  return high >= 0 && Math.abs(sorted[high] - value) < Math.abs(sorted[low] - value) ? high : low;
}
