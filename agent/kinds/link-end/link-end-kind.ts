import { CableServiceService } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkTransport } from "../../../proto/gen/zor/v1/link.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import { whyNoVxlan } from "../../network/vxlan-device.js";
import type { AgentContext, CablePart } from "../../parts.js";
import { DropFilters } from "../../cable/drop-filters.js";
import { CableManager } from "./cable-manager.js";
import { cableService } from "./cable-service.js";
import { LocalLinks } from "./local-links.js";
import { VxlanLinks } from "./vxlan-links.js";

/** The ends of links on this host, for the list of kinds. They belong to links, which live on hubs: only hubs see them. */
export const linkEndKind: KindModule<AgentContext> = {
  kind: "link-end",
  open: async (context) => {
    const { cables } = context.parts;
    return cables === undefined ? undefined : open(context, cables);
  },
};

/** Adopts the host's cable engine, or starts one, and serves its link ends. */
async function open(
  { settings, log, signal }: AgentContext,
  { plugger, udpSuperFrames }: CablePart,
): Promise<KindPart> {
  const { state: stateDirectory, cableListen, netns, host, allowPlainLinks } = settings;
  const policy = { allowPlainLinks, udpSuperFrames };
  const cables = await CableManager.open({ stateDirectory, cableListen, netns, ...policy, plugger, log }, signal);
  const localLinks = new LocalLinks({ stateDirectory, netns, plugger, log });
  await localLinks.ready();
  const { port, keySha256 } = cables.identity();
  const vxlanMissing = await whyNoVxlan(undefined);
  const hasVxlan = allowPlainLinks && vxlanMissing === "";
  const vxlanLinks = await VxlanLinks.open({
    ...{ stateDirectory, netns, plugger, log },
    salt: keySha256,
    allowed: hasVxlan,
  });
  const handlers = cableService({
    ...{ cables, localLinks, vxlanLinks, host, dropFilters: new DropFilters(host) },
    allowLoopbackPeers: false,
    allowPlainLinks,
    vxlanMissing,
  });
  return {
    methods: [serve(CableServiceService, handlers)],
    hello: {
      cablePort: port,
      cableKeySha256: keySha256,
      linkTransports: [LinkTransport.LINK_TRANSPORT_TCP, ...(hasVxlan ? [LinkTransport.LINK_TRANSPORT_VXLAN] : [])],
      vxlanMissing,
    },
    close: async () => {
      await vxlanLinks.close();
      await localLinks.close();
      await cables.close();
    },
  };
}
