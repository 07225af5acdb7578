import { addChart } from "../charts.js";
import { channelRows } from "../export.js";

addChart("n_steps", {
  start: { "log:n_steps": false },
  describe: (panels) => panels.overSteps("n_steps", "n_steps"),
  rows: (panels) => channelRows(panels, "n_steps"),
});
