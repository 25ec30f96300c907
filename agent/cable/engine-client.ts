import { ControlClient } from "../engine/protocol/control-client.js";
import type { EndSpec } from "../engine/protocol/end-record.js";
import {
  diagnoseResultSchema,
  type EndDiagnosis,
  type EndsEvent,
  type EndView,
  type EngineHello,
  type EngineRequest,
  endsEventSchema,
  ensureEndResultSchema,
  helloSchema,
} from "../engine/protocol/engine-protocol.js";

/** Talks to a running cable engine. */
export class EngineClient {
  readonly #control: ControlClient<EngineRequest>;

  private constructor(control: ControlClient<EngineRequest>) {
    this.#control = control;
  }

  /** Connects; undefined when no engine serves the socket. `onEnds` is called after {@link watch}. */
  static async connect(path: string, onEnds: (event: EndsEvent) => void): Promise<EngineClient | undefined> {
    const events = { schema: endsEventSchema, onEvent: onEnds };
    const control = await ControlClient.connect<EngineRequest, EndsEvent>(path, events);
    return control === undefined ? undefined : new EngineClient(control);
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#control.closed;
  }

  hello(): Promise<EngineHello> {
    return this.#control.ask({ method: "hello" }, helloSchema);
  }

  async ensureEnd(end: EndSpec): Promise<EndView> {
    return (await this.#control.ask({ method: "ensureEnd", end }, ensureEndResultSchema)).end;
  }

  async deleteEnd(link: string, linkUid: string): Promise<void> {
    await this.#control.send({ method: "deleteEnd", link, linkUid });
  }

  async setPort(linkUid: string, generation: string, fault: string): Promise<void> {
    await this.#control.send({ method: "setPort", linkUid, generation, fault: fault.slice(0, 300) });
  }

  /** Tests an end, which takes some seconds. */
  async diagnose(linkUid: string): Promise<EndDiagnosis> {
    return (await this.#control.ask({ method: "diagnose", linkUid }, diagnoseResultSchema)).diagnosis;
  }

  /** From now on ends are told to `onEnds`, all of them first. */
  async watch(): Promise<void> {
    await this.#control.send({ method: "watch" });
  }

  /** Ends the engine. Resolves when it has closed the connection. */
  async shutdown(): Promise<void> {
    await this.#control.send({ method: "shutdown" });
    await this.closed;
  }

  close(): void {
    this.#control.close();
  }
}
