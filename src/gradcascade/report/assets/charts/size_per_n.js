import { addChart } from "../charts.js";
import { channelRows } from "../export.js";

addChart("size_per_n", {
  start: { "log:size_per_n": false },
  describe: (panels) => panels.overSteps("size_per_n", "s / N"),
  rows: (panels) => channelRows(panels, "size_per_n"),
});
