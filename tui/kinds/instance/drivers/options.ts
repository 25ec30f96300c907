import type { JsonValue } from "@bufbuild/protobuf";
import { invalidArgument } from "../../../../lib/errors.js";
import { descriptors } from "../../../../lib/grpc/descriptors.js";
import { jsonToBytes } from "../../../../lib/grpc/json.js";
import { quote } from "../../../../lib/names.js";
import { listed } from "../../../../lib/words.js";
import { Instance, type InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import { assign, type MessageJson, parseAssignment } from "../../../kit/input/fields.js";

const specType = "zor.v1.InstanceSpec";

/** Where the options of a driver go in a spec, and of which type they are. */
export interface OptionsPlace {
  readonly driver: string;
  /** JSON name of the field. */
  readonly field: string;
  /** Full name of the options' message. */
  readonly type: string;
  /** They go packed: the API has no field for them. */
  readonly packed: boolean;
}

/**
 * Finds the options of a driver: its field in InstanceSpec, else a message "DriverOptions" that this program knows.
 * @throws {ZorError} INVALID_ARGUMENT that names the drivers there are.
 */
export function findOptions(driver: string): OptionsPlace {
  const { registry } = descriptors();
  const members = (registry.getMessage(specType)?.oneofs ?? [])
    .flatMap(({ fields }) => fields)
    .flatMap((field) =>
      field.message?.typeName.startsWith("google.") === false ? [{ field, message: field.message }] : [],
    );
  const member = members.find(({ field }) => field.name === driver);
  if (member !== undefined) {
    return { driver, field: member.field.jsonName, type: member.message.typeName, packed: false };
  }
  const wanted = `${driver.replaceAll(/[-_]/g, "")}options`;
  for (const type of registry) {
    if (type.kind !== "message" || type.name.toLowerCase() !== wanted) continue;
    return { driver, field: "other", type: type.typeName, packed: true };
  }
  const names = members.map(({ field }) => field.name);
  throw invalidArgument("--driver", `${quote(driver)} is not a driver; the drivers are ${listed(names)}`);
}

/** Options of a driver as JSON, with "key=value" texts put in. @throws {ZorError} INVALID_ARGUMENT that names the option's fields. */
export function withOptions(place: OptionsPlace, json: MessageJson, texts: readonly string[]): MessageJson {
  const whole = structuredClone(json);
  const target = { type: place.type, called: `options of ${place.driver}`, where: "--option" };
  for (const text of texts) assign(whole, parseAssignment(text, target));
  return whole;
}

/** Options of a driver in the form of a spec. @throws {ZorError} INVALID_ARGUMENT for values that do not fit their fields. */
export function toDriver({ field, type, packed }: OptionsPlace, options: MessageJson): InstanceSpec["driver"] {
  const value: JsonValue = packed ? { ...options, "@type": `type.googleapis.com/${type}` } : options;
  return Instance.decode(jsonToBytes("zor.v1.Instance", { spec: { [field]: value } })).spec?.driver;
}
