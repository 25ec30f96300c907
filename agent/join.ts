import { findCaller } from "../lib/auth/caller.js";
import { permissionDenied } from "../lib/errors.js";
import { saveIdentity } from "../lib/tls/identity.js";
import { join as joinHub } from "../lib/tls/join.js";
import { type AgentConfig, settle } from "./config.js";
import { ensureHostUid } from "./host/host-uid.js";
import { lockState } from "./host/state-lock.js";
import { identityDirectory } from "./identity-holder.js";
import { saveJoinData } from "./join-data.js";

/**
 * Turns a token into this host's identity, in the state directory, and resolves to the host's id. The agent must not run.
 * @throws {ZorError} what the hub says, or PERMISSION_DENIED for a token that is not a host's.
 */
export async function joinAsHost(token: string, config: AgentConfig): Promise<string> {
  await using _lock = await lockState(config.state);
  const uid = await ensureHostUid(config.state);
  const { listen, underlay, dialOut, undialable } = settle(config, undefined, config.host ?? "");
  const host = { addresses: dialOut ? [] : [...listen], underlayAddresses: [...underlay], undialable, uid };
  const { identity, response } = await joinHub(token, { host });
  const caller = findCaller([response.identity]);
  if (caller?.kind !== "host") {
    throw permissionDenied(`the token is for ${response.identity}, not for a host; make one with: zor host add`);
  }
  await saveIdentity(identityDirectory(config.state), identity);
  await saveJoinData(config.state, {
    host: caller.id,
    hubAddresses: response.hubAddresses,
    hubReverseAddresses: response.hubReverseAddresses,
    listen: [...listen],
    underlay: [...underlay],
    dialOut,
    undialable,
  });
  return caller.id;
}
