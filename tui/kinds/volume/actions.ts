import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import {
  MoveVolumeRequest,
  UpdateVolumeRequest,
  VolumeServiceService,
} from "../../../proto/gen/zor/v1/volume_service.js";
import { InstanceServiceService, UpdateInstanceRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { parseId } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import type { FleetView } from "../../kit/fleet/fleet-view.js";
import { formatBytes } from "../../kit/format.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { withoutVolume, withVolume } from "./attaching.js";

const bytesPerMib = 1024n * 1024n;

/** Names of what a volume's host has of a kind. */
function onHost(row: Row<Volume>, fleet: FleetView, kind: string): readonly string[] {
  return [...fleet.rowsOf(kind)].filter(({ host }) => host === row.host).map(({ id }) => id);
}

const move: Omit<Action<Volume>, "input" | "run"> = {
  verb: "move",
  keys: ["m"],
  title: "move it to another pool of its host, also while a machine writes to it",
  hint: "move",
  effect: () => "goes to another pool; it can be cancelled",
  isDoneBy: (type) => type === "volume.moved",
};

const attach: Omit<Action<Volume>, "input" | "run"> = {
  verb: "attach",
  keys: ["a"],
  title: "give it to a machine of its host as a disk, which writes to it",
  hint: "attach",
  effect: () => "becomes a disk of a machine",
  isDone: (_, now) => (now.resource.status?.usedBy.length ?? 0) > 0,
};

const resize: Omit<Action<Volume>, "input" | "run"> = {
  verb: "resize",
  keys: ["+"],
  title: "grow it; a running guest sees its new size at once",
  hint: "grow",
  effect: ({ resource }) => `grows from ${formatBytes((resource.spec?.sizeMib ?? 0n) * bytesPerMib)}; never back`,
  isDone: (before, now) => now.resource.spec?.sizeMib !== before.resource.spec?.sizeMib,
};

/** It is asked for what it does with; nothing is done without. */
const unsaid = async (): Promise<undefined> => undefined;

function moveTo(pool: string): Action<Volume> {
  return {
    ...move,
    effect: () => `goes to pool ${pool}; it can be cancelled`,
    undo: ({ resource }) => (resource.spec === undefined ? undefined : moveTo(resource.spec.pool)),
    run: async (_, { connection, request, options }) => {
      const asked = MoveVolumeRequest.fromPartial({ ...request, pool });
      return (await connection.unary(VolumeServiceService.moveVolume, asked, options)).operation;
    },
  };
}

function attachTo(id: string): Action<Volume> {
  return {
    ...attach,
    // Taking it away takes it from all who have it.
    undo: ({ resource }) => (resource.status?.usedBy.length === 0 ? "detach" : undefined),
    run: async (row, { connection, request: { requestId, validateOnly }, options }) => {
      const name = `hosts/${row.host}/instances/${id}`;
      const { instance } = await connection.unary(InstanceServiceService.getInstance, { name }, options);
      if (instance === undefined) throw new Error("no instance in the response");
      const { resource, paths, etag } = withVolume(instance, { volume: row.id });
      const changed = { ...resource, name, etag };
      const update = { instance: changed, updateMask: [...paths], requestId, validateOnly };
      await connection.unary(InstanceServiceService.updateInstance, UpdateInstanceRequest.fromPartial(update), options);
      return undefined;
    },
  };
}

function growTo(sizeMib: bigint): Action<Volume> {
  return {
    ...resize,
    run: async ({ name }, { connection, request: { requestId, validateOnly }, options }) => {
      const update = { volume: { name, spec: { sizeMib } }, updateMask: ["spec.size_mib"], requestId, validateOnly };
      await connection.unary(VolumeServiceService.updateVolume, UpdateVolumeRequest.fromPartial(update), options);
      return undefined;
    },
  };
}

/** What can be asked of a volume. */
export const volumeActions: readonly Action<Volume>[] = [
  {
    ...move,
    whyNot: (row, fleet) => (onHost(row, fleet, "pool").length > 1 ? undefined : "its host has no other pool"),
    run: unsaid,
    input: {
      label: "pool",
      choices: (row, fleet) => onHost(row, fleet, "pool").filter((id) => id !== row.resource.spec?.pool),
      with: (text) => moveTo(parseId("pool", text)),
    },
  },
  {
    ...attach,
    run: unsaid,
    input: {
      label: "instance",
      choices: (row, fleet) => onHost(row, fleet, "instance"),
      with: (text) => attachTo(parseId("instance", text)),
    },
  },
  { ...resize, run: unsaid, input: { label: "new size", with: (text) => growTo(parseMemoryMib("size", text)) } },
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
    undo: ({ resource }) => {
      const [only, ...others] = resource.status?.usedBy ?? [];
      return only === undefined || others.length > 0
        ? undefined
        : attachTo(shortName(only.instance).split("/").at(-1) ?? "");
    },
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
    ...deletesBy(VolumeServiceService.deleteVolume),
  },
];
