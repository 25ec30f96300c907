import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { VolumeServiceService } from "../../../proto/gen/zor/v1/volume_service.js";
import { InstanceServiceService, UpdateInstanceRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { listed } from "../../../lib/words.js";
import { type Action, deletes } from "../../kit/action.js";
import { shortName } from "../../kit/resource-name.js";
import { withoutVolume } from "./attaching.js";

/** What can be asked of a volume. */
export const volumeActions: readonly Action<Volume>[] = [
  {
    verb: "detach",
    keys: ["x"],
    title: "take it away from the machines that have it",
    hint: "detach",
    dangerous: true,
    whyNot: ({ resource }) => (resource.status?.usedBy.length ? undefined : "no machine has it"),
    effect: ({ resource }) =>
      `${listed(
        (resource.status?.usedBy ?? []).map(({ instance, disk }) => `${shortName(instance)} loses ${disk}`),
        4,
      )}; what is on it stays`,
    isDone: (_, now) => now.resource.status?.usedBy.length === 0,
    run: async (row, { connection, request: { requestId, validateOnly }, options }) => {
      const names = new Set((row.resource.status?.usedBy ?? []).map(({ instance }) => instance));
      for (const [index, name] of [...names].entries()) {
        const { instance } = await connection.unary(InstanceServiceService.getInstance, { name }, options);
        if (instance === undefined) continue;
        const { resource, paths, etag } = withoutVolume(instance, row.id);
        const update = UpdateInstanceRequest.fromPartial({
          ...{ instance: { ...resource, name, etag }, updateMask: [...paths] },
          ...{ requestId: `${requestId}-${index}`, validateOnly },
        });
        await connection.unary(InstanceServiceService.updateInstance, update, options);
      }
      return undefined;
    },
  },
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
