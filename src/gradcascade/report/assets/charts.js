/** The charts by name: every file in charts/ adds one, words/charts.toml has its title and its place on the page. */

/** @type {Record<string, any>} */
export const CHARTS = {};

/**
 * @param {string} name as in words/charts.toml
 * @param {{describe: (panels: any, part?: string) => any, rows: (panels: any) => unknown[][], parts?: () => Record<string, string>,
 *   moves?: boolean, start?: Record<string, unknown>, switches?: (panels: any, store: any) => any[]}} chart
 *   describe: what is drawn; rows: its numbers for CSV; parts: names and headings of several plots in one chart; moves:
 *   whether it shows the step of the slider; start: choices of its own; switches: the controls of these.
 */
export function addChart(name, chart) {
  CHARTS[name] = chart;
}
