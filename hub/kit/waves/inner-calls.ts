import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import type { AnyHandler } from "../handlers.js";

/** The methods of the hub as it calls them itself, in the name of a caller whose rights were checked. They are there once it serves. */
export class InnerCalls {
  readonly #served = Promise.withResolvers<(path: string) => AnyHandler | undefined>();

  /** How methods are carried out. */
  serve(handlerOf: (path: string) => AnyHandler | undefined): void {
    this.#served.resolve(handlerOf);
  }

  /** Carries out a method of one request and one answer. @throws what its handler throws. */
  async call(path: string, request: unknown, context: CallContext): Promise<unknown> {
    const handler = (await this.#served.promise)(path);
    if (handler === undefined) {
      throw new ZorError({
        reason: "NOT_SERVED",
        code: status.UNIMPLEMENTED,
        message: `the hub does not serve ${path}`,
      });
    }
    // A handler is filed under the method of whose type the request is.
    return handler(request as never, context);
  }
}
