import { Connection } from "../../lib/grpc/connection.js";
import { loadIdentity } from "../../lib/tls/identity.js";
import type { Context } from "./contexts.js";

/** How long each of several addresses may take before the next is tried. */
const perAddressMs = 1500;

/**
 * Opens a connection to a context's hub or agent. With one address it does not wait: the first call tells whether the
 * server is there. With several, the first that answers is taken, or the first of all when none does.
 * @throws {ZorError} FAILED_PRECONDITION when the context's identity cannot be used.
 */
export async function openHub(context: Context): Promise<Connection> {
  const identity = await loadIdentity(context.identityDirectory);
  const open = (address: string) => new Connection({ address, identity, serverName: context.serverName });
  const [first = ""] = context.addresses;
  if (context.addresses.length === 1) return open(first);
  for (const address of context.addresses) {
    const connection = open(address);
    try {
      await connection.ready(perAddressMs);
      return connection;
    } catch {
      // The next address may answer; if none does, the first call's error names the first.
      connection.close();
    }
  }
  return open(first);
}
