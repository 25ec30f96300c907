import type { Instance, Nic } from "../../../proto/gen/zor/v1/instance.js";

/** Interfaces as plugged now; before the first observation as specified. */
export function nicsOf({ spec, status }: Instance): readonly Nic[] {
  const observed = status?.nics ?? [];
  return observed.length > 0 ? observed : (spec?.nics ?? []);
}
