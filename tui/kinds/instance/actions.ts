import type { Method } from "../../../lib/grpc/connection.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { DeleteInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { type Action, type ActionCall, asWave, deletes } from "../../kit/action.js";
import { shortName } from "../../kit/resource-name.js";
import { isAdopted, isOnlyShown, notAdoptedText } from "./drivers/libvirt.js";
import { cuttingPower, deletingInstance, type PowerVerb, whyNotPossible } from "./impact.js";
import { instanceStyle, isUp, stateOf } from "./states.js";

/** So long a guest may take to shut down, and its row waits a little longer to show that. */
const guestSeconds = 60;
const shutdownPatienceMs = (guestSeconds + 15) * 1000;
/** Much memory is written for long. */
const suspendPatienceMs = 10 * 60_000;

/** What can be asked of an instance. */
export const instanceActions: readonly Action<Instance>[] = [
  {
    ...power("start", InstanceServiceService.startInstance),
    keys: ["s"],
    title: "start",
    hint: "start",
    isDone: reaches(InstanceState.INSTANCE_STATE_RUNNING),
  },
  {
    ...power("stop", InstanceServiceService.stopInstance),
    keys: ["x"],
    title: "stop at once, as if the power were cut",
    hint: "stop",
    dangerous: true,
    effect: (row) => cuttingPower(row.resource),
    isDone: reaches(InstanceState.INSTANCE_STATE_STOPPED),
  },
  {
    verb: "shutdown",
    keys: ["Z"],
    title: "shut down: ask the guest, again and again, for a minute; one that does not runs on",
    dangerous: true,
    whyNot: ({ resource }) => whyNotPossible("shutdown", resource),
    effect: (row) => `${instanceStyle(stateOf(row.resource)).word}; its guest is asked, and runs on when it does not`,
    isDone: reaches(InstanceState.INSTANCE_STATE_STOPPED),
    patienceMs: shutdownPatienceMs,
    wave: asWave(InstanceServiceService.shutdownInstance, {
      ...{ name: "", requestId: "", validateOnly: false, timeoutSeconds: guestSeconds },
    }),
    run: async (_, { connection, request, options }) => {
      const asked = { ...request, timeoutSeconds: guestSeconds };
      return (await connection.unary(InstanceServiceService.shutdownInstance, asked, options)).operation;
    },
  },
  {
    ...power("pause", InstanceServiceService.pauseInstance),
    keys: ["p"],
    title: "pause, or resume what is paused",
    hint: "pause",
    instead: (rows) =>
      rows.every((row) => stateOf(row.resource) === InstanceState.INSTANCE_STATE_PAUSED) ? "resume" : undefined,
    isDone: reaches(InstanceState.INSTANCE_STATE_PAUSED),
    undo: () => "resume",
  },
  {
    ...power("resume", InstanceServiceService.resumeInstance),
    keys: [],
    title: "resume",
    isDone: reaches(InstanceState.INSTANCE_STATE_RUNNING),
    undo: () => "pause",
  },
  {
    ...power("reset", InstanceServiceService.resetInstance),
    keys: ["r"],
    title: "reset, as the reset button does",
    dangerous: true,
    effect: (row) => cuttingPower(row.resource),
    isDone: (before, now) =>
      hasFailed(before.resource, now.resource) ||
      (now.resource.status !== undefined &&
        now.resource.status.startTime?.getTime() !== before.resource.status?.startTime?.getTime()),
    isDoneBy: (eventType) => eventType.endsWith("reset"),
  },
  {
    verb: "suspend",
    keys: ["z"],
    title: "suspend to disk: its memory is kept, and the next start goes on from it",
    whyNot: ({ resource }) =>
      resource.spec?.driver?.$case === "qemu"
        ? whyNotPossible("suspend", resource)
        : "is no machine of QEMU, and others cannot be suspended, only paused",
    effect: (row) => instanceStyle(stateOf(row.resource)).word,
    isDone: reaches(InstanceState.INSTANCE_STATE_SUSPENDED),
    patienceMs: suspendPatienceMs,
    run: async (_, { connection, request, options }) =>
      (await connection.unary(InstanceServiceService.suspendInstance, request, options)).operation,
  },
  {
    ...protecting("protect", true),
    keys: ["P"],
    title: "protect from deletion, or take that away",
    instead: (rows) => (rows.every((row) => isProtected(row.resource)) ? "unprotect" : undefined),
  },
  { ...protecting("unprotect", false), keys: [], title: "take the protection from deletion away" },
  {
    verb: "adopt",
    keys: ["O"],
    title: "adopt: take over what was found on the host, such as a domain of libvirt",
    whyNot: ({ resource }) =>
      isOnlyShown(resource) ? undefined : "was not found, but made here, or is adopted already",
    effect: () => "is marked as this fleet's, and can be changed then",
    isDone: (_, now) => isAdopted(now.resource),
    run: async (_, { connection, request, options }) => {
      await connection.unary(InstanceServiceService.adoptInstance, request, options);
      return undefined;
    },
  },
  {
    ...deletes,
    whyNot: ({ resource }) =>
      isOnlyShown(resource)
        ? notAdoptedText(resource)
        : isProtected(resource)
          ? `is protected from deletion; zor set instance ${shortName(resource.name)} --no-protect takes that away`
          : undefined,
    effect: (row) => deletingInstance(row.resource),
    wave: asWave(InstanceServiceService.deleteInstance, DeleteInstanceRequest.fromPartial({ force: true })),
    whyForced: ({ resource }) =>
      !isProtected(resource) && !isAdopted(resource) && (resource.status === undefined || isUp(stateOf(resource)))
        ? "it runs; or stop it first"
        : undefined,
    // The confirmation has shown that it runs: it is deleted all the same.
    run: async (_, { connection, request, options }) => {
      await connection.unary(InstanceServiceService.deleteInstance, { ...request, force: true }, options);
      return undefined;
    },
  },
];

/** What the actions have in common that ask for another state. */
function power(
  verb: PowerVerb,
  method: Method<ActionCall["request"], unknown>,
): Pick<Action<Instance>, "verb" | "whyNot" | "effect" | "wave" | "run"> {
  return {
    verb,
    wave: asWave(method, { name: "", requestId: "", validateOnly: false }),
    whyNot: (row) => whyNotPossible(verb, row.resource),
    effect: (row) => instanceStyle(stateOf(row.resource)).word,
    run: async (_, { connection, request, options }) => {
      await connection.unary(method, request, options);
      return undefined;
    },
  };
}

/** Changes whether instances can be deleted. */
function protecting(
  verb: string,
  wanted: boolean,
): Pick<Action<Instance>, "verb" | "whyNot" | "effect" | "isDone" | "undo" | "run"> {
  return {
    verb,
    undo: () => (wanted ? "unprotect" : "protect"),
    whyNot: ({ resource }) => (isProtected(resource) === wanted ? `is ${wanted ? "" : "not "}protected` : undefined),
    effect: () => (wanted ? "cannot be deleted then" : "can be deleted then"),
    isDone: (_, now) => isProtected(now.resource) === wanted,
    run: async (row, { connection, request, options }) => {
      const { name, requestId, validateOnly } = request;
      const instance = Instance.fromPartial({ name, spec: { deleteProtection: wanted }, etag: row.resource.etag });
      const updateMask = ["spec.delete_protection"];
      await connection.unary(
        InstanceServiceService.updateInstance,
        { instance, updateMask, requestId, validateOnly },
        options,
      );
      return undefined;
    },
  };
}

function isProtected({ spec }: Instance): boolean {
  return spec?.deleteProtection === true;
}

/** Shown by the state that was asked for, or by a failure that was not there before. */
function reaches(goal: InstanceState): NonNullable<Action<Instance>["isDone"]> {
  return (before, now) =>
    now.resource.status !== undefined && (stateOf(now.resource) === goal || hasFailed(before.resource, now.resource));
}

function hasFailed(before: Instance, now: Instance): boolean {
  const failed = InstanceState.INSTANCE_STATE_FAILED;
  return stateOf(now) === failed && stateOf(before) !== failed;
}
