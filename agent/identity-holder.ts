import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { findCaller } from "../lib/auth/caller.js";
import { ZorError } from "../lib/errors.js";
import { certificateFacts, type Identity, loadIdentity } from "../lib/tls/identity.js";

/** The identity in use; renewal replaces it while everything runs. */
export class IdentityHolder {
  #current: Identity;
  readonly #listeners = new Set<(identity: Identity) => void>();

  constructor(identity: Identity) {
    this.#current = identity;
  }

  get current(): Identity {
    return this.#current;
  }

  /** Replaces the identity and tells those that hold a copy. */
  replace(identity: Identity): void {
    this.#current = identity;
    for (const listener of this.#listeners) listener(identity);
  }

  /** Calls back at every replacement. */
  onReplace(listener: (identity: Identity) => void): void {
    this.#listeners.add(listener);
  }
}

/** Where an agent keeps its identity. */
export function identityDirectory(stateDirectory: string): string {
  return join(stateDirectory, "identity");
}

/**
 * Reads the agent's identity and the host it names. @param wanted host id from the settings; undefined: whichever it is.
 * @throws {ZorError} FAILED_PRECONDITION when there is none, it is not a host's, or another host's.
 */
export async function loadHostIdentity(
  stateDirectory: string,
  wanted: string | undefined,
): Promise<{ readonly identity: Identity; readonly host: string }> {
  const identity = await loadIdentity(identityDirectory(stateDirectory));
  const caller = findCaller(certificateFacts(identity.certificatePem).uris);
  if (caller?.kind !== "host") {
    throw badIdentity("the identity in the state directory is not that of a host; join with a token made for a host");
  }
  if (wanted !== undefined && wanted !== caller.id) {
    throw badIdentity(
      `the identity in the state directory is that of host ${caller.id}, not ${wanted}; drop --host or use another --state`,
    );
  }
  return { identity, host: caller.id };
}

function badIdentity(message: string): ZorError {
  return new ZorError({ reason: "WRONG_IDENTITY", code: status.FAILED_PRECONDITION, message });
}
