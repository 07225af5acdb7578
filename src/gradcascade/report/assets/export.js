/** The numbers behind a chart as rows for CSV, heading first. */
import { channel } from "./data.js";

/**
 * A channel of every step, scale and variant of the family and field that is shown.
 * @param {any} panels @param {string} name of the channel @returns {unknown[][]}
 */
export function channelRows(panels, name) {
  const { group } = panels;
  const rows = [["family", "field", "variant", "scale", "N", "step", name]];
  for (const variant of Object.keys(group.variants)) {
    channel(group, variant, name).forEach((column, place) => {
      const lead = [group.family, group.field, variant, group.scales[place], group.n[place]];
      column.forEach((value, i) => rows.push([...lead, group.steps[i], tidy(value)]));
    });
  }
  return rows;
}

/** @param {number|null} value @returns {number|null} without the dust of binary fractions */
export function tidy(value) {
  return value === null ? null : Number(value.toPrecision(6));
}
