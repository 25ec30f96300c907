import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../client/run-program.js";
import { addressFor, type ChosenViewer } from "../client/screen/viewers.js";
import { shortName } from "../kit/resource-name.js";
import { hostPort, listenFor, type ListenPlace } from "../client/listen-for.js";
import { listenVia } from "./listen-via.js";
import type { Session } from "./session.js";

const address = "127.0.0.1";
/** What a screen takes of one caller. */
const mostAtOnce = 32;

/** A viewer, and the port that it is to connect to; 0: a free one. */
interface ServedViewer extends ChosenViewer {
  readonly port: number;
}

/** Lets a viewer of this machine look at a screen until it ends, or where none is started until zor is interrupted. @throws {ZorError} */
export async function serveViewer(
  session: Session,
  name: string,
  { protocol, words, port: wanted }: ServedViewer,
): Promise<void> {
  const { signal, env } = session.io;
  const shown = words ?? [addressFor(protocol, wanted !== 0)];
  await using socket = shown.some((word) => word.includes("{socket}")) ? await makePrivateSocket(env) : undefined;
  // Whoever is on this machine may connect to a port: that of VNC is closed as soon as the viewer has connected.
  const most = words !== undefined && protocol === "vnc" && socket === undefined ? { most: 1 } : {};
  const place: ListenPlace = {
    ...(socket === undefined ? { address, port: wanted } : { path: socket.path }),
    ...{ mostAtOnce, ...most },
  };
  const { server, port } = await listenFor(
    await listenVia(session),
    { name, screen: true, screenProtocol: protocol },
    place,
  );
  try {
    const values = { "{host}": address, "{port}": String(port), "{socket}": socket?.path ?? "" };
    const argv = shown.map((word) =>
      word.replaceAll(/\{(host|port|socket)\}/g, (key) => values[key as keyof typeof values]),
    );
    if (words === undefined) {
      const where = protocol === "vnc" ? hostPort(address, port) : argv.join(" ");
      session.print(`${where} -> screen of ${shortName(name)} (${protocol.toUpperCase()})`);
      if (!signal.aborted) await once(signal, "abort");
      return;
    }
    const remedy = "name another with --viewer, or use --viewer none, --term or --png";
    session.setExitCode(await runProgram(argv, ["ignore", "inherit", "inherit"], { remedy, signal }));
  } finally {
    server.close();
  }
}

/** A place for a socket that only this user reaches, which goes with everything in it. */
async function makePrivateSocket(env: Session["io"]["env"]): Promise<AsyncDisposable & { readonly path: string }> {
  const make = (place: string) => mkdtemp(join(place, "zor-view-"));
  // The variable may come from another user's session, by su.
  const directory = await make(env["XDG_RUNTIME_DIR"] || tmpdir()).catch(() => make(tmpdir()));
  return {
    path: join(directory, "screen"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
