import { delimiter, join } from "node:path";
import { invalidArgument } from "../../../lib/errors.js";
import { canRun } from "../../../lib/files.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";

/** How a screen is shown. */
export const screenProtocols = ["vnc", "spice"] as const;
export type ScreenProtocol = (typeof screenProtocols)[number];

/** A viewer to be started; no words: none is, and zor says where to connect to. */
export interface ChosenViewer {
  readonly protocol: ScreenProtocol;
  /** Its words; {host}, {port} and {socket} in them stand for where it connects to. */
  readonly words: readonly string[] | undefined;
}

/** What is said of the viewer. */
interface Wanted {
  /** Protocols that will do, the best first. */
  readonly protocols: readonly ScreenProtocol[];
  /** Words of a viewer, or "none"; undefined: one that is on this machine. */
  readonly viewer: string | undefined;
  /** A port is named: it is not to be a socket. */
  readonly hasPort: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Viewers that are looked for, and what they are given. */
const viewers: readonly { readonly program: string; readonly protocol: ScreenProtocol; readonly address?: string }[] = [
  { program: "remote-viewer", protocol: "spice" },
  { program: "remote-viewer", protocol: "vnc", address: "vnc://{host}:{port}" },
  { program: "vncviewer", protocol: "vnc" },
];
export const viewerNames = [...new Set(viewers.map(({ program }) => program))];

/** How the screen of an instance can be shown, the best first. */
export function protocolsOf({ spec, status }: Pick<Instance, "spec" | "status">): readonly ScreenProtocol[] {
  const isAsked = spec?.driver?.$case === "qemu" && spec.driver.value.spice !== undefined;
  // What runs was started without it.
  const isPending = status?.pendingChanges.some((path) => /^qemu\.spice\b/.test(path)) === true;
  return isAsked && !isPending ? ["spice", "vnc"] : ["vnc"];
}

/** The viewer to start. @throws {ZorError} INVALID_ARGUMENT */
export async function chooseViewer({ protocols, viewer, hasPort, env }: Wanted): Promise<ChosenViewer> {
  const [protocol = "vnc"] = protocols;
  if (viewer === "none") return { protocol, words: undefined };
  if (viewer !== undefined) {
    const words = viewer.trim().split(/\s+/);
    if (words[0] === "") throw invalidArgument("--viewer", "must name a program");
    const isPlaced = words.some((word) => word.includes("{port}") || word.includes("{socket}"));
    return { protocol, words: isPlaced ? words : [...words, addressFor(protocol, hasPort)] };
  }
  if (!env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return { protocol, words: undefined };
  const places = (env["PATH"] ?? "").split(delimiter).filter((place) => place !== "");
  for (const wanted of protocols) {
    for (const { program, protocol: its, address = addressFor(wanted, hasPort) } of viewers) {
      if (its !== wanted) continue;
      for (const place of places) {
        if (await canRun(join(place, program))) return { protocol: wanted, words: [program, address] };
      }
    }
  }
  return { protocol, words: undefined };
}

/** What viewers of a protocol are given: SPICE connects several times, to a socket that nobody else reaches. */
export function addressFor(protocol: ScreenProtocol, hasPort: boolean): string {
  if (protocol === "vnc") return "{host}::{port}";
  return hasPort ? "spice://{host}:{port}" : "spice+unix://{socket}";
}
