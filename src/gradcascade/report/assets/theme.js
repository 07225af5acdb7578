/** Colours of the charts: safe for colour-blind readers, on light and on dark ground. */

// Viridis, from dark to light; scales take colours whose lightness falls from the smallest to the largest model.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99],
  [170, 220, 50], [253, 231, 37],
];
export const DASHES = [[], [8, 3], [6, 2, 2, 2], [3, 1.5], [12, 4]];

/** @returns {boolean} */
export function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** @param {string} name of a custom property @returns {string} */
export function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * @param {number} place @param {number} count
 * @returns {{colour: string, dash: number[]}} of one scale among several, small to large
 */
export function scaleStyle(place, count) {
  const dark = isDark();
  const [first, last] = dark ? [0.98, 0.36] : [0.8, 0.02];
  const at = count > 1 ? first + ((last - first) * place) / (count - 1) : (first + last) / 2;
  const spot = at * (VIRIDIS.length - 1);
  const under = Math.min(Math.floor(spot), VIRIDIS.length - 2);
  const mixed = VIRIDIS[under].map((v, i) => Math.round(v + (VIRIDIS[under + 1][i] - v) * (spot - under)));
  if (dark) mixed.forEach((v, i) => (mixed[i] = Math.round(v + (255 - v) * 0.22)));
  return { colour: `rgb(${mixed.join(" ")})`, dash: DASHES[place % DASHES.length] };
}

/** @param {string} colour rgb or #rrggbb @param {number} share @returns {string} the colour, more or less clear */
export function faint(colour, share) {
  if (colour.startsWith("rgb(")) return `${colour.slice(0, -1)} / ${share})`;
  return `${colour}${Math.round(share * 255).toString(16).padStart(2, "0")}`;
}
