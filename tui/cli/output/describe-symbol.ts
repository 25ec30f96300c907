import { type DescField, type DescMethod, type FileRegistry, ScalarType } from "@bufbuild/protobuf";
import { notFound } from "../../../lib/errors.js";

/**
 * A service, message or enum as lines of proto; with `method`, that method's messages.
 * @throws {ZorError} NOT_FOUND when the registry does not hold it.
 */
export function describeSymbol(registry: FileRegistry, name: string, method: string | undefined): string[] {
  const service = registry.getService(name);
  if (service !== undefined && method !== undefined) {
    const found = service.methods.find((each) => each.name === method);
    if (found === undefined) throw notFound(`method ${name}/${method}`, "see: zor api list");
    return [
      signature(found),
      ...describeSymbol(registry, found.input.typeName, undefined),
      ...describeSymbol(registry, found.output.typeName, undefined),
    ];
  }
  if (service !== undefined) {
    return [`service ${name} {`, ...service.methods.map((each) => `  ${signature(each)}`), "}"];
  }
  const message = registry.getMessage(name);
  if (message !== undefined)
    return [`message ${name} {`, ...message.fields.map((field) => `  ${fieldLine(field)}`), "}"];
  const enumeration = registry.getEnum(name);
  if (enumeration === undefined) throw notFound(`symbol ${name}`, "see: zor api list");
  return [`enum ${name} {`, ...enumeration.values.map((value) => `  ${value.name} = ${value.number};`), "}"];
}

/** A method as a line of proto. */
export function signature(method: DescMethod): string {
  const takesMany = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const givesMany = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const input = `${takesMany ? "stream " : ""}${method.input.typeName}`;
  const output = `${givesMany ? "stream " : ""}${method.output.typeName}`;
  return `rpc ${method.name}(${input}) returns (${output});`;
}

function fieldLine(field: DescField): string {
  const choice = field.oneof === undefined ? "" : `  // one of ${field.oneof.name}`;
  return `${typeOf(field)} ${field.name} = ${field.number};${choice}`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "map":
      return `map<${scalar(field.mapKey)}, ${elementType(field)}>`;
    case "list":
      return `repeated ${elementType(field)}`;
    default:
      return elementType(field);
  }
}

function elementType(field: DescField): string {
  if (field.message !== undefined) return field.message.typeName;
  if (field.enum !== undefined) return field.enum.typeName;
  return field.scalar === undefined ? "unknown" : scalar(field.scalar);
}

function scalar(type: ScalarType): string {
  return ScalarType[type].toLowerCase();
}
