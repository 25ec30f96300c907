import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { VolumeServiceService } from "../../../proto/gen/zor/v1/volume_service.js";
import { serve } from "../../kit/serve.js";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import { Volumes } from "./volumes.js";

const maxRate = 2n ** 40n;

/** Volumes, for the list of kinds; after pools, which they are in, and before instances, which have them. */
export const volumeKind: KindModule<AgentContext> = { kind: "volume", open };

async function open(context: AgentContext): Promise<KindPart> {
  const volumes = new Volumes(context);
  await volumes.restore();
  for (const { can } of context.parts.drivers) can.volumes?.giveVolumes(volumes.access);
  return {
    methods: [
      ...standardMethods<Volume>("volume", volumes, context.scope),
      serve(VolumeServiceService, {
        moveVolume: async ({ name, pool, bytesPerSecond, requestId, validateOnly }, { caller }) => {
          const id = context.scope.parse("volume", "name", name);
          const to = parseId("pool", pool);
          if (bytesPerSecond < 0n || bytesPerSecond > maxRate) {
            throw invalidArgument("bytes_per_second", `${bytesPerSecond} is not between 0 and ${maxRate}`);
          }
          const asked = { requestId, validateOnly, caller: caller.identity };
          return { operation: await volumes.moves.start(id, to, { ...asked, bytesPerSecond: Number(bytesPerSecond) }) };
        },
      }),
    ],
    source: volumes.source,
    run: (signal) => volumes.follow(signal),
  };
}
