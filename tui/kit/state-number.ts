import type { TuiKind } from "./kind.js";

/** The number of a resource's state, as its message says it; 0 where it says none. */
export function stateNumberOf({ stateAt = [] }: Pick<TuiKind, "stateAt">, resource: object): number {
  let at: unknown = resource;
  // Messages of ts-proto are plain objects with their fields as properties.
  for (const name of stateAt) at = (at as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof at === "number" ? at : 0;
}
