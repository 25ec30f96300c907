import { chmod, open, rm } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { z } from "zod";
import { failedPrecondition, messageOf, unavailable, ZorError } from "../lib/errors.js";

const socketName = "control.sock";
const maxLineBytes = 4096;

/** Says how far something is. */
export type Report = (text: string) => void;

/** What root on this host may ask of its agent beside the API. */
export interface LocalCommands {
  /** Ends what runs, because the host shuts down. Resolves to how many still run. */
  readonly shutdownGuests: (report: Report, signal: AbortSignal) => Promise<number>;
}

const requestSchema = z.object({ command: z.literal("shutdown-guests") });
const answerSchema = z.union([
  z.object({ type: z.literal("report"), text: z.string() }),
  z.object({ type: z.literal("done"), left: z.int().min(0) }),
  z.object({ type: z.literal("failed"), text: z.string() }),
]);

type Answer = z.output<typeof answerSchema>;

/** Serves root on this host at a socket in the state directory, one line of JSON for each request and answer. */
export class LocalControl implements AsyncDisposable {
  readonly #server: Server;
  readonly #commands: LocalCommands;
  readonly #sockets = new Set<Socket>();

  private constructor(commands: LocalCommands) {
    this.#commands = commands;
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  /** Begins to serve. @param state directory of the agent, that only root can enter. */
  static async open(state: string, commands: LocalCommands): Promise<LocalControl> {
    const control = new LocalControl(commands);
    await rm(join(state, socketName), { force: true });
    // By descriptor: the path of a socket may have only 107 bytes.
    await using directory = await open(state);
    control.#server.listen(join("/proc/self/fd", String(directory.fd), socketName));
    await once(control.#server, "listening");
    await chmod(join(state, socketName), 0o600);
    return control;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    const answer = (message: Answer): void => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`));
    try {
      const line = await readLine(socket);
      if (!requestSchema.safeParse(parse(line)).success) {
        answer({ type: "failed", text: "the agent does not know this command; is it of another version?" });
      } else {
        const left = await this.#commands.shutdownGuests((text) => answer({ type: "report", text }), gone.signal);
        answer({ type: "done", left });
      }
    } catch (error) {
      answer({ type: "failed", text: messageOf(error) });
    }
    socket.end();
  }
}

/** Asks the agent of a state directory to end what runs; resolves to how many still run. @throws {ZorError} when no agent answers. */
export async function askToShutdownGuests(state: string, report: Report): Promise<number> {
  const directory = await open(state).catch(() => undefined);
  if (directory === undefined) {
    throw failedPrecondition("NO_AGENT", "", `there is no state directory ${state}; say which one it is with --state`);
  }
  await using _held = directory;
  const socket = createConnection(join("/proc/self/fd", String(directory.fd), socketName));
  await once(socket, "connect").catch(() => {
    throw unavailable("AGENT_AWAY", "", `no agent serves in ${state}; guests are left alone`);
  });
  socket.write(`${JSON.stringify({ command: "shutdown-guests" })}\n`);
  // An agent that is killed resets the connection: that ends the lines, and is said once.
  socket.on("error", () => undefined);
  try {
    for await (const line of createInterface({ input: socket })) {
      const parsed = answerSchema.safeParse(parse(line));
      if (!parsed.success) continue;
      if (parsed.data.type === "done") return parsed.data.left;
      if (parsed.data.type === "failed") throw unavailable("AGENT_FAILED", "", parsed.data.text);
      report(parsed.data.text);
    }
  } catch (error) {
    if (error instanceof ZorError) throw error;
  } finally {
    socket.destroy();
  }
  throw unavailable("AGENT_AWAY", "", "the agent ended before the guests did");
}

/** The first line that comes. The socket stays open: what is asked is over when it closes. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("utf8");
      if (!text.includes("\n") && text.length <= maxLineBytes) return;
      socket.off("data", take);
      socket.resume();
      resolve(text.slice(0, maxLineBytes));
    };
    socket.on("data", take);
    socket.once("close", () => resolve(text));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
