import type { Method } from "../../../lib/grpc/connection.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { type Action, type ActionCall, deletes } from "../../kit/action.js";
import { shortName } from "../../kit/resource-name.js";
import { cuttingPower, deletingInstance, type PowerVerb, whyNotPossible } from "./impact.js";
import { instanceStyle, isUp, stateOf } from "./states.js";

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
    ...power("pause", InstanceServiceService.pauseInstance),
    keys: ["p"],
    title: "pause, or resume what is paused",
    hint: "pause",
    instead: (rows) =>
      rows.every((row) => stateOf(row.resource) === InstanceState.INSTANCE_STATE_PAUSED) ? "resume" : undefined,
    isDone: reaches(InstanceState.INSTANCE_STATE_PAUSED),
  },
  {
    ...power("resume", InstanceServiceService.resumeInstance),
    keys: [],
    title: "resume",
    isDone: reaches(InstanceState.INSTANCE_STATE_RUNNING),
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
    ...deletes,
    whyNot: ({ resource }) =>
      resource.spec?.deleteProtection === true
        ? `is protected from deletion; zor set instance ${shortName(resource.name)} --no-protect takes that away`
        : undefined,
    effect: (row) => deletingInstance(row.resource),
    whyForced: ({ resource }) =>
      resource.spec?.deleteProtection !== true && (resource.status === undefined || isUp(stateOf(resource)))
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
): Pick<Action<Instance>, "verb" | "whyNot" | "effect" | "run"> {
  return {
    verb,
    whyNot: (row) => whyNotPossible(verb, row.resource),
    effect: (row) => instanceStyle(stateOf(row.resource)).word,
    run: async (_, { connection, request, options }) => {
      await connection.unary(method, request, options);
      return undefined;
    },
  };
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
