import { isAlive } from "../../../lib/process.js";
import type { HasLogs } from "../abilities/logs.js";
import { openFileLog, TimedLines } from "../file-log.js";
import { ConsoleLogDecoder } from "./console-log.js";
import { keeperOf } from "./crun-host.js";

/** As much as conmon keeps of a terminal. */
const maxPastBytes = 512 * 1024;

/** What containers said on their terminals, and what their keepers and the runtime say. */
export const containerLogs: HasLogs = {
  sources: ["console", "runtime"],
  openLog: async (instance, handle, request) => {
    const keeper = keeperOf(instance);
    const isConsole = request.source === "console";
    return openFileLog({
      path: isConsole ? keeper.logPath : keeper.wordsPath,
      decoder: isConsole ? new ConsoleLogDecoder() : new TimedLines(),
      request,
      maxPastBytes,
      hasEnded: async () =>
        handle === undefined || (await keeper.findExitCode()) !== undefined || !(await isAlive(handle)),
    });
  },
};
