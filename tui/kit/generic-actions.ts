import { type AnyMethod, allServices } from "../../lib/kinds/codecs.js";
import { findRule, type Kind } from "../../lib/kinds/kinds.js";
import type { Method } from "../../lib/grpc/connection.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { type Action, deletes } from "./action.js";

/** What the API lets be asked of any kind: deleting, where it has a method for it. */
export function genericActions({ singular }: Kind): readonly Action[] {
  const method = findDelete(singular);
  if (method === undefined) return [];
  return [
    {
      ...deletes,
      effect: () => "is gone for good",
      run: async (_, { connection, request, options }) => {
        const whole = { ...emptyRequest(method), ...request };
        // The codec of the method checks nothing: what all deletes have in common is enough for any.
        const response = await connection.unary(
          method as Method<object, { readonly operation?: Operation }>,
          whole,
          options,
        );
        return response.operation;
      },
    },
  ];
}

/** A request in which nothing is set: the codecs take no fields that are missing. */
function emptyRequest(method: AnyMethod): object {
  // Every message is an object.
  return method.requestDeserialize(Buffer.alloc(0)) as object;
}

function findDelete(singular: string): AnyMethod | undefined {
  for (const [, service] of allServices()) {
    for (const method of Object.values(service)) {
      const rule = findRule(method.path);
      if (rule?.kind === singular && rule.verb === "delete" && rule.route === "name") return method;
    }
  }
  return undefined;
}
