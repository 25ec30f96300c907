// Loaded into the hub before its program (node --import): tells, when asked with SIGUSR2, how long the loop was held at most since the last time.
import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 5;
const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
histogram.enable();
process.on("SIGUSR2", () => {
  const loopMaxMs = Math.max(0, histogram.max / 1e6 - resolutionMs);
  histogram.reset();
  process.stderr.write(`${JSON.stringify({ loopMaxMs, ...process.memoryUsage() })}\n`);
});
