import type { EventEmitter } from "node:events";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  type Caller,
  callerOfCertificate,
  effectiveCaller,
  forwardedCallerKey,
  forwardedPeerKey,
} from "../auth/caller.js";
import { accessOf } from "../auth/policy.js";
import { ZorError } from "../errors.js";
import { type CallTrail, onTrail } from "../events/call-trail.js";
import { findRule, leavesEvent } from "../kinds/kinds.js";
import { traceparentKey } from "../traces/trace-context.js";
import type { Tracer } from "../traces/tracer.js";
import { traceWork } from "./call-span.js";
import type { Frames } from "./frames.js";
import { wellFormed } from "./malformed.js";
import { type ObjectReader, readAll } from "./read-all.js";
import { toServiceError } from "./status-codec.js";
import { writeAll } from "./write-all.js";

/** What a handler knows of the call besides its request. */
export interface CallContext {
  readonly caller: Caller;
  /** Aborts when the client cancels, the deadline passes or the connection ends. */
  readonly signal: AbortSignal;
  /** Method path, "/zor.v1.LanService/CreateLan". */
  readonly method: string;
  /** Socket address of the client, "ip:port"; of whom a hub calls for, the one that the hub tells. */
  readonly peer: string;
  /** Milliseconds until the client's deadline; Infinity without one. */
  remainingMs(): number;
  /** Has a unary call say something beside its answer: in the trailing metadata. */
  tell(key: string, text: string): void;
}

// The types ts-proto gives the members of a service definition; the request and response types are read off the serialisers.
interface AnyMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  // Parameters are contravariant: never accepts every serialiser.
  readonly requestSerialize: (value: never) => Buffer;
  readonly responseSerialize: (value: never) => Buffer;
}

export type RequestOf<M extends AnyMethod> = Parameters<M["requestSerialize"]>[0];
export type ResponseOf<M extends AnyMethod> = Parameters<M["responseSerialize"]>[0];

type HandlerOf<M extends AnyMethod> = M["requestStream"] extends true
  ? (requests: AsyncIterable<RequestOf<M>>, context: CallContext) => AsyncIterable<ResponseOf<M>>
  : M["responseStream"] extends true
    ? (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M> | Frames>
    : (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>>;

/** Handlers of all methods of a ts-proto service definition. */
export type Handlers<Definition extends Readonly<Record<string, AnyMethod>>> = {
  readonly [Name in keyof Definition]: HandlerOf<Definition[Name]>;
};

/** How a service treats every call. */
export interface ServiceOptions {
  /** @throws {ZorError} to refuse the call. */
  readonly authorize: (caller: Caller, method: string) => void;
  /** Caller of connections that carry no client certificate; without it such calls are refused. */
  readonly anonymous?: Caller;
  /** Told of every call that ends with an error. */
  /** `isPassedOn`: the agent that the call was passed to tells of it. */
  readonly onError?: (
    error: unknown,
    context: { method: string; caller: Caller | undefined; isPassedOn: boolean },
  ) => void;
  /** Told when a call begins; what it returns is run when the call ends. */
  readonly onCall?: (context: CallContext, end: (error: ZorError) => void) => () => void;
  /** Told of a call that changed something when no event tells of it; of a stream the first request. */
  readonly onUntold?: (call: { readonly method: string; readonly request: unknown; readonly caller: string }) => void;
  /** Makes a span of each call; without it what the caller told of a trace is passed on. */
  readonly tracer?: Tracer | undefined;
}

// What this module needs of a call, whatever its message types.
type UnknownCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

/**
 * Turns plain async functions into a gRPC service: identifies and authorises the caller, translates errors, holds back
 * streams until the peer reads, and aborts `context.signal` when the call ends early.
 * @throws {Error} for a method whose proto file does not say who may call it.
 */
export function implementService<Definition extends Readonly<Record<string, AnyMethod>>>(
  definition: Definition,
  handlers: Handlers<Definition>,
  options: ServiceOptions,
): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    accessOf(method.path);
    // The mapped type above ties each handler to its method; the loop cannot see that.
    const handler = handlers[name] as (request: unknown, context: CallContext) => unknown;
    if (method.requestStream && !method.responseStream)
      throw new Error(`${method.path}: client streaming is not used here`);
    implementation[name] = method.requestStream
      ? bidiCall(
          method,
          handler as (requests: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown>,
          options,
        )
      : method.responseStream
        ? streamCall(method, handler as (request: unknown, context: CallContext) => AsyncIterable<unknown>, options)
        : unaryCall(method, handler as (request: unknown, context: CallContext) => Promise<unknown>, options);
  }
  return implementation;
}

function unaryCall(
  method: Pick<MethodDefinition<unknown, unknown>, "path">,
  handler: (request: unknown, context: CallContext) => Promise<unknown>,
  options: ServiceOptions,
): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const trailer = new Metadata();
    const served = { path: method.path, options, request: () => call.request };
    withCall(call, served, async (context) =>
      handler(wellFormed(call.request, method.path), {
        ...context,
        tell: (key, text) => trailer.set(key, encodeURIComponent(text)),
      }),
    ).then(
      (response) => callback(null, response, trailer),
      (error: unknown) => callback(toServiceError(error)),
    );
  };
}

function streamCall(
  method: Pick<MethodDefinition<unknown, unknown>, "path">,
  handler: (request: unknown, context: CallContext) => AsyncIterable<unknown>,
  options: ServiceOptions,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const served = { path: method.path, options, request: () => call.request };
    finish(
      call,
      withCall(call, served, async (context) =>
        writeAll(call, handler(wellFormed(call.request, method.path), context), context.signal),
      ),
    );
  };
}

function bidiCall(
  method: Pick<MethodDefinition<unknown, unknown>, "path">,
  handler: (requests: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown>,
  options: ServiceOptions,
): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    // ServerDuplexStream is an object-mode stream of decoded messages; its type says only "stream".
    let first: unknown;
    const requests = allWellFormed(readAll(call as unknown as ObjectReader), method.path, (message) => {
      first ??= message;
    });
    const served = { path: method.path, options, request: () => first };
    finish(
      call,
      withCall(call, served, (context) => writeAll(call, handler(requests, context), context.signal)),
    );
  };
}

async function* allWellFormed(
  messages: AsyncIterable<unknown>,
  method: string,
  note: (message: unknown) => void,
): AsyncIterable<unknown> {
  for await (const message of messages) {
    note(message);
    yield wellFormed(message, method);
  }
}

function finish(
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  work: Promise<void>,
): void {
  work.then(
    () => call.end(),
    // The typed event is how grpc-js takes a status from a stream handler.
    (error: unknown) => call.emit("error", toServiceError(error)),
  );
}

/** A method as it is served, and what it was asked. */
interface Served {
  readonly path: string;
  readonly options: ServiceOptions;
  readonly request: () => unknown;
}

async function withCall<T>(
  call: UnknownCall,
  { path: method, options, request }: Served,
  work: (context: CallContext) => Promise<T>,
): Promise<T> {
  let caller: Caller | undefined;
  let trail: CallTrail | undefined;
  const abort = new AbortController();
  const onCancelled = (): void => abort.abort();
  // All three kinds of call are event emitters; their overloads do not unite.
  const emitter: EventEmitter = call;
  emitter.on("cancelled", onCancelled);
  let endEarly: ((error: ZorError) => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    endEarly = (error) => {
      reject(error);
      abort.abort(error);
    };
  });
  ended.catch(() => undefined);
  let onEnd: (() => void) | undefined;
  try {
    caller = callerOfCall(call, options);
    options.authorize(caller, method);
    const deadline = Number(call.getDeadline());
    const context: CallContext = {
      caller,
      signal: abort.signal,
      method,
      peer: peerOfCall(call, caller),
      tell: () => undefined,
      remainingMs: () => (Number.isFinite(deadline) ? deadline - Date.now() : Number.POSITIVE_INFINITY),
    };
    onEnd = options.onCall?.(context, (error) => endEarly?.(error));
    const begun: CallTrail = { caller: caller.identity, isTold: false, isPassedOn: false };
    trail = begun;
    const done = await traceWork(call.metadata.get(traceparentKey), { method, caller, tracer: options.tracer }, () =>
      Promise.race([onTrail(begun, () => work(context)), ended]),
    );
    const rule = findRule(method);
    if (rule !== undefined && leavesEvent(rule) && !begun.isTold)
      options.onUntold?.({ method, request: request(), caller: caller.identity });
    return done;
  } catch (error) {
    options.onError?.(error, { method, caller, isPassedOn: trail?.isPassedOn === true });
    throw error;
  } finally {
    emitter.off("cancelled", onCancelled);
    onEnd?.();
  }
}

/** Only hubs name callers, and only of those whom they name they tell where they are. */
function peerOfCall(call: UnknownCall, { serial }: Caller): string {
  const [told] = serial === undefined ? call.metadata.get(forwardedPeerKey) : [];
  const address = told?.toString() ?? "";
  return peerPattern.test(address) ? address : call.getPeer();
}

const peerPattern = /^[0-9A-Za-z.:[\]%]{1,80}$/;

function callerOfCall(call: UnknownCall, options: ServiceOptions): Caller {
  const { sslPeerCertificate } = call.getAuthContext();
  const [forwarded] = call.metadata.get(forwardedCallerKey);
  if (sslPeerCertificate === undefined) {
    if (options.anonymous !== undefined) return options.anonymous;
    throw new ZorError({
      reason: "NO_CERTIFICATE",
      code: status.UNAUTHENTICATED,
      message: "a client certificate is required; join the hub to get one",
    });
  }
  return effectiveCaller(callerOfCertificate(sslPeerCertificate), forwarded?.toString());
}
