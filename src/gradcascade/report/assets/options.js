/** The settings of uPlot for one chart: axes, lines, bands, zoom, window. */
import { compact, evenTicks, logTicks, stepTicks, written } from "./numbers.js";
import { cssColour, faint } from "./theme.js";
import { nearest } from "./data.js";

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const SYNCED = new Set(["mousemove", "mouseleave"]);

/** @param {any} chart @param {any} spec @param {number} width @returns {any} */
export function options(chart, spec, width) {
  return {
    width,
    height: chart.look.height,
    legend: { show: false },
    padding: [10, 24, 0, 0],
    scales: { x: xScale(chart, spec), y: yScale(chart, spec) },
    axes: axes(chart, spec),
    ...lines(spec),
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 8 },
      bind: { dblclick: () => () => chart.setZoom(null) },
      sync: spec.axis === "steps" ? { key: "steps", filters: { pub: (type) => SYNCED.has(type) } } : undefined,
    },
    hooks: {
      drawClear: [(plot) => shade(plot, chart.spec)],
      draw: [() => chart.follow()],
      setCursor: [(plot) => chart.point(plot)],
      setSelect: [(plot) => select(chart, plot)],
      ready: [(plot) => clicks(chart, plot)],
    },
  };
}

function xScale(chart, spec) {
  const range = () => chart.range();
  if (spec.axis === "log") return { time: false, distr: 3, range };
  if (spec.axis === "steps" && chart.store.state.logSteps) return { time: false, distr: 4, asinh: 1, range };
  return { time: false, distr: 1, range };
}

function yScale(chart, spec) {
  const range = (plot, min, max) => {
    const { yRange, zero } = chart.spec;
    let [low, high] = yRange ?? covered(plot, chart.spec) ?? [min, max];
    if (low === null || low === undefined) return spec.yLog ? [0.1, 1] : [0, 1];
    if (spec.yLog) return low === high ? [low / 1.5, high * 1.5] : spread(low, high);
    if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const room = 0.07 * (high - low) || Math.abs(high) * 0.1 || 0.1;
    return [low - room, high + room];
  };
  return { distr: spec.yLog ? 3 : 1, range };
}

function spread(low, high) {
  const room = (high / low) ** 0.06;
  return [low / room, high * room];
}

/**
 * Every value in view, and of the bands all but the widest tenth, as far as one and a half times the spread of the
 * values: with three scales a band can be a hundred times wider. Null where no line has a band.
 */
function covered(plot, spec) {
  const banded = spec.lines.filter((line) => line.low);
  if (!banded.length) return null;
  const { min, max } = plot.scales.x;
  const [first, last] = [nearest(spec.x, min ?? spec.x[0]), nearest(spec.x, max ?? spec.x[spec.x.length - 1])];
  const inView = (column) => column.slice(first, last + 1).filter((v) => v !== null);
  const values = banded.flatMap((line) => inView(line.values));
  if (!values.length) return null;
  const ends = banded.flatMap((line) => [...inView(line.low), ...inView(line.high)]).sort((a, b) => a - b);
  const at = (share) => ends[Math.round(share * (ends.length - 1))] ?? values[0];
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  const reach = 1.5 * Math.max(most - least, 0.1);
  return [Math.min(least, Math.max(at(0.05), least - reach)), Math.max(most, Math.min(at(0.95), most + reach))];
}

function axes(chart, spec) {
  const ink = cssColour("soft");
  const line = { stroke: cssColour("line"), width: 1 };
  const base = { stroke: ink, font: FONT, labelFont: FONT, grid: line, ticks: { ...line, size: 4 }, labelSize: 20, gap: 4 };
  const keep = (plot, splits) => splits;
  const x = { ...base, label: spec.xLabel, size: 30, grid: { show: false }, filter: keep };
  x.values = (plot, splits) => splits.map((v) => (spec.axis === "log" ? compact(v) : written(v, 12)));
  if (spec.axis === "log") x.splits = (plot, axis, min, max) => logTicks(min, max, plot.width < 420 ? 4 : 7);
  if (spec.axis === "steps" && chart.store.state.logSteps) x.splits = (plot, axis, min, max) => stepTicks(max);
  const y = { ...base, label: spec.yLabel, size: yWidth, filter: keep };
  y.values = (plot, splits) => splits.map((v) => written(v));
  y.splits = (plot, axis, min, max) => (spec.yLog ? logTicks(min, max, 6) : evenTicks(min, max, 6));
  return [x, y];
}

/** Room for the longest of the labels beside the axis. */
function yWidth(plot, values) {
  const longest = (values ?? []).reduce((most, text) => Math.max(most, String(text ?? "").length), 3);
  return 16 + 7 * longest;
}

function lines(spec) {
  const series = [{}];
  const bands = [];
  for (const line of spec.lines) {
    const place = series.length;
    series.push({
      key: line.key,
      stroke: line.colour,
      width: line.width ?? 1.8,
      dash: line.dash,
      paths: line.dots ? () => null : undefined,
      points: points(line),
    });
    if (!line.low) continue;
    const edge = { key: line.key, stroke: "transparent", width: 0, points: { show: false } };
    series.push({ ...edge }, { ...edge });
    bands.push({ series: [place + 2, place + 1], fill: faint(line.colour, line.quiet ? 0.1 : 0.18) });
  }
  return { series, bands };
}

function points(line) {
  if (line.bare) return { show: false };
  const look = { size: line.dots ? 9 : 5, fill: line.colour, stroke: line.colour, width: 1 };
  return line.dots ? { ...look, show: true } : look;
}

/** The window and the line at zero, under everything else. */
function shade(plot, spec) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (spec.window) {
    const [first, last] = spec.window.map((step) => plot.valToPos(step, "x", true));
    ctx.fillStyle = cssColour("window");
    ctx.fillRect(first, bbox.top, Math.max(2, last - first), bbox.height);
  }
  if (spec.zero) {
    const at = Math.round(plot.valToPos(0, "y", true));
    ctx.fillStyle = cssColour("soft");
    ctx.fillRect(bbox.left, at, bbox.width, Math.max(1, devicePixelRatio));
  }
  ctx.restore();
}

function select(chart, plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const ends = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  chart.setZoom(ends);
}

/** A click without a drag takes the step under the pointer. */
function clicks(chart, plot) {
  let start = 0;
  plot.over.addEventListener("mousedown", (event) => (start = event.clientX));
  plot.over.addEventListener("click", (event) => {
    const { idx } = plot.cursor;
    if (chart.spec.axis === "steps" && Math.abs(event.clientX - start) < 4 && idx !== null && idx !== undefined) {
      chart.store.set({ step: chart.spec.x[idx] });
    }
  });
  plot.over.addEventListener("mouseleave", () => chart.tooltip.hide());
}
