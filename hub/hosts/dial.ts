import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { Connection } from "../../lib/grpc/connection.js";
import { apiLevel, version } from "../../lib/program.js";
import type { Identity } from "../../lib/tls/identity.js";
import { hostServerName } from "../../lib/tls/join.js";
import { AgentServiceService, type HelloResponse } from "../../proto/gen/zor/agent/v1/agent_service.js";

/** An agent that has said hello. */
export interface Greeted {
  readonly connection: Connection;
  readonly hello: HelloResponse;
  /** Serial numbers of revoked certificates, as the agent was told. */
  readonly toldRevoked: readonly string[];
  /** Ends the connection and what carries it. */
  readonly close: () => void;
}

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
}

/** An agent that does not say hello within this time counts as silent. */
const helloTimeoutMs = 3000;

/**
 * Opens a connection to an agent and greets it. Its certificate must be the one of exactly this host.
 * @throws {ZorError} reason INCOMPATIBLE when no API level fits, WRONG_HOST when it says it is another host; else why it failed.
 */
export async function dial(address: string, options: DialOptions): Promise<Greeted> {
  const { host, hub, revokedSerials } = options;
  const connection = new Connection({
    address,
    identity: options.identity,
    serverName: hostServerName(host),
    serverUri: `zor://host/${host}`,
    isRevoked: options.isRevoked,
  });
  try {
    const hello = await connection.unary(
      AgentServiceService.hello,
      {
        hubVersion: version,
        minApiLevel: apiLevel,
        maxApiLevel: apiLevel,
        hub,
        revokedSerials: [...revokedSerials],
      },
      { timeoutMs: helloTimeoutMs, signal: options.signal },
    );
    if (hello.apiLevel !== apiLevel) throw incompatible(host, hello);
    if (hello.hostId !== host) {
      throw new ZorError({
        reason: "WRONG_HOST",
        code: status.FAILED_PRECONDITION,
        message: `the agent at ${address} says it is of hosts/${hello.hostId}`,
      });
    }
    return { connection, hello, toldRevoked: revokedSerials, close: () => connection.close() };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function incompatible(host: string, hello: HelloResponse): ZorError {
  return new ZorError({
    reason: "INCOMPATIBLE",
    code: status.FAILED_PRECONDITION,
    message: `the agent has version ${hello.agentVersion} and no API level that hub ${version} can use: upgrade the older of the two`,
    resource: `hosts/${host}`,
  });
}
