import { ZorError } from "../../../lib/errors.js";
import { runJson } from "../../host/exec.js";
import type { CrossTest } from "../../network/cross-test.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { engineHops, framesHop, type Hop, lanHop, type SeenEngine, tapHop } from "./diagnosis.js";
import type { EndDiagnosis, EngineHello } from "../../../proto/gen/zor/agent/v1/engine.js";
import { A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { LinkRole } from "../../../proto/gen/zor/v1/link.js";
import { engineSilent } from "../../engine/protocol/control-client.js";
import type { EndView } from "../../engine/protocol/end-protocol.js";
import type { LocalLinkView } from "./local-link.js";
import { toldOf } from "../../host/told.js";

/** What testing the hops of an end needs. */
export interface DiagnoseOptions {
  readonly plugger: CablePlugger;
  /** Net namespace of the switch. */
  readonly netns: string | undefined;
  /** Of the test with frames; none or empty: none are sent. */
  readonly token: Buffer | undefined;
}

/** Begins the test with frames; its hop is told last. Undefined: frames are not to be sent, or there is no real switch. */
export function startFrames(
  { plugger, token }: Pick<DiagnoseOptions, "plugger" | "token">,
  end: Omit<CrossTest, "token">,
  from: string,
): Promise<Hop> | undefined {
  if (token === undefined || token.length === 0) return undefined;
  return plugger.cross?.({ ...end, token }).then(
    (result) => framesHop(result, from),
    (error: unknown) => framesHop({ sent: 0, came: 0, obstacle: toldOf(error) }, from),
  );
}

/** Tests each hop of a cable's end, in order; takes a few seconds. */
export async function* diagnoseCable(
  view: EndView,
  options: DiagnoseOptions & {
    /** Asks the engine to test the end. */
    readonly ask: () => Promise<{ readonly hello: EngineHello; readonly diagnosis: EndDiagnosis }>;
  },
): AsyncIterable<Hop> {
  const { name: tap, lan } = view.port;
  const isListener = view.status.end.role === LinkRole.LINK_ROLE_LISTENER;
  const end = { lan, port: tap, end: isListener ? "first" : "second" } as const;
  const frames = startFrames(options, end, "the other end's lan");
  yield lanHop(lan, portFault(options.plugger, lan, tap));
  const before = await findCounters(tap, options.netns);
  const engine = await options.ask().then(
    ({ hello, diagnosis }): SeenEngine => ({ version: hello.version, listen: hello.listen, diagnosis }),
    (error: unknown): SeenEngine => ({
      failure: toldOf(error),
      isSilent: error instanceof ZorError && error.reason === engineSilent,
    }),
  );
  const after = await findCounters(tap, options.netns);
  const sent = "diagnosis" in engine && engine.diagnosis.tapFrameSent;
  const passesFrames = before === undefined || after === undefined || !sent ? undefined : after.rx > before.rx;
  yield tapHop({ name: tap, up: after?.up, passesFrames });
  yield* engineHops(view.status.end, engine);
  if (frames !== undefined) yield await frames;
}

/** Tests each hop of a link between two lans of this host. */
export async function* diagnoseLocal(view: LocalLinkView, options: DiagnoseOptions): AsyncIterable<Hop> {
  const { plugger, netns } = options;
  const { box, awaySinceMs } = view;
  const { ports, status, spec } = box;
  const [a, b] = ports;
  // From a to b, and from b to a: each told by the end that waits for them.
  const fromTo = [
    startFrames(options, { lan: b.lan, port: b.name, end: "second" }, `lan ${a.lan}`),
    startFrames(options, { lan: a.lan, port: a.name, end: "first" }, `lan ${b.lan}`),
  ];
  for (const { lan, name } of ports) yield lanHop(lan, portFault(plugger, lan, name));
  for (const { name } of ports) {
    const seen = await findCounters(name, netns);
    if (seen?.up === true && name !== b.name) continue;
    // One hop for both devices: the first that does not work, else the second.
    yield seen?.up === true
      ? { hop: "tap", verdict: "ok", detail: `devices ${a.name} and ${b.name} are up`, remedy: "" }
      : tapHop({ name, up: seen?.up, passesFrames: undefined });
    break;
  }
  const away = awaySinceMs !== undefined;
  const remedy = "the agent starts it again; look at cable/engine.log in the agent's state directory";
  yield away
    ? { hop: "engine", verdict: "broken", detail: "the cable engine does not run", remedy }
    : { hop: "engine", verdict: "ok", detail: `it has the box of ${spec.box}`, remedy: "" };
  const [fromA, fromB] = [status.aToB?.outFrames ?? 0n, status.bToA?.outFrames ?? 0n];
  const detail = `${fromA} frames passed from ${a.lan}, ${fromB} from ${b.lan}`;
  const active = !away && status.state === A2bState.A2B_STATE_ACTIVE;
  yield active
    ? { hop: "path", verdict: "ok", detail: `frames pass between the lans: ${detail}`, remedy: "" }
    : { hop: "path", verdict: "skipped", detail: `frames do not pass: ${status.reason}`, remedy: "" };
  for (const frames of fromTo) if (frames !== undefined) yield await frames;
}

/** Undefined: no such lan; "": the port is plugged into it, and it forwards. */
export function portFault(plugger: CablePlugger, lan: string, port: string): string | undefined {
  const found = plugger.find(lan);
  if (found === undefined) return undefined;
  if (found.fault !== undefined && found.fault !== "") return found.fault;
  const plugged = found.ports.find((one) => one.port === port);
  return plugged === undefined ? "it is not plugged" : plugged.error;
}

interface Counters {
  readonly up: boolean;
  /** Frames that came in from the engine. */
  readonly rx: number;
}

/** What the kernel says of a device; undefined when there is none. */
async function findCounters(name: string, netns: string | undefined): Promise<Counters | undefined> {
  const there = netns === undefined ? [] : ["-n", netns];
  try {
    const shown = await runJson("ip", [...there, "-j", "-s", "link", "show", "dev", name], { timeoutMs: 2_000 });
    // iproute2 prints an array with the one device.
    const [link] = shown as { flags: string[]; stats64?: { rx?: { packets?: number } } }[];
    return link === undefined ? undefined : { up: link.flags.includes("UP"), rx: link.stats64?.rx?.packets ?? 0 };
  } catch {
    return undefined;
  }
}
