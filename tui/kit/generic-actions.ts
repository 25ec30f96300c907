import type { Method } from "../../lib/grpc/connection.js";
import type { Kind } from "../../lib/kinds/kinds.js";
import { findStandardMethod, requestOf } from "../../lib/kinds/verbs.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { type Action, deletes } from "./action.js";

/** What the API lets be asked of any kind: deleting, where it has a method for it. */
export function genericActions({ singular }: Kind): readonly Action[] {
  const found = findStandardMethod(singular, "delete");
  if (found === undefined) return [];
  const { method } = found;
  return [
    {
      ...deletes,
      effect: () => "is gone for good",
      run: async (_, { connection, request, options }) => {
        // The codec of the method checks nothing: what all deletes have in common is enough for any.
        const response = await connection.unary(
          method as Method<object, { readonly operation?: Operation }>,
          requestOf(method, { ...request }),
          options,
        );
        return response.operation;
      },
    },
  ];
}
