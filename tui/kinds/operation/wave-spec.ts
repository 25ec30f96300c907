import { WaveSpec, type Wave } from "../../../proto/gen/zor/v1/wave.js";
import { itemsLeft } from "./wave-states.js";

/** "stop" of "zor.v1.InstanceService/StopInstance". */
export function waveVerb({ method }: Pick<WaveSpec, "method">): string {
  const [, service = "", name = ""] = /(\w+)Service\/(\w+)$/.exec(method) ?? [];
  const bare = name.endsWith(service) && name !== service ? name.slice(0, -service.length) : name;
  return bare.replace(/(?<=.)([A-Z])/g, "-$1").toLowerCase();
}

/** The same once more for what it left; undefined when it left nothing. Its bounds are those of the first as far as they go. */
export function waveAgain(wave: Wave): WaveSpec | undefined {
  const names = itemsLeft(wave).map(({ name }) => name);
  if (wave.spec === undefined || names.length === 0) return undefined;
  const { spec } = wave;
  const atMost = (count: number): number => Math.min(count, names.length);
  return WaveSpec.fromPartial({
    ...spec,
    names,
    canary: atMost(spec.canary),
    maxFailures: atMost(spec.maxFailures),
    batchSize: atMost(spec.batchSize),
  });
}
