/** Numbers as text. */

/** @param {number|null|undefined} value @param {number} [digits] significant ones @returns {string} */
export function written(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let text;
  if (Number.isInteger(value) && size < 1e15) text = grouped(size);
  else if (size >= 1e6 || size < 1e-4) text = powered(size, digits);
  else if (size >= 1000) text = grouped(Math.round(size));
  else text = String(Number(size.toPrecision(digits)));
  return value < 0 ? `−${text}` : text;
}

/** @param {number} size whole @returns {string} with commas; toLocaleString is too slow for every frame */
function grouped(size) {
  return size < 1000 ? String(size) : String(size).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} size @param {number} digits @returns {string} for example 1.2e−5 */
function powered(size, digits) {
  const [head, power] = size.toExponential(digits - 1).split("e");
  return `${Number(head)}e${power.replace("+", "").replace("-", "−")}`;
}

/** @param {number|null|undefined} value @returns {string} an exponent, with its sign and three places */
export function signed(value) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(3);
  if (Number(text) === 0) return text;
  return (value < 0 ? "−" : "+") + text;
}

/** @param {number} value @returns {string} for an axis: 500k, 10M */
export function compact(value) {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return written(value / size) + letter;
  }
  return written(value);
}

/** @param {number} count @returns {string} in words, three digits of it: 2.1 million */
export function amount(count) {
  for (const [size, word] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (count >= size) return `${written(count / size, 3)} ${word}`;
  }
  return written(count);
}

/**
 * Ticks of a logarithmic axis that a reader can read off: 1, 2, 5 within a few decades, else decades.
 * @param {number} min @param {number} max @param {number} most @returns {number[]}
 */
export function logTicks(min, max, most = 7) {
  const decades = Math.log10(max / min);
  if (decades < 0.7) return evenTicks(min, max, most);
  const first = Math.floor(Math.log10(min));
  const last = Math.ceil(Math.log10(max));
  const every = Math.max(1, Math.ceil((last - first) / most));
  const heads = decades * 3 <= most ? [1, 2, 5] : decades * 2 <= most ? [1, 3] : [1];
  const ticks = [];
  for (let power = first; power <= last; power += every) {
    for (const head of heads) ticks.push(Number(`${head}e${power}`));
  }
  return ticks.filter((tick) => tick >= min * 0.999 && tick <= max * 1.001);
}

/** @param {number} min @param {number} max @param {number} most @returns {number[]} round, evenly spaced ticks */
export function evenTicks(min, max, most) {
  const rough = (max - min) / Math.max(1, most - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((head) => head * power).find((size) => size >= rough) ?? power * 10;
  const ticks = [];
  for (let place = Math.ceil(min / step); place * step <= max * (1 + 1e-12) + 1e-300; place += 1) {
    ticks.push(Number((place * step).toPrecision(12)));
  }
  return ticks;
}

/** @param {number} max largest step @returns {number[]} ticks of a logarithmic axis of steps that holds 0 */
export function stepTicks(max) {
  const ticks = [0];
  for (let tick = 1; tick <= max; tick *= 10) ticks.push(tick);
  return ticks;
}
