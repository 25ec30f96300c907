import type { CallContext, Handlers, implementService } from "../../lib/grpc/service.js";

/** A handler of a method: of one request, or of a stream of them. Its messages are those of the method that it is filed under. */
export type AnyHandler = (request: never, context: CallContext) => unknown;

/** Handlers by path of the method, "/zor.v1.LinkService/CreateLink". */
export type KindHandlers = Readonly<Record<string, AnyHandler>>;

/** Definition of a service, as ts-proto makes them. */
type Definition = Parameters<typeof implementService>[0];

/** Handlers of some methods of a service, or of all, filed by path. */
export function handlersOf<Service extends Definition>(
  service: Service,
  handlers: Partial<Handlers<Service>>,
): KindHandlers {
  const given = Object.entries<AnyHandler | undefined>(handlers);
  return Object.fromEntries(
    given.flatMap(([name, handler]) => {
      const path = service[name]?.path;
      return path === undefined || handler === undefined ? [] : [[path, handler] as const];
    }),
  );
}
