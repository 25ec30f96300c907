import { setPriority } from "node:os";
import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import { implementService } from "../../lib/grpc/service.js";
import { fromStatus } from "../../lib/grpc/status-codec.js";
import { createLog } from "../../lib/log.js";
import { addressGroup } from "../../lib/net/address-group.js";
import { Status } from "../../proto/gen/google/rpc/status.js";
import { JoinRequest, JoinResponse, JoinServiceService } from "../../proto/gen/zor/v1/join_service.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { Listener } from "../listeners.js";
import { JoinGate } from "./join-gate.js";
import type { JoinOrder, JoinReport } from "./join-protocol.js";
import { FailureLimiter } from "./rate-limit.js";

// Entry of dist/join.js: where tokens are taken. Anybody may call, so it has a loop, memory and descriptors of its own, which the
// hub gives it; see hub/join/join-process.ts.

/** More than this it never needs: then it ends, and the hub starts another. */
const maxRssBytes = 192 * 1024 * 1024;
const lookMs = 500;
/** The hub comes first. */
const niceness = 10;
const askTimeoutMs = 30_000;

const log = createLog("join");
const pending = new Map<number, PromiseWithResolvers<JoinResponse>>();
let nextId = 1;
let listener: Listener | undefined;
let gate: JoinGate | undefined;

function report(message: JoinReport): void {
  process.send?.(message);
}

async function askHub(request: JoinRequest): Promise<JoinResponse> {
  const answer = Promise.withResolvers<JoinResponse>();
  const id = nextId;
  nextId += 1;
  pending.set(id, answer);
  const timer = setTimeout(() => answer.reject(noAnswer()), askTimeoutMs);
  report({ type: "join", id, request: JoinRequest.encode(request).finish() });
  try {
    return await answer.promise;
  } finally {
    clearTimeout(timer);
    pending.delete(id);
  }
}

function noAnswer(): ZorError {
  return new ZorError({
    reason: "HUB_BUSY",
    code: status.UNAVAILABLE,
    message: "the hub does not answer; the token is as good as before, unless it is said to be used next time",
  });
}

function setUp({ identity, caSha256 }: Extract<JoinOrder, { type: "setup" }>): void {
  const limiter = new FailureLimiter({ burst: 10, perFailureMs: 6000, peers: 10_000 });
  const made = new JoinGate({ caSha256, limiter, askHub });
  gate = made;
  listener = new Listener("join", identity);
  listener.server.onNews((message, facts) => log.warn(facts, message));
  const handlers = {
    join: (request: JoinRequest, { peer }: { readonly peer: string }): Promise<JoinResponse> =>
      made.join(request, addressGroup(peer.replace(/:\d+$/, ""))),
  };
  listener.server.addService(
    JoinServiceService,
    implementService(JoinServiceService, handlers, {
      authorize: () => undefined,
      anonymous: { identity: "zor://user/joiner", kind: "user", id: "joiner", role: Role.ROLE_UNSPECIFIED },
      onError: (error) => {
        if (error instanceof ZorError && error.code !== status.INTERNAL) return;
        log.error({ err: error }, "a call failed");
      },
    }),
  );
}

async function listenAt({ id, address }: Extract<JoinOrder, { type: "listen" }>): Promise<void> {
  try {
    if (listener === undefined) throw new Error("it is not set up");
    report({ type: "bound", id, port: await listener.bind(address) });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    report({ type: "unbound", id, code, message: messageOf(error) });
  }
}

function obey(order: JoinOrder): void {
  switch (order.type) {
    case "setup":
      setUp(order);
      return;
    case "identity":
      listener?.renew(order.identity);
      return;
    case "tokens":
      gate?.learn(order.tokens);
      return;
    case "listen":
      void listenAt(order);
      return;
    case "answer": {
      const answer = pending.get(order.id);
      if (order.response !== undefined) answer?.resolve(JoinResponse.decode(order.response));
      else if (order.status !== undefined) answer?.reject(fromStatus(Status.decode(order.status)));
      return;
    }
    default:
      throw new Error(`not an order: ${JSON.stringify(order satisfies never)}`);
  }
}

if (process.send === undefined) {
  process.stderr.write("zor: this program is started by the hub\n");
  process.exit(2);
}
setPriority(niceness);
// It ends with the hub; a terminal's Ctrl-C and a service manager's signal go to both.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(0));
// Only the hub has the other end.
process.on("message", (message) => obey(message as JoinOrder));
setInterval(() => {
  const { rss } = process.memoryUsage;
  if (rss() <= maxRssBytes) return;
  log.error({ rssBytes: rss() }, "joining takes too much memory; it begins anew");
  process.exit(75);
}, lookMs);
report({ type: "ready" });
