import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Calls } from "../../lib/grpc/connection.js";
import { DirectConnection } from "../../lib/grpc/direct-connection.js";
import type { ConnectionOptions } from "../../lib/grpc/server-identity.js";
import { apiLevel, version } from "../../lib/program.js";
import type { Identity } from "../../lib/tls/identity.js";
import { hostServerName } from "../../lib/tls/join.js";
import { AgentServiceService, type HelloResponse } from "../../proto/gen/zor/agent/v1/agent_service.js";
import type { DialGate } from "./dial-gate.js";

/** An agent that has said hello. */
export interface Greeted {
  readonly connection: DirectConnection;
  readonly hello: HelloResponse;
  /** "ip:port" where it is. */
  readonly peer: string;
  /** Serial numbers of revoked certificates, as the agent was told. */
  readonly toldRevoked: readonly string[];
  /** What comes at once with a new connection is done: another may be made. Idempotent; closing does it as well. */
  readonly settled: () => void;
  /** Ends the connection and what carries it. */
  readonly close: () => void;
}

/** What is dialled: an address, or a door to one. */
export type Way = Pick<ConnectionOptions, "address" | "carrier">;

/** Whom to greet. */
export interface DialOptions {
  /** Id of the host the agent must be of. */
  readonly host: string;
  readonly identity: Identity;
  /** Name of this hub. */
  readonly hub: string;
  /** Whether a certificate with this serial number is revoked. */
  readonly isRevoked: (serial: string) => boolean;
  /** Serial numbers of revoked certificates, for the agent. */
  readonly revokedSerials: readonly string[];
  readonly signal: AbortSignal;
  /** Where its turn comes. */
  readonly gate: DialGate;
}

/** An agent that does not say hello within this time counts as silent. */
const helloTimeoutMs = 3000;

/**
 * Opens a connection to an agent and greets it. Its certificate must be the one of exactly this host.
 * @throws {ZorError} reason INCOMPATIBLE when no API level fits, WRONG_HOST when it says it is another host; else why it failed.
 */
export async function dial(way: Way, options: DialOptions): Promise<Greeted> {
  const { host, revokedSerials } = options;
  const settled = await options.gate.enter(options.signal);
  const connection = new DirectConnection({
    ...way,
    identity: options.identity,
    serverName: hostServerName(host),
    serverUri: `zor://host/${host}`,
    isRevoked: options.isRevoked,
  });
  try {
    const hello = await greet(connection, "", options);
    if (hello.apiLevel !== apiLevel) throw incompatible(host, hello);
    if (hello.hostId !== host) {
      throw new ZorError({
        reason: "WRONG_HOST",
        code: status.FAILED_PRECONDITION,
        message: `the agent at ${connection.address} says it is of hosts/${hello.hostId}`,
      });
    }
    const close = (): void => {
      settled();
      connection.close();
    };
    return { connection, hello, peer: connection.peer, toldRevoked: revokedSerials, settled, close };
  } catch (error) {
    settled();
    connection.close();
    throw error;
  }
}

/** Whether an agent that was met is still where it was, asked within seconds. */
export async function isThere(boot: string, way: Way, options: DialOptions): Promise<boolean> {
  try {
    const { hello, close } = await dial(way, options);
    close();
    return hello.epoch === boot;
  } catch {
    return false;
  }
}

/** Tells an agent that it is not used, and why; ends the connection. One that cannot be told is not used either. */
export async function refuseAgent({ connection, close }: Greeted, why: string, options: DialOptions): Promise<void> {
  try {
    await greet(connection, why, options);
  } catch {
    // It has gone, which is what is wanted.
  } finally {
    close();
  }
}

function greet(connection: Calls, refusal: string, options: DialOptions): Promise<HelloResponse> {
  const { hub, revokedSerials, signal } = options;
  return connection.unary(
    AgentServiceService.hello,
    {
      hubVersion: version,
      minApiLevel: apiLevel,
      maxApiLevel: apiLevel,
      hub,
      revokedSerials: [...revokedSerials],
      refusal,
    },
    { timeoutMs: helloTimeoutMs, signal },
  );
}

function incompatible(host: string, hello: HelloResponse): ZorError {
  return new ZorError({
    reason: "INCOMPATIBLE",
    code: status.FAILED_PRECONDITION,
    message: `the agent has version ${hello.agentVersion} and no API level that hub ${version} can use: upgrade the older of the two`,
    resource: `hosts/${host}`,
  });
}
