/** The numbers behind a chart as rows for CSV, heading first. */
import { channel } from "./data.js";

/**
 * A channel of every step, scale and variant of the family and field that is shown.
 * @param {any} panels @param {string} name of the channel @returns {unknown[][]}
 */
export function channelRows(panels, name) {
  const { group } = panels;
  const rows = [["family", "field", "variant", "scale", "N", "step", ...tokensHead(group), name]];
  for (const variant of Object.keys(group.variants)) {
    channel(group, variant, name).forEach((column, place) => {
      const lead = [group.family, group.field, variant, group.scales[place], group.n[place]];
      column.forEach((value, i) => rows.push([...lead, group.steps[i], ...tokensAt(group, i, place), tidy(value)]));
    });
  }
  return rows;
}

/** @param {any} group @returns {string[]} the heading of the column of tokens, where they are known */
export const tokensHead = (group) => (group.tokens ? ["tokens"] : []);

/**
 * @param {any} group @param {number} i of the step @param {number} [place] of a scale
 * @returns {(number|null)[]} tokens seen by a scale, or by all that are known if they agree; nothing where none are
 */
export function tokensAt(group, i, place) {
  if (!group.tokens) return [];
  if (place !== undefined) return [group.tokens[place][i]];
  const all = new Set(group.tokens.map((column) => column[i]).filter((tokens) => tokens !== null));
  return [all.size === 1 ? [...all][0] : null];
}

/** @param {number|null} value @returns {number|null} without the dust of binary fractions */
export function tidy(value) {
  return value === null ? null : Number(value.toPrecision(6));
}
