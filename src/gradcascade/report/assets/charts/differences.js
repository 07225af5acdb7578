import { addChart } from "../charts.js";
import { menu } from "../controls.js";
import { exponent, minus, vocabulary } from "../data.js";
import { tidy, tokensAt, tokensHead } from "../export.js";
import { signed } from "../numbers.js";
import { alongTraining } from "../panels.js";
import { cssColour } from "../theme.js";

addChart("differences", {
  start: { difference: "z" },
  switches: (panels, store) => {
    const { exponents } = vocabulary;
    return [menu("Exponent", Object.keys(exponents), store.state.difference, (v) => store.set({ difference: v }), (v) => exponents[v].symbol)];
  },
  describe: nullDifferences,
  rows: differenceRows,
});

function nullDifferences(panels) {
  const { group, state } = panels;
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
  return { ...alongTraining(group), x: group.steps, yLabel: `change of ${vocabulary.exponents[name].symbol}`, yLog: false, lines, missing, zero: true };
}

function differenceRows(panels) {
  const { group } = panels;
  const name = panels.state.difference;
  const value = (variant) => exponent(group, variant, name).value;
  const columns = Object.values(vocabulary.differences).map((part) => minus(value(part.minuend), value(part.subtrahend)));
  const rows = [["family", "field", "step", ...tokensHead(group), "exponent", ...Object.keys(vocabulary.differences)]];
  group.steps.forEach((step, i) => rows.push([group.family, group.field, step, ...tokensAt(group, i), name, ...columns.map((c) => tidy(c[i]))]));
  return rows;
}
