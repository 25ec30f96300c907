import type { Instance, Nic } from "../../../proto/gen/zor/v1/instance.js";

/** Interfaces as plugged now; before the first observation as specified. */
export function nicsOf({ spec, status }: Instance): readonly Nic[] {
  const observed = status?.nics ?? [];
  return observed.length > 0 ? observed : (spec?.nics ?? []);
}

/** Addresses that were heard at an interface, those that lead beyond its lan first. */
export function heardOf({ status }: Instance, nic: string): readonly string[] {
  const heard = (status?.heardAddresses ?? []).filter((each) => each.nic === nic).map(({ address }) => address);
  const isLocal = (address: string): boolean => /^(?:fe[89ab]|169\.254\.)/.test(address);
  return [...heard.filter((address) => !isLocal(address)), ...heard.filter(isLocal)];
}
