import { addChart } from "../charts.js";
import { align, exponent, vocabulary } from "../data.js";
import { tidy, tokensAt, tokensHead } from "../export.js";
import { alongTraining, bandLine } from "../panels.js";
import { cssColour } from "../theme.js";

addChart("exponents", {
  parts: () => Object.fromEntries(Object.entries(vocabulary.exponents).map(([name, known]) => [name, `${known.symbol}, ${known.words}`])),
  describe: exponentOverSteps,
  rows: exponentRows,
});

function exponentOverSteps(panels, name) {
  const { group, beside, state } = panels;
  const shown = panels.once(`exponent:${name}`, () => exponent(group, state.variant, name));
  const lines = [{ ...bandLine(shown, panels.shownLabel, "shown", cssColour("accent")), width: 2 }];
  if (beside) {
    const other = exponent(beside.group, beside.variant, name);
    const moved = { value: null, low: null, high: null };
    for (const part of Object.keys(moved)) moved[part] = align(beside.group.steps, group.steps, other[part]);
    lines.push({ ...bandLine(moved, beside.label, "beside", cssColour("second")), dash: [5, 3], width: 1.4 });
  }
  const missing = shown.value.every((v) => v === null) ? panels.noExponents() : undefined;
  const { symbol, neutral } = vocabulary.exponents[name];
  return { ...alongTraining(group), x: group.steps, yLabel: symbol, yLog: false, lines, missing, zero: neutral === 0 };
}

function exponentRows(panels) {
  const { group } = panels;
  const rows = [["family", "field", "variant", "step", ...tokensHead(group), "exponent", "value", "low", "high", "r2"]];
  for (const variant of Object.keys(group.variants)) {
    for (const name of Object.keys(vocabulary.exponents)) {
      const { value, low, high, r2 } = exponent(group, variant, name);
      group.steps.forEach((step, i) => rows.push([group.family, group.field, variant, step, ...tokensAt(group, i), name, ...[value, low, high, r2].map((c) => tidy(c[i]))]));
    }
  }
  return rows;
}
