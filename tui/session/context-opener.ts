import type { Connection } from "../../lib/grpc/connection.js";
import type { Environment } from "../../lib/terminal.js";
import { failedPrecondition } from "../../lib/errors.js";
import { HealthService } from "../../proto/gen/grpc/health/v1/health.js";
import { agentContext } from "../client/agent-context.js";
import {
  agentOf,
  configDirectory,
  type Context,
  listContexts,
  loadContext,
  saveContext,
  wayOf,
} from "../client/contexts.js";
import { openHub, reachHub } from "../client/open-hub.js";
import type { AgentPlace } from "../kit/agent-place.js";
import type { Session } from "../kit/model.js";
import { callWithoutHub } from "./call-without-hub.js";
import type { FleetGateway } from "./gateway.js";
import { createHubGateway } from "./hub-gateway.js";
import { createHubsGateway } from "./hubs-gateway.js";

/** Longest wait for an agent that is asked for. */
const agentMs = 5000;

type Questions = Parameters<typeof openHub>[1]["questions"];

/** A context, or several in one view. */
export interface OpenedContext {
  readonly session: Pick<Session, "context" | "address" | "agentOf" | "own">;
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
      const { name, agentOf: host, connection } = await this.#connect(names[0], questions);
      return {
        session: { context: name, address: connection.address, agentOf: host, own: new Map([["", connection.caller]]) },
        gateway: createHubGateway(connection, name),
      };
    }
    const parts = [];
    const own = new Map<string, string>();
    // One after the other: each may ask for something at the terminal.
    for (const wanted of names) {
      const { name, connection } = await this.#connect(wanted, questions);
      own.set(name, connection.caller);
      parts.push({ name, gateway: createHubGateway(callWithoutHub(connection, name), name) });
    }
    return {
      session: { context: names.join("+"), address: `${names.length} hubs`, agentOf: undefined, own },
      gateway: createHubsGateway(parts, this.#logKind),
    };
  }

  /**
   * Keeps a context that leads past a hub, straight to the agent of one of its hosts, once that has answered; resolves to its name.
   * @throws {ZorError} when the agent does not answer, or another context has that name; nothing is kept then.
   */
  async openAgent(from: string, place: AgentPlace, signal: AbortSignal): Promise<string> {
    const wanted = agentContext(await loadContext({ name: from, env: this.#env }), place);
    const directory = configDirectory(this.#env);
    const known = (await listContexts(directory)).contexts.find(({ name }) => name === wanted.name);
    if (known !== undefined && !isOfSame(known, wanted)) {
      throw failedPrecondition(
        "CONTEXT_TAKEN",
        known.name,
        `there is a context ${known.name} already, and it leads to ${known.serverName} at ${wayOf(known)}; zor context remove ${known.name} makes room`,
      );
    }
    const connection = await reachHub(wanted, {
      ...{ timeoutMs: agentMs, signal },
      ssh: { env: this.#env, questions: undefined },
    });
    try {
      await connection.unary(HealthService.check, { service: "" }, { timeoutMs: agentMs, signal });
      await saveContext(directory, wanted, false);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#open.get(wanted.name)?.close();
    this.#open.set(wanted.name, connection);
    return wanted.name;
  }

  close(): void {
    for (const connection of this.#open.values()) connection.close();
  }

  async #connect(
    wanted: string | undefined,
    questions: Questions,
  ): Promise<{ readonly name: string; readonly agentOf: string | undefined; readonly connection: Connection }> {
    const context = await loadContext({ name: wanted, env: this.#env });
    const connection = this.#open.get(context.name) ?? (await openHub(context, { env: this.#env, questions }));
    this.#open.set(context.name, connection);
    return { name: context.name, agentOf: agentOf(context), connection };
  }
}

/** Whether two contexts lead to the same server as the same person; its address may have changed. */
function isOfSame(left: Context, right: Context): boolean {
  return left.serverName === right.serverName && left.identityDirectory === right.identityDirectory;
}
