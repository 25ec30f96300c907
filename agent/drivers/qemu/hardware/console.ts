import { socketNames } from "../ids.js";
import type { HardwarePart } from "./part.js";

/** The first serial port, which is the machine's console. */
export const console: HardwarePart<object> = {
  open: async () => ({}),
  toArguments: () => ({
    argv: [
      "-chardev",
      `socket,id=console,path=${socketNames.console},server=on,wait=off`,
      "-serial",
      "chardev:console",
    ],
  }),
};
