import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { VolumeServiceService } from "../../../proto/gen/zor/v1/volume_service.js";
import { type Action, deletes } from "../../kit/action.js";
import { shortName } from "../../kit/resource-name.js";

/** What can be asked of a volume. */
export const volumeActions: readonly Action<Volume>[] = [
  {
    ...deletes,
    whyNot: ({ resource }) => {
      const [first] = resource.status?.usedBy ?? [];
      return first === undefined ? undefined : `${shortName(first.instance)} has it`;
    },
    effect: () => "what is on it is gone for good",
    run: async (_, { connection, request, options }) => {
      await connection.unary(VolumeServiceService.deleteVolume, request, options);
      return undefined;
    },
  },
];
