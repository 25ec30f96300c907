import { connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, unavailable } from "../../lib/errors.js";
import { Connection } from "../../lib/grpc/connection.js";
import type { Carrier } from "../../lib/grpc/server-identity.js";
import { loadIdentity } from "../../lib/tls/identity.js";
import { agreeing, listed } from "../../lib/words.js";
import { HealthService } from "../../proto/gen/grpc/health/v1/health.js";
import { type Context, servedBy } from "./contexts.js";
import type { SshDoorOptions } from "./ssh-door.js";

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
  /** For contexts that go through an ssh server; it is reached first, which takes the time that it takes. */
  readonly ssh: SshDoorOptions;
}

/**
 * Opens a connection to a context's hub or agent without waiting for it: the first call tells whether it is there. Of several
 * addresses the first that answers is taken, or the first of all when none does.
 * @throws {ZorError} FAILED_PRECONDITION when the context's identity cannot be used.
 */
export async function openHub(context: Context, ssh: SshDoorOptions): Promise<Connection> {
  const candidates = await findCandidates(context, ssh);
  const [first] = candidates;
  if (candidates.length === 1) return first.connection();
  const { chosen = first.connection() } = await firstUp(candidates, severalMs);
  closeOthers(candidates, chosen);
  return chosen;
}

/**
 * Like {@link openHub}, but waits until the connection is up or is known to fail; then the first call tells why.
 * @throws {ZorError} also UNAVAILABLE, with what is known of each address, when nothing has answered in time.
 */
export async function reachHub(context: Context, { timeoutMs, signal, ssh }: ReachOptions): Promise<Connection> {
  signal.throwIfAborted();
  const candidates = await findCandidates(context, ssh);
  const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
  const onAbort = (): void => interrupt(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const connection = await Promise.race([interrupted, reach(context, candidates, timeoutMs)]);
    closeOthers(candidates, connection);
    return connection;
  } catch (error) {
    closeOthers(candidates, undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function reach(context: Context, candidates: Candidates, timeoutMs: number): Promise<Connection> {
  const probeMs = Math.min(longestProbeMs, timeoutMs / 4);
  const { chosen, states } = await firstUp(candidates, timeoutMs - probeMs);
  const [first] = candidates;
  if (chosen !== undefined) return chosen;
  if (candidates.length === 1 && states[0] === "failed") return first.connection();
  const seconds = `${Number((timeoutMs / 1000).toFixed(1))} s`;
  const looks = await Promise.all(
    candidates.map(
      async ({ address, dialled, connection }, index): Promise<Look> =>
        states[index] === "failed"
          ? { kind: "failed", address, text: await failureOf(connection(), probeMs) }
          : dialled === address
            ? lookAt(address, probeMs)
            : { kind: "mute", address },
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

/** One of a context's addresses. Its connection is made when its turn comes: mostly the first one answers, and each takes 4 ms. */
interface Candidate {
  /** For people. */
  readonly address: string;
  /** What is dialled. */
  readonly dialled: string;
  /** The one connection to it; made by the first call. */
  connection(): Connection;
  /** Waits for the connection as {@link Connection.settled} does; none is made any more once this candidate was given up. */
  settled(timeoutMs: number): ReturnType<Connection["settled"]>;
  /** Gives this address up, unless its connection is the one to keep. */
  giveUp(kept: Connection | undefined): void;
}

type Candidates = readonly [Candidate, ...Candidate[]];

async function findCandidates(context: Context, ssh: SshDoorOptions): Promise<Candidates> {
  const identity = await loadIdentity(context.identityDirectory);
  const places = await findPlaces(context, ssh);
  const candidate = ({ address, carrier }: Place): Candidate => {
    let made: Connection | undefined;
    let givenUp = false;
    const connection = () => (made ??= new Connection({ address, identity, serverName: context.serverName, carrier }));
    return {
      address: carrier?.place ?? address,
      dialled: address,
      connection,
      settled: async (timeoutMs) => (givenUp ? "silent" : connection().settled(timeoutMs)),
      giveUp: (kept) => {
        if (made !== undefined && made === kept) return;
        givenUp = true;
        if (made === undefined) carrier?.close();
        else made.close();
      },
    };
  };
  const [first, ...others] = places;
  return [candidate(first), ...others.map(candidate)];
}

/** What is dialled for an address, and what carries it further. */
interface Place {
  readonly address: string;
  readonly carrier?: Carrier;
}

async function findPlaces(
  { addresses, ssh: server }: Context,
  options: SshDoorOptions,
): Promise<readonly [Place, ...Place[]]> {
  const [first = "", ...others] = addresses;
  if (server === undefined) return [{ address: first }, ...others.map((address) => ({ address }))];
  // Loaded by those alone who need it.
  const { SshDoor } = await import("./ssh-door.js");
  const door = await SshDoor.open(server, options);
  try {
    return [await door.to(first), ...(await Promise.all(others.map((address) => door.to(address))))];
  } catch (error) {
    door.close();
    throw error;
  }
}

async function firstUp(candidates: Candidates, timeoutMs: number) {
  const apartMs = Math.min(headStartMs, timeoutMs / 4 / candidates.length);
  const found = new AbortController();
  const settling = candidates.map(async (candidate, index) => {
    if (index > 0) await delay(index * apartMs, undefined, { signal: found.signal });
    return candidate.settled(timeoutMs - index * apartMs);
  });
  const up = settling.map(async (state, index) => {
    if ((await state) === "up") return candidates[index]?.connection();
    throw new Error("not up");
  });
  const chosen = await Promise.any(up).catch(() => undefined);
  found.abort();
  return { chosen, states: chosen === undefined ? await Promise.all(settling) : [] };
}

function closeOthers(candidates: Candidates, kept: Connection | undefined): void {
  for (const candidate of candidates) candidate.giveUp(kept);
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
