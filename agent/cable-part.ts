import type { Log } from "../lib/log.js";
import type { AgentSettings } from "./config.js";
import { CableManager, type CablePlugger } from "./network/c2c/cable-manager.js";
import { LocalLinks } from "./network/c2c/local-links.js";
import type { CablePart } from "./parts.js";
import { cableService } from "./services/cable-service.js";

/** Adopts the host's cable engine, or starts one, and serves its link ends. */
export async function openCablePart(
  { settings, log, signal }: { readonly settings: AgentSettings; readonly log: Log; readonly signal: AbortSignal },
  plugger: CablePlugger,
): Promise<CablePart> {
  const { state: stateDirectory, cableListen, netns, host, allowPlainLinks } = settings;
  const cables = await CableManager.open({ stateDirectory, cableListen, netns, allowPlainLinks, plugger, log }, signal);
  const localLinks = new LocalLinks({ stateDirectory, netns, plugger, log });
  await localLinks.ready();
  const { port, keySha256 } = cables.identity();
  return {
    handlers: cableService({ cables, localLinks, host, allowLoopbackPeers: false, allowPlainLinks }),
    port,
    keySha256,
    close: async () => {
      await localLinks.close();
      await cables.close();
    },
  };
}
