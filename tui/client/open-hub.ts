import { connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, unavailable } from "../../lib/errors.js";
import { Connection } from "../../lib/grpc/connection.js";
import { loadIdentity } from "../../lib/tls/identity.js";
import { agreeing, listed } from "../../lib/words.js";
import { HealthService } from "../../proto/gen/grpc/health/v1/health.js";
import { type Context, servedBy } from "./contexts.js";

/** How long the interface that is drawn meanwhile waits for one of several addresses. */
const severalMs = 1500;
/** Kept back, or a quarter if that is less, to find out what an address that says nothing is like. */
const longestProbeMs = 400;

/** What each address has before the next is tried as well: the first is taken unless it is slow or away. */
const headStartMs = 250;

/** How a hub is reached. */
export interface ReachOptions {
  /** Longest time until one of its addresses has taken the connection. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Opens a connection to a context's hub or agent without waiting for it: the first call tells whether it is there. Of several
 * addresses the first that answers is taken, or the first of all when none does.
 * @throws {ZorError} FAILED_PRECONDITION when the context's identity cannot be used.
 */
export async function openHub(context: Context): Promise<Connection> {
  const connections = await open(context);
  const [first] = connections;
  if (connections.length === 1) return first;
  const { chosen = first } = await firstUp(connections, severalMs);
  closeOthers(connections, chosen);
  return chosen;
}

/**
 * Like {@link openHub}, but waits until the connection is up or is known to fail; then the first call tells why.
 * @throws {ZorError} also UNAVAILABLE, with what is known of each address, when nothing has answered in time.
 */
export async function reachHub(context: Context, { timeoutMs, signal }: ReachOptions): Promise<Connection> {
  signal.throwIfAborted();
  const connections = await open(context);
  const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
  const onAbort = (): void => interrupt(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const connection = await Promise.race([interrupted, reach(context, connections, timeoutMs)]);
    closeOthers(connections, connection);
    return connection;
  } catch (error) {
    closeOthers(connections, undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function reach(
  context: Context,
  connections: readonly [Connection, ...Connection[]],
  timeoutMs: number,
): Promise<Connection> {
  const probeMs = Math.min(longestProbeMs, timeoutMs / 4);
  const { chosen, states } = await firstUp(connections, timeoutMs - probeMs);
  const [first] = connections;
  if (chosen !== undefined || (connections.length === 1 && states[0] === "failed")) return chosen ?? first;
  const seconds = `${Number((timeoutMs / 1000).toFixed(1))} s`;
  const looks = await Promise.all(
    connections.map(
      async (each, index): Promise<Look> =>
        states[index] === "failed"
          ? { kind: "failed", address: each.address, text: await failureOf(each, probeMs) }
          : lookAt(each.address, probeMs),
    ),
  );
  throw unavailable(
    "NO_ANSWER",
    first.address,
    `the ${servedBy(context)} of context ${context.name} did not answer within ${seconds}: ${lookText(looks)}`,
  );
}

/** What an address is like that nothing has answered from. */
type Look =
  /** A program takes connections there, but says nothing. */
  | { readonly kind: "mute"; readonly address: string }
  /** Nothing comes back at all. */
  | { readonly kind: "void"; readonly address: string }
  | { readonly kind: "failed"; readonly address: string; readonly text: string };

function lookText(looks: readonly Look[]): string {
  const of = (kind: Look["kind"]) => looks.filter((look) => look.kind === kind).map(({ address }) => address);
  const [mute, lost] = [of("mute"), of("void")];
  const texts = looks.flatMap((look) => (look.kind === "failed" ? [look.text] : []));
  if (mute.length > 0) {
    const does = agreeing(mute.length, "takes connections but says", "take connections but say");
    texts.push(`${listed(mute)} ${does} nothing; what listens there is stopped or hangs`);
  }
  if (lost.length > 0) {
    texts.push(`nothing comes back from ${listed(lost)}; the machine is down, or a firewall drops what is sent to it`);
  }
  return texts.join("; ");
}

async function open(context: Context): Promise<[Connection, ...Connection[]]> {
  const identity = await loadIdentity(context.identityDirectory);
  const [first = "", ...others] = context.addresses;
  const to = (address: string) => new Connection({ address, identity, serverName: context.serverName });
  return [to(first), ...others.map(to)];
}

async function firstUp(connections: readonly Connection[], timeoutMs: number) {
  const apartMs = Math.min(headStartMs, timeoutMs / 4 / connections.length);
  const settling = connections.map(async (connection, index) => {
    await delay(index * apartMs);
    return connection.settled(timeoutMs - index * apartMs);
  });
  const up = settling.map(async (state, index) => {
    if ((await state) === "up") return connections[index];
    throw new Error("not up");
  });
  const chosen = await Promise.any(up).catch(() => undefined);
  return { chosen, states: chosen === undefined ? await Promise.all(settling) : [] };
}

function closeOthers(connections: readonly Connection[], kept: Connection | undefined): void {
  for (const connection of connections) if (connection !== kept) connection.close();
}

/** Why a connection cannot be made: only a call is told. */
async function failureOf(connection: Connection, timeoutMs: number): Promise<string> {
  const call = connection.unary(HealthService.check, { service: "" }, { timeoutMs });
  return call.then(
    () => `${connection.address} answers now`,
    (error: unknown) => messageOf(error),
  );
}

/** Whether a program takes connections at an address. */
async function lookAt(address: string, timeoutMs: number): Promise<Look> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const socket = connectTcp({ host, port: Number(address.slice(at + 1)) });
  const tried = new Promise<Look>((resolve) => {
    socket.once("connect", () => resolve({ kind: "mute", address }));
    socket.once("error", ({ message }) => resolve({ kind: "failed", address, text: `${address}: ${message}` }));
  });
  return Promise.race([tried, delay<Look>(timeoutMs, { kind: "void", address })]).finally(() => socket.destroy());
}
