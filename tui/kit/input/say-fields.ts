import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import type { MessageJson } from "./fields.js";

/** "spec.mtu=9000" of everything that the JSON of a message says, as `parseAssignment` reads it. @param type full name of the message. */
export function assignmentsOf(json: MessageJson, type: string): readonly string[] {
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message type ${type}`);
  return assignments(json, "", message);
}

function assignments(json: MessageJson, path: string, message: DescMessage): readonly string[] {
  return message.fields.flatMap((field) => {
    const value = json[field.jsonName];
    if (value === undefined) return [];
    const own = path === "" ? field.name : `${path}.${field.name}`;
    if (!isMessage(value) || Object.keys(value).length === 0) return [`${own}=${fieldText(value)}`];
    // Keys of maps are as they are.
    if (field.fieldKind === "map")
      return Object.entries(value).map(([key, each]) => `${own}.${key}=${fieldText(each)}`);
    return field.message === undefined ? [] : assignments(value, own, field.message);
  });
}

/** A value as the command line reads it: lists with commas, but as JSON where that would say something else. */
export function fieldText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) {
    const isPlain = value.every((each) => typeof each !== "object" && /^[^,[{\s][^,]*$/.test(String(each)));
    return isPlain && value.length > 0 ? value.map(String).join(",") : JSON.stringify(value);
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function isMessage(value: JsonValue | undefined): value is MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
