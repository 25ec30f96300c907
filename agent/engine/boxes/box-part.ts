import { unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../../lib/log.js";
import { boxSocket } from "../protocol/box-protocol.js";
import { ControlServer } from "../control/control-server.js";
import { boxControl } from "../control/box-control.js";
import { boxStore } from "./box-store.js";
import { Boxes } from "./boxes.js";

/** Restores the boxes of an engine's directory and serves their control socket. Resolves to the way to end them. */
export async function openBoxes(options: {
  readonly directory: string;
  readonly netns: string | undefined;
  readonly salt: string;
  readonly log: Log;
  readonly onCrash: (error: Error) => void;
}): Promise<() => Promise<void>> {
  const { directory, log } = options;
  const store = boxStore(directory);
  const { records, warning } = await store.load();
  if (warning !== undefined) log.error(warning);
  const boxes = new Boxes({ ...options, store }, records);
  const path = join(directory, boxSocket);
  const control = await ControlServer.open(path, boxControl(boxes));
  return async () => {
    await boxes.close();
    control.close();
    await unlink(path).catch(() => undefined);
  };
}
