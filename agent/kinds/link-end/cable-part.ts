import type { Log } from "../../../lib/log.js";
import type { AgentSettings } from "../../config.js";
import { CableManager } from "./cable-manager.js";
import { LocalLinks } from "./local-links.js";
import { whyNoVxlan } from "../../network/vxlan-device.js";
import { VxlanLinks } from "./vxlan-links.js";
import type { CablePlugger } from "../../cable/plugger.js";
import type { CablePart } from "../../parts.js";
import { cableService } from "./cable-service.js";

/** Adopts the host's cable engine, or starts one, and serves its link ends. */
export async function openCablePart(
  { settings, log, signal }: { readonly settings: AgentSettings; readonly log: Log; readonly signal: AbortSignal },
  { plugger, udpSuperFrames }: { readonly plugger: CablePlugger; readonly udpSuperFrames: boolean },
): Promise<CablePart> {
  const { state: stateDirectory, cableListen, netns, host, allowPlainLinks } = settings;
  const policy = { allowPlainLinks, udpSuperFrames };
  const cables = await CableManager.open({ stateDirectory, cableListen, netns, ...policy, plugger, log }, signal);
  const localLinks = new LocalLinks({ stateDirectory, netns, plugger, log });
  await localLinks.ready();
  const { port, keySha256 } = cables.identity();
  const vxlanMissing = await whyNoVxlan(undefined);
  const vxlanLinks = await VxlanLinks.open({
    ...{ stateDirectory, netns, plugger, log },
    salt: keySha256,
    allowed: allowPlainLinks && vxlanMissing === "",
  });
  return {
    handlers: cableService({
      ...{ cables, localLinks, vxlanLinks, host },
      allowLoopbackPeers: false,
      allowPlainLinks,
      vxlanMissing,
    }),
    vxlan: allowPlainLinks && vxlanMissing === "",
    vxlanMissing,
    port,
    keySha256,
    close: async () => {
      await vxlanLinks.close();
      await localLinks.close();
      await cables.close();
    },
  };
}
