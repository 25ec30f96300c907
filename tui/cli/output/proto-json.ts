import type { JsonValue } from "@bufbuild/protobuf";
import type { Method } from "../../../lib/grpc/connection.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { bytesToJson } from "../../../lib/grpc/json.js";

/** The part of a ts-proto method definition that turns a response into bytes. */
export interface ResponseMethod<Request, Response> extends Method<Request, Response> {
  readonly responseSerialize: (value: Response) => Buffer;
}

/** A response of a method of this API as canonical proto3 JSON. Loaded when JSON is asked for: descriptors take time to read. */
export function responseJson<Request, Response>(
  method: ResponseMethod<Request, Response>,
  response: Response,
): JsonValue {
  const [, service = "", rpc = ""] = method.path.split("/");
  const output = descriptors()
    .registry.getService(service)
    ?.methods.find(({ name }) => name === rpc)?.output;
  if (output === undefined) throw new Error(`${method.path} is not in the descriptors; run npm run gen`);
  return bytesToJson(output.typeName, method.responseSerialize(response));
}
