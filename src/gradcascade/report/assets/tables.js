/** Tables: sorting by any column, copying as CSV. */
import { copyButton } from "./csv.js";

/** Make every table of the page sortable and copyable. */
export function startTables() {
  for (const block of document.querySelectorAll(".grid")) {
    const table = block.querySelector("table");
    if (!table) continue;
    table.querySelectorAll("thead th").forEach((head, place) => sortable(table, /** @type {any} */ (head), place));
    const button = /** @type {HTMLButtonElement|null} */ (block.querySelector("button.copy"));
    if (button) copyButton(button, () => rowsOf(table));
  }
}

/** @param {HTMLTableElement} table @param {HTMLTableCellElement} head @param {number} place */
function sortable(table, head, place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: valueOf(row.cells[place]) }));
    rows.sort((a, b) => compare(a.key, b.key, down ? -1 : 1));
    body.append(...rows.map((entry) => entry.row));
  });
}

/** @param {HTMLTableCellElement} cell @returns {string|number|null} */
function valueOf(cell) {
  const stored = cell.dataset.value;
  const text = stored ?? cell.textContent.trim();
  if (text === "" || text === "–") return null;
  const number = Number(text.replaceAll("−", "-").replaceAll(",", ""));
  if (Number.isFinite(number)) return number;
  const leading = /^[+−-]?[\d,]*\.?\d+(?=\s*(±|to |%|\())/.exec(text.replaceAll("\u00a0", " "));
  return leading ? Number(leading[0].replaceAll("−", "-").replaceAll(",", "")) : text;
}

/** Missing values stay last in both directions. */
function compare(a, b, sign) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}

/** @param {HTMLTableElement} table @returns {string[][]} */
function rowsOf(table) {
  const text = (cell) => cell.dataset.value ?? cell.textContent.trim().replace(/^–$/, "");
  return [...table.rows].map((row) => [...row.cells].map(text));
}
