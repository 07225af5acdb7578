import { addChart } from "../charts.js";
import { exponent, shownExponents, vocabulary } from "../data.js";
import { tokensAt, tokensHead } from "../export.js";
import { alongTraining } from "../panels.js";
import { cssColour } from "../theme.js";

const LINE_COLOURS = ["third", "accent", "second", "ink"];
const LINE_DASHES = [[2, 2], [], [7, 3], [1, 3]];

addChart("r2", { describe: compressibility, rows: r2Rows });

function compressibility(panels) {
  const { group, state } = panels;
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
  const missing = lines.slice(0, shown.length).every((line) => line.values.every((v) => v === null)) ? panels.noExponents() : undefined;
  return { ...alongTraining(group), x: group.steps, yLabel: "R²", yLog: false, yRange: [0, 1], lines, missing };
}

function r2Rows(panels) {
  const { group } = panels;
  const shown = shownExponents();
  const rows = [["family", "field", "variant", "step", ...tokensHead(group), ...shown.map((name) => `R2_${name}`), "R2_to_exceed"]];
  for (const variant of Object.keys(group.variants)) {
    const columns = shown.map((name) => exponent(group, variant, name).r2);
    columns.push(group.variants[variant].r2_high);
    group.steps.forEach((step, i) => rows.push([group.family, group.field, variant, step, ...tokensAt(group, i), ...columns.map((c) => c[i])]));
  }
  return rows;
}
