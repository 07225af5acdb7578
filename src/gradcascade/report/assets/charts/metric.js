import { addChart } from "../charts.js";
import { menu } from "../controls.js";
import { written } from "../numbers.js";
import { alongTraining, extent, short } from "../panels.js";

addChart("metric", {
  start: { metric: "", "log:metric": true },
  switches: metricSwitches,
  describe: metricOverSteps,
  rows: metricRows,
});

function metricSwitches(panels, store) {
  const names = panels.metrics.map((metric) => metric.name);
  if (names.length < 2) return [];
  const current = names.includes(store.state.metric) ? store.state.metric : names[0];
  return [menu("Metric", names, current, (v) => store.set({ metric: v }))];
}

function metricOverSteps(panels) {
  const { group, state, metrics } = panels;
  const found = metrics.find((metric) => metric.name === state.metric) ?? metrics[0];
  const base = { ...alongTraining(group), yLog: state["log:metric"], zero: false };
  if (!found) return { ...base, x: group.steps, yLabel: "", lines: [], missing: "No external metric (such as held-out perplexity) came with this study." };
  const columns = group.scales.map((scale) => found.values[found.scales.indexOf(scale)] ?? found.steps.map(() => null));
  const lowest = extent(columns);
  const yLog = base.yLog && lowest !== null && lowest[0] > 0;
  return { ...base, yLog, x: found.steps, yLabel: short(found.name), lines: panels.scaleLines(group, columns, written) };
}

function metricRows(panels) {
  const rows = [["family", "scale", "step", "metric", "value"]];
  for (const metric of panels.metrics) {
    metric.scales.forEach((scale, place) => {
      metric.steps.forEach((step, i) => rows.push([metric.family, scale, step, metric.name, metric.values[place][i]]));
    });
  }
  return rows;
}
