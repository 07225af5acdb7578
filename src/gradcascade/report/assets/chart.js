/** One chart: draws what a panel describes, follows the slider, zooms, hides lines. */
import { nearest } from "./data.js";
import { Legend } from "./legend.js";
import { Marker, Tooltip } from "./hover.js";
import { options } from "./options.js";

/**
 * @typedef {object} Line
 * @property {string} label @property {string} key what hiding goes by @property {(number|null)[]} values
 * @property {string} colour @property {number[]} [dash] @property {number} [width] @property {boolean} [quiet] not listed
 * @property {boolean} [dots] points without a line @property {boolean} [bare] a line without points
 * @property {(number|null)[]} [low] @property {(number|null)[]} [high]
 * @property {(v: number|null) => string} format
 *
 * @typedef {object} Spec
 * @property {"steps"|"log"|"linear"} axis @property {number[]} x @property {string} xLabel @property {string} yLabel
 * @property {boolean} yLog @property {Line[]} lines @property {string} [missing]
 * @property {[number, number]|null} [window] @property {[number, number]|null} [yRange]
 * @property {boolean} [zero] whether zero belongs to the vertical axis
 * @property {(x: number) => string} head the words above the values at the pointer
 */

export class Chart {
  /**
   * @param {HTMLElement} host
   * @param {any} store
   * @param {() => Spec} describe
   * @param {{height: number, label: string}} look
   */
  constructor(host, store, describe, look) {
    this.store = store;
    this.describe = describe;
    this.look = look;
    this.plot = null;
    this.zoom = null;
    this.stale = true;
    this.seen = false;
    this.legend = new Legend(child(host, "legend"), (key) => this.hide(key));
    this.host = child(host, "plot");
    this.host.tabIndex = 0;
    this.host.setAttribute("role", "group");
    this.host.setAttribute("aria-roledescription", "chart");
    this.host.setAttribute("aria-label", `${look.label}; the left and right arrow keys move the step, Escape resets the zoom`);
    this.canvas = child(this.host, "canvas");
    this.canvas.style.minHeight = `${look.height}px`; // kept free, so that what is read does not move when it is drawn
    this.note = child(this.host, "absent");
    this.note.hidden = true;
    this.tooltip = new Tooltip(this.host);
    this.marker = new Marker();
    new ResizeObserver(() => this.resize()).observe(this.host);
    new IntersectionObserver((entries) => this.appear(entries.at(-1).isIntersecting), { rootMargin: "200px" }).observe(
      this.host,
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
    const spec = this.settle();
    if (spec.missing) return;
    this.legend.fill(spec.lines);
    this.legend.press(store.state.hidden);
    this.showValues();
  }

  /** Draw again when the chart is next in view. */
  update() {
    this.stale = true;
    if (this.seen) this.draw();
  }

  appear(seen) {
    this.seen = seen;
    if (!seen) return;
    if (this.stale) this.draw();
    else this.follow();
  }

  rebuild() {
    this.signature = "";
    this.update();
  }

  /** Everything but the lines, so that nothing moves when those are drawn: a click must find what it was aimed at. */
  settle() {
    const spec = this.describe();
    this.spec = spec;
    this.note.textContent = spec.missing ?? "";
    this.note.hidden = !spec.missing;
    this.canvas.hidden = Boolean(spec.missing);
    return spec;
  }

  draw() {
    this.stale = false;
    const spec = this.settle();
    if (spec.missing) {
      this.legend.fill([]);
      this.destroy();
      return;
    }
    const looks = spec.lines.map((line) => [line.key, line.colour, line.dash, line.quiet, line.dots]);
    const signature = JSON.stringify([looks, spec.axis, spec.yLog, spec.yLabel, spec.window, this.store.state.logSteps]);
    if (signature !== this.signature || !this.plot) {
      this.build(spec);
      this.signature = signature;
    } else {
      this.legend.renew(spec.lines);
      this.plot.setData(columns(spec));
    }
    this.follow();
    this.showHidden();
  }

  build(spec) {
    this.destroy();
    this.legend.fill(spec.lines);
    const width = Math.max(200, this.host.clientWidth);
    // eslint-disable-next-line no-undef
    this.plot = new uPlot(options(this, spec, width), columns(spec), this.canvas);
    this.host.dataset.drawn = "yes";
  }

  destroy() {
    this.plot?.destroy();
    this.plot = null;
    this.signature = "";
  }

  resize() {
    const width = this.host.clientWidth;
    if (this.plot && width > 0 && Math.abs(width - this.plot.width) > 1) {
      this.plot.setSize({ width, height: this.look.height });
      this.follow();
    }
  }

  /** The line and the values at the step of the slider. */
  follow() {
    if (!this.plot || !this.seen) return;
    if (this.spec.axis === "steps") this.marker.move(this.plot, this.store.state.step);
    this.showValues();
  }

  showValues() {
    const { step } = this.store.state;
    const place = this.spec.axis === "steps" ? nearest(this.spec.x, step) : -1;
    this.legend.values(this.spec.x[place] === step ? place : null);
  }

  hide(key) {
    const hidden = new Set(this.store.state.hidden);
    if (!hidden.delete(key)) hidden.add(key);
    this.store.set({ hidden });
  }

  showHidden() {
    const { hidden } = this.store.state;
    this.legend.press(hidden);
    if (!this.plot) return;
    this.plot.batch(() => {
      this.plot.series.forEach((series, place) => {
        const show = !hidden.has(series.key);
        if (place > 0 && series.show !== show) this.plot.setSeries(place, { show });
      });
    });
  }

  /** The range of the x axis that is shown. */
  range() {
    const { x, axis } = this.spec;
    const zoom = axis === "steps" ? this.store.state.zoom : this.zoom;
    if (zoom) return zoom;
    const [first, last] = [x[0], x[x.length - 1]];
    if (axis === "log") return first === last ? [first / 2, first * 2] : [first / 1.3, last * 1.3];
    return first === last ? [first - 1, last + 1] : [first, last];
  }

  /** @param {[number, number]|null} zoom */
  setZoom(zoom) {
    if (this.spec?.axis === "steps") this.store.set({ zoom });
    else {
      this.zoom = zoom;
      this.applyZoom();
    }
  }

  applyZoom() {
    if (!this.plot) return;
    const [min, max] = this.range();
    this.plot.setScale("x", { min, max });
    this.follow();
  }

  /** @param {any} plot called by uPlot when the pointer moves */
  point(plot) {
    const place = plot.cursor.idx;
    if (place === null || place === undefined || plot.cursor.left < 0 || !this.host.matches(":hover")) {
      this.tooltip.hide();
      return;
    }
    const shown = this.spec.lines.filter((line) => !this.store.state.hidden.has(line.key) && !line.untold);
    const lines = shown.map((line) => ({ label: line.label, colour: line.colour, text: line.format(line.values[place] ?? null) }));
    this.tooltip.show(this.spec.head(this.spec.x[place]), lines, plot.cursor.left + plot.over.offsetLeft);
  }
}

/** @param {Spec} spec @returns {any[]} the columns of uPlot */
function columns(spec) {
  return [spec.x, ...spec.lines.flatMap((line) => (line.low ? [line.values, line.low, line.high] : [line.values]))];
}

/** @param {HTMLElement} host @param {string} name @returns {HTMLElement} */
function child(host, name) {
  const made = document.createElement("div");
  made.className = name;
  host.append(made);
  return made;
}
