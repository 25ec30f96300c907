import { ControlClient } from "../engine/protocol/control-client.js";
import { type BoxesEvent, type BoxRequest, type BoxSpec, boxesEventSchema } from "../engine/protocol/box-protocol.js";

/** Talks to the boxes of a running cable engine. */
export class BoxClient {
  readonly #control: ControlClient<BoxRequest>;

  private constructor(control: ControlClient<BoxRequest>) {
    this.#control = control;
  }

  /** Connects; undefined when no engine serves the socket. `onBoxes` is called after {@link watch}. */
  static async connect(path: string, onBoxes: (event: BoxesEvent) => void): Promise<BoxClient | undefined> {
    const events = { schema: boxesEventSchema, onEvent: onBoxes };
    const control = await ControlClient.connect<BoxRequest, BoxesEvent>(path, events);
    return control === undefined ? undefined : new BoxClient(control);
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#control.closed;
  }

  /** Makes or changes a box; durable when it resolves. */
  async ensureBox(spec: BoxSpec): Promise<void> {
    await this.#control.send({ method: "ensureBox", spec });
  }

  /** Removes a box and its taps. Idempotent. */
  async deleteBox(uid: string): Promise<void> {
    await this.#control.send({ method: "deleteBox", uid });
  }

  /** Tells whether a tap is plugged into its lan: `fault` says why not. */
  async setPort(uid: string, side: 0 | 1, generation: string, fault: string): Promise<void> {
    await this.#control.send({ method: "setPort", uid, side, generation, fault: fault.slice(0, 300) });
  }

  /** From now on boxes are told to `onBoxes`, all of them first. */
  async watch(): Promise<void> {
    await this.#control.send({ method: "watch" });
  }

  close(): void {
    this.#control.close();
  }
}
