/** Tables as CSV, and the button that copies them. */

const FORMULA = /^[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/;

/**
 * Guard a text that a spreadsheet would run as a formula, as the files of an export are guarded.
 * @param {string} text @returns {string}
 */
function guarded(text) {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

/** @param {unknown[][]} rows @returns {string} RFC 4180 */
export function csvText(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : guarded(String(value));
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/**
 * Put text on the clipboard; files opened from a disk may have no clipboard interface.
 * @param {string} text @returns {Promise<boolean>}
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text @returns {boolean} */
function copyBySelection(text) {
  const focused = /** @type {HTMLElement|null} */ (document.activeElement);
  const area = document.createElement("textarea");
  area.className = "offscreen";
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

/** @param {HTMLButtonElement} button @param {() => unknown[][]} rows */
export function copyButton(button, rows) {
  const words = button.textContent;
  button.addEventListener("click", async () => {
    const done = await copyText(csvText(rows()));
    button.textContent = done ? "Copied" : "Copying is not allowed here";
    setTimeout(() => (button.textContent = words), 1600);
  });
}
