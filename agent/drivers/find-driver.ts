import { InstanceSpec } from "../../proto/gen/zor/v1/instance.js";
import { quote } from "../../lib/names.js";
import type { InstanceDriver } from "./driver.js";

/** The driver whose options a spec has; undefined when none of these is it. */
export function findDriver(drivers: readonly InstanceDriver[], spec: InstanceSpec): InstanceDriver | undefined {
  const { driver: chosen } = spec;
  if (chosen === undefined) return undefined;
  return drivers.find(({ options }) =>
    "case" in options
      ? options.case === chosen.$case
      : chosen.$case === "other" && options.type === typeOf(chosen.value.typeUrl),
  );
}

/** The word of the driver that a spec wants, for people, whether or not there is one; "" when it names none. */
export function wantedDriver({ driver: chosen }: InstanceSpec): string {
  if (chosen?.$case !== "other") return chosen?.$case ?? "";
  const type = typeOf(chosen.value.typeUrl);
  return `for ${/^[\w.]{1,200}$/.test(type) ? type : quote(type)}`;
}

/** A spec of which only the driver is known. */
export function emptySpec({ options }: Pick<InstanceDriver, "options">): InstanceSpec {
  // The case is the name of a member of the message, so this sets that member with all defaults.
  if ("case" in options) return InstanceSpec.fromJSON({ [options.case]: {} });
  const none = options.type === "";
  return InstanceSpec.fromJSON(none ? {} : { other: { typeUrl: `type.googleapis.com/${options.type}` } });
}

/** Full name of a packed message. */
function typeOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}
