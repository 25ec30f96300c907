import type { Kind } from "../../lib/kinds/kinds.js";
import { codecOf, type NamedMessage } from "../../lib/kinds/codecs.js";
import { requestOf, responseField, type StandardMethod } from "../../lib/kinds/verbs.js";
import type { Change } from "../kit/kind-commands.js";
import { standardMethod } from "./kinds.js";
import type { ResponseMethod } from "./output/proto-json.js";
import type { Session } from "./session.js";

/** How long a change may take whose answer is the resource itself. */
const changeTimeoutMs = 30_000;

/** An update that is sent. */
export interface UpdateCall {
  /** Full name. */
  readonly name: string;
  readonly change: Change;
  /** The change is only made to the resource of this etag; "": to whatever there is. */
  readonly etag: string;
  readonly dryRun: boolean;
  /** Tells the calls of one command apart. */
  readonly part?: number | undefined;
}

/** What an update gave. */
export interface Updated {
  readonly method: ResponseMethod<object, object>;
  readonly response: object;
  /** The resource after the change. */
  readonly resource: NamedMessage | undefined;
}

/** Sends what was changed of a resource, and nothing else. @throws {ZorError} ABORTED when the resource has another etag. */
export async function updateResource(session: Session, kind: Kind, call: UpdateCall): Promise<Updated> {
  const { name, change, etag, dryRun, part } = call;
  const { method, rule } = standardMethod(kind, "update");
  const resource = codecOf(kind.singular).fromPartial({ ...change.resource, name, ...(etag === "" ? {} : { etag }) });
  const request = requestOf(method, {
    [rule.request ?? kind.singular]: resource,
    updateMask: [...change.paths],
    requestId: session.requestId(part),
    validateOnly: dryRun,
  });
  const response = Object(await session.call(asMethod({ method }), request, changeTimeoutMs));
  // The rule says that the field holds the resource.
  return {
    method: asMethod({ method }),
    response,
    resource: responseField(response, rule.response) as NamedMessage | undefined,
  };
}

/** A method of any messages, in the form that sessions call. */
export function asMethod({ method }: Pick<StandardMethod, "method">): ResponseMethod<object, object> {
  // Its codecs take and give messages, which are objects.
  return method as ResponseMethod<object, object>;
}
