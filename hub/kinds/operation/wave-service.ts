import type { Caller } from "../../../lib/auth/caller.js";
import { mayCall } from "../../../lib/auth/policy.js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { invalidArgument } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { findRule, kindNamed } from "../../../lib/kinds/kinds.js";
import { commonParent, parseName, quote } from "../../../lib/names.js";
import type { Wave, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import type { HubParts } from "../../kit/hub-kind.js";
import { mutate } from "../../kit/mutate.js";
import { checkWave } from "../../kit/waves/check-wave.js";
import type { Waves } from "../../kit/waves/waves.js";

/** Waves: one method done to many resources, as an operation. */
export function waveHandlers(
  { store, requests, operations }: Pick<HubParts, "store" | "requests" | "operations">,
  waves: Waves,
): Handlers<typeof service> {
  return {
    startWave: (request, context) =>
      mutate({ store, requests, method: service.startWave, request, context }, async (commit) => {
        const { caller } = context;
        const { spec } = checkWave(request.spec, caller);
        const [verb, target] = [verbOf(spec), commonParent(spec.names)];
        if (request.validateOnly) return { operation: checkedOperation(verb, target) };
        let add = (): unknown => undefined;
        using _room = waves.admit(caller);
        return await operations.begin(
          { verb, target, requestId: request.requestId, caller: caller.identity },
          (changes, operation) => {
            const planned = waves.plan(operation, spec, caller);
            ({ add } = planned);
            return commit([...changes, ...planned.changes], { operation });
          },
          () => add(),
        );
      }),
    watchWave: async function* ({ name }, { signal, caller }) {
      for await (const wave of waves.watch(checkName(name), signal)) yield { wave: shownTo(caller, wave) };
    },
    getWave: async ({ name }, { caller }) => ({ wave: shownTo(caller, waves.get(checkName(name))) }),
    pauseWave: (request, { caller }) =>
      requests.ids.once(service.pauseWave, request, caller.identity, async () => ({
        wave: shownTo(caller, await waves.pause(checkName(request.name), caller)),
      })),
    resumeWave: (request, { caller }) =>
      requests.ids.once(service.resumeWave, request, caller.identity, async () => ({
        wave: await waves.resume(checkName(request.name), caller),
      })),
  };
}

/** What is asked of each may hold a secret, and is no business of whoever may not ask for it. */
function shownTo(caller: Caller, wave: Wave): Wave {
  const { spec } = wave;
  if (spec === undefined || mayCall(caller, `/${spec.method}`)) return wave;
  return { ...wave, spec: { ...spec, request: Buffer.alloc(0) } };
}

/** @throws {ZorError} INVALID_ARGUMENT unless it can be the name of a wave's operation. */
function checkName(name: string): string {
  const parsed = parseName("name", name);
  if (parsed.kind === "hub" && parsed.collection === "operations") return name;
  throw invalidArgument("name", `${quote(name)} is not the name of an operation of the hub`);
}

/** "wave.instance.start" of "zor.v1.InstanceService/StartInstance". */
function verbOf({ method }: WaveSpec): string {
  const kind = findRule(`/${method}`)?.kind ?? "";
  const type = kind === "" ? "" : (kindNamed(kind).type.split(".").at(-1) ?? "");
  const name = method.slice(method.indexOf("/") + 1);
  const words = (name.endsWith(type) ? name.slice(0, name.length - type.length) : name).replace(
    /(?<=.)([A-Z])/g,
    "-$1",
  );
  return ["wave", kind, words.toLowerCase()].filter((part) => part !== "").join(".");
}
