import { open, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { toldOf } from "../../host/told.js";
import { type FromServer, socketStream } from "../../network/socket-stream.js";
import type { HasScreen, Viewer } from "../abilities/screen.js";
import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { Graphics } from "./domain.js";
import type { DomainAccess } from "./domain-access.js";
import { toPng } from "./picture.js";

/** Of the widest screen, without compression. */
const maxPictureBytes = 256 * 1024 * 1024;
const connectMs = 10_000;
const names = { vnc: "VNC", spice: "SPICE" } as const;

/** The screens of domains: pictures by libvirt, and VNC or SPICE where it listens on this host. */
export class DomainScreens implements HasScreen {
  readonly #access: DomainAccess;
  /** Pictures of one domain are in the same file. */
  readonly #turns = new KeyedQueue();

  constructor(access: DomainAccess) {
    this.#access = access;
  }

  async captureScreen(instance: DriverInstance, _handle: RecoveryHandle, options: CallOptions): Promise<Uint8Array> {
    return await this.#turns.run(instance.uid, () => this.#capture(instance, options));
  }

  async #capture(instance: DriverInstance, options: CallOptions): Promise<Uint8Array> {
    const { domain } = await this.#access.find(instance, options.signal);
    if (!domain.hasScreen) throw noScreen(instance);
    const path = join(instance.directory, "screen");
    await rm(path, { force: true });
    try {
      await this.#access.ask(instance, "take a picture of the screen", ["screenshot", domain.uuid, path], options);
      await using file = await open(path, "r");
      const { size } = await file.stat();
      if (size > maxPictureBytes) throw new Error("libvirt gave a picture that is too large");
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
      return toPng(buffer.subarray(0, bytesRead));
    } finally {
      await rm(path, { force: true });
    }
  }

  async *connectScreen(
    instance: DriverInstance,
    _handle: RecoveryHandle,
    { protocol, input }: Viewer,
    { signal }: CallOptions,
  ): AsyncGenerator<FromServer> {
    const { uri, domain } = await this.#access.find(instance, signal);
    if (!domain.hasScreen) throw noScreen(instance);
    const { graphics } = domain;
    const where = graphics.find(({ type, socket, port }) => type === protocol && (socket !== "" || port > 0));
    if (where === undefined || !isOnThisHost(uri)) {
      const what =
        where === undefined ? `its screen is not shown by ${names[protocol]}` : "its hypervisor is on another host";
      const other = protocol === "vnc" ? "spice" : "vnc";
      const isOther = where === undefined && graphics.some(({ type }) => type === other);
      const remedy = isOther
        ? `it is by ${names[other]}: zor view ${instance.id} --protocol ${other}`
        : `a picture of it is to be had with: zor view ${instance.id} --png FILE`;
      throw failedPrecondition(`NO_${names[protocol]}`, instance.name, `${instance.name}: ${what}; ${remedy}`);
    }
    yield* socketStream(await dialScreen(where, instance.name, signal), input, signal);
  }
}

async function dialScreen({ socket: path, port }: Graphics, resource: string, signal: AbortSignal): Promise<Socket> {
  const socket = path === "" ? connect({ host: "127.0.0.1", port }) : connect({ path });
  const limit = AbortSignal.any([signal, timeLimit(connectMs)]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = (): void => reject(limit.reason);
  socket.once("connect", resolve);
  socket.once("error", reject);
  limit.addEventListener("abort", giveUp, { once: true });
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw unavailable("SCREEN_UNREACHABLE", resource, `the screen of ${resource} does not answer: ${toldOf(error)}`);
  } finally {
    limit.removeEventListener("abort", giveUp);
  }
}

/** "qemu:///system" and "qemu+unix:///system?socket=…", not "qemu+ssh://host/system". */
function isOnThisHost(uri: string): boolean {
  return /^[a-z0-9]+(\+unix)?:\/\/\//.test(uri);
}

function noScreen({ name }: DriverInstance): Error {
  const remedy = "give it one with: virsh edit (<graphics type='vnc'/> and <video/>), or use: zor console";
  return failedPrecondition("NO_SCREEN", name, `${name} has no screen; ${remedy}`);
}
