import { existsSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, resourceExhausted } from "../../../lib/errors.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { connectUnix } from "../../host/unix-socket.js";
import { type FromServer, socketStream } from "../../network/socket-stream.js";
import type { HasScreen, Viewer } from "../abilities/screen.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import { socketNames } from "./ids.js";
import { addDescriptor, type LiveMachine } from "./live/live-machine.js";
import { runDirectoryOf } from "./run-directory.js";

const maxPictureBytes = 32 * 1024 * 1024;
/** A large screen takes its time to be packed on a loaded host. */
const pictureMs = 20_000;
const connectMs = 10_000;

/** The screens of machines. */
export class MachineScreens implements HasScreen {
  readonly #machineOf: (instance: DriverInstance) => LiveMachine;

  constructor(machineOf: (instance: DriverInstance) => LiveMachine) {
    this.#machineOf = machineOf;
  }

  async captureScreen(instance: DriverInstance): Promise<Uint8Array> {
    const machine = this.#machineOf(instance);
    // QEMU writes to a descriptor: no name that it could be led astray by, and nothing to be left behind.
    const path = join(instance.directory, "screen.png");
    await rm(path, { force: true });
    await using written = await open(path, "wx", 0o600);
    await using read = await open(path, "r");
    await rm(path);
    const set = await addDescriptor(machine, written.fd);
    try {
      await machine.execute("screendump", { filename: `/dev/fdset/${set}`, format: "png" }, pictureMs);
    } catch (error) {
      if (error instanceof Error && /no (graphical )?console/i.test(error.message)) throw noScreen(instance);
      throw error;
    } finally {
      await machine.execute("remove-fd", { "fdset-id": set }).catch(() => undefined);
    }
    const { size } = await read.stat();
    if (size > maxPictureBytes) {
      const { name } = instance;
      throw resourceExhausted(
        "SCREEN_TOO_LARGE",
        `${name}: the picture has more than 32 MiB; look at the screen`,
        name,
      );
    }
    const picture = Buffer.alloc(size);
    const { bytesRead } = await read.read(picture, 0, size, 0);
    return picture.subarray(0, bytesRead);
  }

  async *connectScreen(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { protocol, input }: Viewer,
    { signal }: CallOptions,
  ): AsyncGenerator<FromServer> {
    this.#machineOf(instance);
    const limit = AbortSignal.any([signal, timeLimit(connectMs)]);
    const directory = runDirectoryOf(instance);
    const socket = await connectUnix(directory, socketNames[protocol], { signal: limit }).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      // A machine that has SPICE has VNC too.
      throw existsSync(join(directory, socketNames.vnc)) ? noSpice(instance) : noScreen(instance);
    });
    yield* socketStream(socket, input, signal);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && /ENOENT/.test(error.message);
}

function noScreen({ name }: DriverInstance): Error {
  return failedPrecondition(
    "NO_SCREEN",
    name,
    `${name} has no screen; give it one (zor set instance NAME --display std) and start it again, or use: zor console`,
  );
}

function noSpice({ name }: DriverInstance): Error {
  return failedPrecondition(
    "NO_SPICE",
    name,
    `${name} does not show its screen by SPICE; have it do so (zor set instance NAME --spice) and start it again, or use: zor view --protocol vnc`,
  );
}
