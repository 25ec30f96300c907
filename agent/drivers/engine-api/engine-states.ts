import { z } from "zod";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { CallOptions, DriverInstance } from "../driver-instance.js";
import { nameLabel, uidLabel } from "./container-state.js";
import type { EngineClient } from "./engine-client.js";
import type { EngineContainers } from "./engine-containers.js";
import { isNotThere } from "./engine-error.js";
import { assertEngineRoom } from "./engine-room.js";
import { removeImage } from "./name-guard.js";

/** A state of a container that its engine keeps as an image. */
export interface KeptState {
  /** Id of the image. */
  readonly id: string;
  /** Size of all its layers. */
  readonly bytes: number;
  /** Of those, what the container's own image has not. */
  readonly addedBytes: number;
}

/** Copying what a container has written takes as long as the disk does. */
const commitMs = 1_800_000;
const imageSchema = z.object({ Id: z.string().max(256), Size: z.number().min(0).default(0) });
const sizeSchema = z.object({ SizeRw: z.number().min(0).nullish(), SizeRootFs: z.number().min(0).nullish() });

/** States of containers: images that an engine makes of what they have written, with names of ours. */
export class EngineStates {
  readonly #client: EngineClient;
  readonly #containers: EngineContainers;

  constructor({ client, containers }: { readonly client: EngineClient; readonly containers: EngineContainers }) {
    this.#client = client;
    this.#containers = containers;
  }

  /** Keeps what a container holds at one instant; its processes hold still meanwhile. On error or abort nothing is left. */
  async keep(instance: DriverInstance, name: string, { signal }: CallOptions): Promise<KeptState> {
    const { Id: container, Image: base, State: state } = await this.#containers.get(instance, signal);
    const [repo = "", tag = ""] = name.split(":");
    // What is made of it is not ours, whatever the image says.
    const changes = [uidLabel, nameLabel].map((label) => `LABEL ${label}=""`).join("\n");
    const pause = state.Running && !state.Paused ? "1" : "0";
    const query = { container, repo, tag, pause, changes };
    try {
      // Whole or not at all: an engine goes on with what it was asked.
      const request = { method: "POST", path: "/commit", query, body: {}, signal: uninterrupted } as const;
      await this.#client.call({ ...request, deadlineMs: commitMs });
      signal.throwIfAborted();
      const [made, below] = [await this.#look(name, signal), await this.#look(base, signal)];
      if (made === undefined) throw new Error(`${this.#client.product} made an image and does not have it`);
      const addedBytes = Math.max(0, made.Size - (below?.Size ?? 0));
      return { id: made.Id, bytes: made.Size, addedBytes };
    } catch (error) {
      await this.forget(name, uninterrupted).catch(() => undefined);
      throw error;
    }
  }

  /** Id of a state; undefined: the engine has none of that name. */
  async find(name: string, signal: AbortSignal): Promise<string | undefined> {
    return (await this.#look(name, signal))?.Id;
  }

  /** Takes the name of a state away, and the state with it unless a container is made of it. Idempotent. */
  async forget(name: string, signal: AbortSignal): Promise<void> {
    await removeImage(this.#client, name, signal);
  }

  /** Has a container that does not run hold what a state holds. */
  async rebase(instance: DriverInstance, image: string): Promise<void> {
    await this.#containers.rebase(instance, image);
  }

  /** Bytes of a container with all its layers. */
  async sizeOf(instance: DriverInstance, signal: AbortSignal): Promise<number> {
    return (await this.#sizes(instance, signal)).SizeRootFs ?? 0;
  }

  /** @throws {ZorError} RESOURCE_EXHAUSTED: what it has written does not fit once more on the engine's disk. */
  async assertRoom(instance: DriverInstance, signal: AbortSignal): Promise<void> {
    const { SizeRw: bytes } = await this.#sizes(instance, signal);
    await assertEngineRoom(this.#client, { bytes: bytes ?? 0, what: `a copy of ${instance.name}`, signal });
  }

  async #sizes(instance: DriverInstance, signal: AbortSignal): Promise<z.output<typeof sizeSchema>> {
    const { Id: id } = await this.#containers.get(instance, signal);
    const request = { method: "GET", path: `/containers/${id}/json`, query: { size: "1" }, signal } as const;
    return await this.#client.json({ ...request, deadlineMs: commitMs }, sizeSchema);
  }

  async #look(name: string, signal: AbortSignal): Promise<z.output<typeof imageSchema> | undefined> {
    const path = `/images/${name.split("/").map(encodeURIComponent).join("/")}/json`;
    try {
      return await this.#client.json({ method: "GET", path, signal }, imageSchema);
    } catch (error) {
      if (isNotThere(error)) return undefined;
      throw error;
    }
  }
}
