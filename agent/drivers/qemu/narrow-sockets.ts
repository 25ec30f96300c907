import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { holdExactly } from "../../host/open-exactly.js";
import { serialSocket, socketNames } from "./ids.js";

/** Whose sockets. */
interface NarrowOptions {
  /** QEMU's working directory. */
  readonly runDirectory: string;
  readonly serialPorts: number;
}

/** Leaves the sockets of a new machine to their owner alone. Only while no CPU has run: a hostile QEMU could put links there. */
export async function narrowSockets({ runDirectory, serialPorts }: NarrowOptions): Promise<void> {
  const consoles = Array.from({ length: serialPorts }, (_, port) => serialSocket(port));
  for (const name of new Set([...Object.values(socketNames), ...consoles])) {
    // Not every machine has a screen.
    if ((name === socketNames.vnc || name === socketNames.spice) && !existsSync(join(runDirectory, name))) continue;
    // The directory is QEMU's: what is there now may be a link to anything.
    using held = await holdExactly(join(runDirectory, name));
    await chmod(held.path, 0o600);
  }
}
