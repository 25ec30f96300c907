import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { holdExactly } from "../../host/open-exactly.js";
import { socketNames } from "./ids.js";

/** Leaves the sockets of a new machine to their owner alone. Only while no CPU has run: a hostile QEMU could put links there. */
export async function narrowSockets(runDirectory: string): Promise<void> {
  for (const name of Object.values(socketNames)) {
    // Not every machine has a screen.
    if (name === socketNames.vnc && !existsSync(join(runDirectory, name))) continue;
    // The directory is QEMU's: what is there now may be a link to anything.
    using held = await holdExactly(join(runDirectory, name));
    await chmod(held.path, 0o600);
  }
}
