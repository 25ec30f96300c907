import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import { Volumes } from "./volumes.js";

/** Volumes, for the list of kinds; after pools, which they are in, and before instances, which have them. */
export const volumeKind: KindModule<AgentContext> = { kind: "volume", open };

async function open(context: AgentContext): Promise<KindPart> {
  const volumes = new Volumes(context);
  await volumes.restore();
  for (const { can } of context.parts.drivers) can.volumes?.giveVolumes(volumes.access);
  return {
    methods: standardMethods<Volume>("volume", volumes, context.scope),
    source: volumes.source,
    run: (signal) => volumes.follow(signal),
  };
}
