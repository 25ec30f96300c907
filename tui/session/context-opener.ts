import type { Connection } from "../../lib/grpc/connection.js";
import type { Environment } from "../../lib/terminal.js";
import { loadContext } from "../client/contexts.js";
import { openHub } from "../client/open-hub.js";
import type { Session } from "../kit/model.js";
import { callWithoutHub } from "./call-without-hub.js";
import type { FleetGateway } from "./gateway.js";
import { createHubGateway } from "./hub-gateway.js";
import { createHubsGateway } from "./hubs-gateway.js";

type Questions = Parameters<typeof openHub>[1]["questions"];

/** A context, or several in one view. */
export interface OpenedContext {
  readonly session: Pick<Session, "context" | "address">;
  readonly gateway: FleetGateway;
}

/** Opens contexts; each stays open until all are closed, for what still goes on there. */
export class ContextOpener {
  readonly #env: Environment;
  readonly #logKind: string | undefined;
  readonly #open = new Map<string, Connection>();

  /** @param logKind singular of the kind of what happened. */
  constructor(env: Environment, logKind: string | undefined) {
    this.#env = env;
    this.#logKind = logKind;
  }

  /** @param names of contexts; none: the current one. @throws {ZorError} when one is not there, or cannot be used. */
  async open(names: readonly string[], questions: Questions): Promise<OpenedContext> {
    if (names.length < 2) {
      const { name, connection } = await this.#connect(names[0], questions);
      return {
        session: { context: name, address: connection.address },
        gateway: createHubGateway(connection, name),
      };
    }
    const parts = [];
    // One after the other: each may ask for something at the terminal.
    for (const wanted of names) {
      const { name, connection } = await this.#connect(wanted, questions);
      parts.push({ name, gateway: createHubGateway(callWithoutHub(connection, name), name) });
    }
    return {
      session: { context: names.join("+"), address: `${names.length} hubs` },
      gateway: createHubsGateway(parts, this.#logKind),
    };
  }

  close(): void {
    for (const connection of this.#open.values()) connection.close();
  }

  async #connect(
    wanted: string | undefined,
    questions: Questions,
  ): Promise<{ readonly name: string; readonly connection: Connection }> {
    const context = await loadContext({ name: wanted, env: this.#env });
    const connection = this.#open.get(context.name) ?? (await openHub(context, { env: this.#env, questions }));
    this.#open.set(context.name, connection);
    return { name: context.name, connection };
  }
}
