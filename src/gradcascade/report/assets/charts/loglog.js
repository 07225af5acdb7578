import { addChart } from "../charts.js";
import { menu } from "../controls.js";
import { channel, exponent, nearest, powerLaw, vocabulary } from "../data.js";
import { channelRows } from "../export.js";
import { signed, written } from "../numbers.js";
import { extent } from "../panels.js";
import { cssColour } from "../theme.js";

addChart("loglog", {
  moves: true,
  start: { loglog: "v_rel" },
  switches: (panels, store) => {
    const { channels } = vocabulary;
    return [menu("Channel", Object.keys(channels), store.state.loglog, (v) => store.set({ loglog: v }), (v) => channels[v].label)];
  },
  describe: channelAgainstN,
  rows: (panels) => channelRows(panels, panels.state.loglog),
});

function channelAgainstN(panels) {
  const { group, beside, state } = panels;
  const name = state.loglog;
  const [fitted, { symbol }] = Object.entries(vocabulary.exponents).find(([, known]) => known.channel === name);
  const at = nearest(group.steps, state.step);
  const scales = scalesByN(group, beside?.group ?? group);
  const x = scales.map((one) => one.n);
  const lines = [];
  const add = (part, variant, key, label, colour, place) => {
    const columns = channel(part, variant, name);
    const values = scales.map((one) => columns[one.places.get(part)]?.[place] ?? null);
    const slope = exponent(part, variant, fitted).value[place] ?? null;
    const told = slope === null ? "" : `, ${symbol} = ${signed(slope)}`;
    lines.push({ label, key, values, colour, dots: true, format: written, quiet: true });
    const line = powerLaw(x, values, slope);
    lines.push({ label: `${label}${told}`, key, values: line, colour, width: 1.6, bare: true, untold: true, format: () => "" });
  };
  add(group, state.variant, "shown", panels.shownLabel, cssColour("accent"), at);
  if (beside) {
    const place = beside.group.steps.indexOf(group.steps[at]);
    add(beside.group, beside.variant, "beside", beside.label, cssColour("second"), place);
  }
  const yRange = panels.once(`range:${name}:${state.beside}`, () => extent([
    ...channel(group, state.variant, name),
    ...(beside ? channel(beside.group, beside.variant, name) : []),
  ]));
  const missing = yRange ? undefined : "No cascade is left to draw here.";
  const head = (x) => `N = ${written(x)}`;
  return { axis: "log", x, xLabel: "N, entries of the field", yLabel: vocabulary.channels[name].label, yLog: true, lines, yRange, missing, head };
}

/** Scales of two groups by their N: one place for both where a scale has the same N in both, else one for each. */
function scalesByN(group, other) {
  const found = group.scales.map((scale, i) => ({ scale, n: group.n[i], places: new Map([[group, i]]) }));
  other.scales.forEach((scale, i) => {
    const same = found.find((one) => one.scale === scale && one.n === other.n[i]);
    if (same) same.places.set(other, i);
    else found.push({ scale, n: other.n[i], places: new Map([[other, i]]) });
  });
  return found.sort((a, b) => a.n - b.n);
}
