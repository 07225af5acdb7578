/** What the charts share: the data that the reader has chosen, and the lines of every scale. */
import { align, channel } from "./data.js";
import { amount, signed, written } from "./numbers.js";
import { faint, scaleStyle } from "./theme.js";

/** @param {any} group @returns {any} what charts over training have in common */
export function alongTraining(group) {
  return { axis: "steps", xLabel: "training step", head: (x) => stepWords(group, x), window: group.window };
}

/** @param {any} group @param {number} step @returns {string} the step, and the tokens seen by then where they are known */
export function stepWords(group, step) {
  const place = group.steps.indexOf(step);
  const known = (group.tokens ?? []).map((column) => column[place] ?? null).filter((tokens) => tokens !== null);
  if (!known.length) return `step ${written(step, 12)}`;
  const [least, most] = [amount(Math.min(...known)), amount(Math.max(...known))];
  return `step ${written(step, 12)}, ${least === most ? least : `${least} to ${most}`} tokens`;
}

/** The choices of one page, and the descriptions that several charts share. */
export class Panels {
  /** @param {any} data @param {any} state */
  constructor(data, state) {
    this.data = data;
    this.state = state;
    /** @type {Map<string, any>} */
    this.kept = new Map();
  }

  get group() {
    const { family, field } = this.state;
    return this.data.groups.find((group) => group.family === family && group.field === field) ?? this.data.groups[0];
  }

  /** @returns {{group: any, variant: string, label: string}|null} what is drawn beside */
  get beside() {
    const { beside } = this.state;
    const { group } = this;
    if (beside.startsWith("field:")) {
      const field = beside.slice("field:".length);
      const other = this.data.groups.find((g) => g.family === group.family && g.field === field);
      return other && field !== group.field ? { group: other, variant: "real", label: `real ${other.plural}` } : null;
    }
    return beside && beside !== this.state.variant && group.variants[beside]
      ? { group, variant: beside, label: beside }
      : null;
  }

  get shownLabel() {
    return this.state.variant === "real" ? `real ${this.group.plural}` : `${this.state.variant} (${this.group.plural})`;
  }

  /** @param {string} key @param {() => any} make @returns {any} what was made before for the same choices */
  once(key, make) {
    const { family, field, variant } = this.state;
    const full = JSON.stringify([key, family, field, variant]);
    if (!this.kept.has(full)) this.kept.set(full, make());
    return this.kept.get(full);
  }

  /** @param {string} name v_rel or n_steps @param {string} yLabel */
  overSteps(name, yLabel) {
    const { group, beside, state } = this;
    const shown = this.once(name, () => channel(group, state.variant, name));
    const lines = this.scaleLines(group, shown, written);
    if (beside) {
      const other = channel(beside.group, beside.variant, name);
      beside.group.scales.forEach((scale, place) => {
        const own = lines.find((line) => line.key === `scale:${scale}`);
        if (!own) return;
        const values = align(beside.group.steps, group.steps, other[place]);
        lines.push({ ...own, label: `${scale}, ${beside.label}`, values, colour: faint(own.colour, 0.6), width: 1, quiet: true, untold: true, bare: true });
      });
    }
    const missing = shown.every((column) => column.every((v) => v === null)) ? "No cascade is left to draw here." : undefined;
    return { ...alongTraining(group), x: group.steps, yLabel, yLog: state[`log:${name}`], lines, missing };
  }

  scaleLines(group, columns, format) {
    return group.scales.map((scale, place) => {
      const { colour, dash } = scaleStyle(place, group.scales.length);
      const runs = group.runs[place].length ? `, mean of the runs ${group.runs[place].join(", ")}` : "";
      return { label: scale, title: `${scale}, N = ${written(group.n[place], 12)}${runs}`, key: `scale:${scale}`, values: columns[place], colour, dash, format };
    });
  }

  noExponents() {
    return this.group.no_exponents ?? `No exponent could be fitted for ${this.shownLabel}.`;
  }

  get metrics() {
    return this.data.metrics.filter((metric) => metric.family === this.group.family);
  }
}

export function bandLine(part, label, key, colour) {
  return { label, key, colour, values: part.value, low: part.low, high: part.high, format: signed };
}

/** @param {(number|null)[][]} columns @returns {[number, number]|null} */
export function extent(columns) {
  let [low, high] = [Infinity, -Infinity];
  for (const column of columns) {
    for (const value of column) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** @param {string} name @returns {string} what fits beside an axis */
export function short(name) {
  return name.length > 30 ? `${name.slice(0, 15)}…${name.slice(-14)}` : name;
}
