/** The numbers behind each chart as rows for CSV. */
import { channel, exponent, minus, shownExponents, vocabulary } from "./data.js";

/**
 * @param {any} panels @param {string} name of the chart
 * @returns {unknown[][]} the heading first; every step, scale and variant of the family and field that is shown
 */
export function chartRows(panels, name) {
  const { group, state } = panels;
  const lead = [group.family, group.field];
  const variants = Object.keys(group.variants);
  if (name === "metric") return metricRows(panels);
  if (name === "activity") return activityRows(group, lead);
  if (name === "exponents") return exponentRows(group, lead, variants);
  if (name === "r2") return r2Rows(group, lead, variants);
  if (name === "differences") return differenceRows(group, lead, state.difference);
  const shown = name === "loglog" ? state.loglog : name;
  const rows = [["family", "field", "variant", "scale", "N", "step", shown]];
  for (const variant of variants) {
    channel(group, variant, shown).forEach((column, place) => {
      column.forEach((value, i) => rows.push([...lead, variant, group.scales[place], group.n[place], group.steps[i], tidy(value)]));
    });
  }
  return rows;
}

function exponentRows(group, lead, variants) {
  const rows = [["family", "field", "variant", "step", "exponent", "value", "low", "high", "r2"]];
  for (const variant of variants) {
    for (const name of Object.keys(vocabulary.exponents)) {
      const { value, low, high, r2 } = exponent(group, variant, name);
      group.steps.forEach((step, i) => rows.push([...lead, variant, step, name, ...[value, low, high, r2].map((c) => tidy(c[i]))]));
    }
  }
  return rows;
}

function r2Rows(group, lead, variants) {
  const shown = shownExponents();
  const rows = [["family", "field", "variant", "step", ...shown.map((name) => `R2_${name}`), "R2_to_exceed"]];
  for (const variant of variants) {
    const columns = shown.map((name) => exponent(group, variant, name).r2);
    columns.push(group.variants[variant].r2_high);
    group.steps.forEach((step, i) => rows.push([...lead, variant, step, ...columns.map((c) => c[i])]));
  }
  return rows;
}

function differenceRows(group, lead, name) {
  const value = (variant) => exponent(group, variant, name).value;
  const columns = Object.values(vocabulary.differences).map((part) => minus(value(part.minuend), value(part.subtrahend)));
  const rows = [["family", "field", "step", "exponent", ...Object.keys(vocabulary.differences)]];
  group.steps.forEach((step, i) => rows.push([...lead, step, name, ...columns.map((c) => tidy(c[i]))]));
  return rows;
}

function activityRows(group, lead) {
  const rows = [["family", "field", "variant", "scale", "N", "step", "relaxation_step", "active"]];
  for (const [variant, part] of Object.entries(group.variants)) {
    part.activity.forEach((profiles, place) => {
      profiles.forEach((profile, i) => {
        const step = group.steps[group.activity_at[i]];
        profile?.forEach((count, l) => rows.push([...lead, variant, group.scales[place], group.n[place], step, l, count]));
      });
    });
  }
  return rows;
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

/** @param {number|null} value @returns {number|null} without the dust of binary fractions */
function tidy(value) {
  return value === null ? null : Number(value.toPrecision(6));
}
