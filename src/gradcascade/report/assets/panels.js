/** What each chart shows, from the data and what the reader has chosen. */
import { align, channel, exponent, fitLine, minus, nearest, shownExponents, vocabulary } from "./data.js";
import { signed, written } from "./numbers.js";
import { cssColour, faint, scaleStyle } from "./theme.js";

const LINE_COLOURS = ["third", "accent", "second", "ink"];
const LINE_DASHES = [[2, 2], [], [7, 3], [1, 3]];
const STEP = { axis: "steps", xLabel: "training step", head: (x) => `step ${written(x, 12)}` };

/** The panels of one page; each method describes one chart. */
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
    return { ...STEP, x: group.steps, yLabel, yLog: state[`log:${name}`], lines, missing, window: group.window };
  }

  scaleLines(group, columns, format) {
    return group.scales.map((scale, place) => {
      const { colour, dash } = scaleStyle(place, group.scales.length);
      const runs = group.runs[place].length ? `, mean of the runs ${group.runs[place].join(", ")}` : "";
      return { label: scale, title: `${scale}, N = ${written(group.n[place], 12)}${runs}`, key: `scale:${scale}`, values: columns[place], colour, dash, format };
    });
  }

  /** @param {string} name */
  exponent(name) {
    const { group, beside, state } = this;
    const shown = this.once(`exponent:${name}`, () => exponent(group, state.variant, name));
    const lines = [{ ...bandLine(shown, this.shownLabel, "shown", cssColour("accent")), width: 2 }];
    if (beside) {
      const other = exponent(beside.group, beside.variant, name);
      const moved = { value: null, low: null, high: null };
      for (const part of Object.keys(moved)) moved[part] = align(beside.group.steps, group.steps, other[part]);
      lines.push({ ...bandLine(moved, beside.label, "beside", cssColour("second")), dash: [5, 3], width: 1.4 });
    }
    const missing = shown.value.every((v) => v === null) ? this.noExponents() : undefined;
    const { symbol, neutral } = vocabulary.exponents[name];
    return { ...STEP, x: group.steps, yLabel: symbol, yLog: false, lines, missing, window: group.window, zero: neutral === 0 };
  }

  noExponents() {
    return this.group.no_exponents ?? `No exponent could be fitted for ${this.shownLabel}.`;
  }

  loglog() {
    const { group, beside, state } = this;
    const name = state.loglog;
    const { symbol } = Object.values(vocabulary.exponents).find((known) => known.channel === name);
    const at = nearest(group.steps, state.step);
    const lines = [];
    const add = (part, variant, key, label, colour, place) => {
      const columns = channel(part, variant, name);
      const byScale = new Map(part.scales.map((scale, i) => [scale, columns[i][place] ?? null]));
      const values = group.scales.map((scale) => byScale.get(scale) ?? null);
      const fit = fitLine(group.n, values);
      const slope = fit ? `, ${symbol} = ${signed(fit.slope)}` : "";
      lines.push({ label, key, values, colour, dots: true, format: written, quiet: true });
      const fitted = group.n.map((n) => (fit ? fit.at(n) : null));
      lines.push({ label: `${label}${slope}`, key, values: fitted, colour, width: 1.6, bare: true, untold: true, format: () => "" });
    };
    add(group, state.variant, "shown", this.shownLabel, cssColour("accent"), at);
    if (beside) {
      const place = beside.group.steps.indexOf(group.steps[at]);
      add(beside.group, beside.variant, "beside", beside.label, cssColour("second"), place);
    }
    const yRange = this.once(`range:${name}:${state.beside}`, () => extent([
      ...channel(group, state.variant, name),
      ...(beside ? channel(beside.group, beside.variant, name) : []),
    ]));
    const missing = yRange ? undefined : "No cascade is left to draw here.";
    const head = (x) => `N = ${written(x)}`;
    return { axis: "log", x: group.n, xLabel: "N, entries of the field", yLabel: vocabulary.channels[name].label, yLog: true, lines, yRange, missing, head };
  }

  activity() {
    const { group, state } = this;
    const part = group.variants[state.variant];
    const profiles = part?.activity ?? [];
    const at = nearest(group.activity_at, nearest(group.steps, state.step));
    const share = (profile, place) => profile?.map((count) => count / group.n[place]) ?? [];
    const range = this.once("activity", () => {
      const all = profiles.map((own, place) => own.flatMap((profile) => share(profile, place)));
      const long = profiles.flatMap((own) => own.map((profile) => profile?.length ?? 0));
      return { y: extent(all), length: Math.max(0, ...long) };
    });
    const x = Array.from({ length: Math.max(range.length, 1) }, (_, i) => i);
    const columns = group.scales.map((_, place) => {
      const values = share(profiles[place]?.[at], place);
      return x.map((i) => values[i] ?? null);
    });
    const lines = this.scaleLines(group, columns, written);
    const missing = range.y ? undefined : "No activity profile was kept.";
    const head = (l) => `relaxation step ${l}, training step ${written(group.steps[group.activity_at[at]] ?? null, 12)}`;
    return { axis: "linear", x, xLabel: "relaxation step l", yLabel: "|A_l| / N", yLog: state["log:activity"], lines, yRange: range.y, missing, head };
  }

  r2() {
    const { group, state } = this;
    const part = group.variants[state.variant];
    const shown = shownExponents();
    const lines = shown.map((name, place) => ({
      label: `R² of ${vocabulary.exponents[name].symbol}`,
      key: `r2:${name}`,
      values: exponent(group, state.variant, name).r2,
      colour: cssColour(LINE_COLOURS[place % LINE_COLOURS.length]),
      dash: LINE_DASHES[place % LINE_DASHES.length],
      format: (v) => (v === null ? "–" : v.toFixed(3)),
    }));
    const high = part?.r2_high ?? group.steps.map(() => null);
    lines.push({
      label: "95 % of noise without slope", key: "r2:noise", values: high, colour: cssColour("soft"), dash: [1.5, 3],
      width: 1.2, bare: true, format: (v) => (v === null ? "–" : v.toFixed(3)),
    });
    const missing = lines.slice(0, shown.length).every((line) => line.values.every((v) => v === null)) ? this.noExponents() : undefined;
    return { ...STEP, x: group.steps, yLabel: "R²", yLog: false, yRange: [0, 1], lines, missing, window: group.window };
  }

  differences() {
    const { group, state } = this;
    const name = state.difference;
    const value = (variant) => exponent(group, variant, name).value;
    const looks = [["accent", []], ["second", [7, 3]], ["third", [2, 2]]];
    const lines = Object.values(vocabulary.differences).map(({ label, minuend, subtrahend }, place) => {
      const [colour, dash] = looks[place % looks.length];
      const words = `${label}, ${minuend} − ${subtrahend}`;
      return { label: words, key: words, values: minus(value(minuend), value(subtrahend)), colour: cssColour(colour), dash, format: signed };
    });
    const empty = lines.every((line) => line.values.every((v) => v === null));
    const missing = empty ? "A difference needs exponents of the real fields and of N0 or N2 at the same step." : undefined;
    return { ...STEP, x: group.steps, yLabel: `change of ${vocabulary.exponents[name].symbol}`, yLog: false, lines, missing, window: group.window, zero: true };
  }

  get metrics() {
    return this.data.metrics.filter((metric) => metric.family === this.group.family);
  }

  metric() {
    const { group, state, metrics } = this;
    const found = metrics.find((metric) => metric.name === state.metric) ?? metrics[0];
    const base = { ...STEP, yLog: state["log:metric"], window: group.window, zero: false };
    if (!found) return { ...base, x: group.steps, yLabel: "", lines: [], missing: "No external metric (such as held-out perplexity) came with this study." };
    const columns = group.scales.map((scale) => found.values[found.scales.indexOf(scale)] ?? found.steps.map(() => null));
    const lowest = extent(columns);
    const yLog = base.yLog && lowest !== null && lowest[0] > 0;
    return { ...base, yLog, x: found.steps, yLabel: short(found.name), lines: this.scaleLines(group, columns, written) };
  }
}

function bandLine(part, label, key, colour) {
  return { label, key, colour, values: part.value, low: part.low, high: part.high, format: signed };
}

/** @param {(number|null)[][]} columns @returns {[number, number]|null} */
function extent(columns) {
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
function short(name) {
  return name.length > 30 ? `${name.slice(0, 15)}…${name.slice(-14)}` : name;
}
