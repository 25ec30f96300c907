import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import ssh2, { type Connection, type ServerChannel } from "ssh2";
import { freePort } from "./free-port.js";

/** What a test's server lets in and does. */
export interface SshServerOptions {
  /** Users with their passwords. */
  readonly passwords?: Readonly<Record<string, string>>;
  /** Public keys that let in, as ssh sends them. */
  readonly keys?: readonly Buffer[];
  /** Asks for the password by keyboard-interactive instead. */
  readonly asks?: boolean;
  /** Private key of the server; default: a new one. */
  readonly hostKey?: string;
  /** Closes each connection before it says anything, as sshd does beyond MaxStartups. */
  readonly isFull?: boolean;
  /** Programs found before the usual ones by what runs there. */
  readonly path?: string | undefined;
  /** Printed before each command, as a shell's start files do. */
  readonly banner?: string;
  readonly port?: number;
  /** How many commands of one connection it lets run at a time, as MaxSessions of sshd does. */
  readonly maxSessions?: number;
  /** Run in place of each command, as ForceCommand and a login shell do. */
  readonly forced?: string;
}

/** An ssh server in this process, on loopback: runs commands as this user and opens TCP connections. */
export class SshServer implements AsyncDisposable {
  readonly port: number;
  readonly hostKey: string;
  /** Connections that were let in so far. */
  logins = 0;
  /** Commands that were asked for. */
  readonly commands: string[] = [];
  readonly #server: ssh2.Server;
  readonly #clients = new Set<Connection>();
  /** Commands under way, by what ends them. Not every lost connection closes its channels. */
  readonly #running = new Map<ChildProcess, Connection>();

  private constructor(options: SshServerOptions, port: number) {
    this.port = port;
    this.hostKey = options.hostKey ?? newKey().private;
    this.#server = new ssh2.Server({ hostKeys: [this.hostKey] }, (client) => this.#serve(client, options));
  }

  static async start(options: SshServerOptions = {}): Promise<SshServer> {
    const server = new SshServer(options, options.port ?? (await freePort()));
    if (options.isFull === true) {
      const { createServer } = await import("node:net");
      const mute = createServer((socket) => socket.end());
      await new Promise<void>((resolve) => mute.listen(server.port, "127.0.0.1", resolve));
      return Object.assign(server, { [Symbol.asyncDispose]: async () => void mute.close() });
    }
    await new Promise<void>((resolve) => server.#server.listen(server.port, "127.0.0.1", resolve));
    return server;
  }

  /** The public half of its key, as in known_hosts. */
  get publicKey(): string {
    const parsed = ssh2.utils.parseKey(this.hostKey);
    if (parsed instanceof Error) throw parsed;
    return `${parsed.type} ${parsed.getPublicSSH().toString("base64")}`;
  }

  /** Ends all connections; new ones are taken. */
  drop(): void {
    for (const client of this.#clients) client.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    await Promise.all([...this.#running.keys()].map(ended));
  }

  #ended(client: Connection): void {
    this.#clients.delete(client);
    for (const [child, of] of this.#running) if (of === client) kill(child);
  }

  #serve(client: Connection, options: SshServerOptions): void {
    const { passwords = {}, keys = [], asks = false, path, banner = "", maxSessions = 10, forced } = options;
    let sessions = 0;
    this.#clients.add(client);
    client.on("error", () => undefined);
    client.on("close", () => this.#ended(client));
    const methods = [
      ...(keys.length > 0 ? (["publickey"] as const) : []),
      asks ? ("keyboard-interactive" as const) : ("password" as const),
    ];
    client.on("authentication", (context) => {
      const wanted = passwords[context.username];
      if (context.method === "publickey" && keys.some((key) => key.equals(context.key.data))) {
        if (context.signature === undefined) return context.accept();
        const parsed = ssh2.utils.parseKey(`${context.key.algo} ${context.key.data.toString("base64")}`);
        const isRight =
          !(parsed instanceof Error) &&
          context.blob !== undefined &&
          parsed.verify(context.blob, context.signature, context.hashAlgo);
        return isRight ? context.accept() : context.reject(methods);
      }
      if (context.method === "password" && !asks && wanted !== undefined && context.password === wanted)
        return context.accept();
      if (context.method === "keyboard-interactive" && asks) {
        context.prompt([{ prompt: "Password: ", echo: false }], (answers) => {
          if (wanted !== undefined && answers[0] === wanted) context.accept();
          else context.reject(methods);
        });
        return;
      }
      context.reject(methods);
    });
    client.on("ready", () => {
      this.logins += 1;
      client.on("session", (accept, reject) => {
        if (sessions >= maxSessions) return void reject();
        sessions += 1;
        accept().on("exec", (acceptExec, _reject, { command }) => {
          this.commands.push(command);
          const child = run(acceptExec(), forced ?? command, { path, banner });
          this.#running.set(child, client);
          child.once("close", () => {
            this.#running.delete(child);
            sessions -= 1;
          });
        });
      });
      client.on("tcpip", (accept, reject, { destIP, destPort }) => {
        const socket = connect(destPort, destIP);
        let channel: ServerChannel | undefined;
        socket.once("connect", () => {
          channel = accept();
          channel.on("error", () => undefined);
          channel.pipe(socket).pipe(channel);
        });
        socket.once("error", () => (channel === undefined ? reject() : channel.destroy()));
      });
    });
  }
}

/** A new pair of keys; the private one asks for a passphrase when one is given. Node's own, for ssh2 makes some that it cannot read. */
export function newKey(passphrase?: string): { readonly private: string; readonly public: Buffer } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const locked = passphrase === undefined ? {} : { cipher: "aes-128-cbc", passphrase };
  const text = privateKey.export({ format: "pem", type: "sec1", ...locked }).toString();
  const parsed = ssh2.utils.parseKey(text, passphrase);
  if (parsed instanceof Error) throw parsed;
  return { private: text, public: parsed.getPublicSSH() };
}

function run(
  channel: ServerChannel,
  command: string,
  { path, banner }: Pick<SshServerOptions, "path" | "banner">,
): ChildProcess {
  const usual = process.env["PATH"] ?? "";
  const child = spawn("sh", ["-c", command], {
    env: { ...process.env, PATH: path === undefined ? usual : `${path}:${usual}` },
    stdio: "pipe",
    detached: true,
  });
  if (banner !== undefined && banner !== "") {
    channel.write(banner);
    channel.stderr.write(banner);
  }
  channel.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on("error", () => undefined);
  channel.on("close", () => kill(child));
  child.once("close", (code, signal) => {
    if (code === null) channel.exit(signal?.replace("SIG", "") ?? "TERM");
    else channel.exit(code);
    channel.end();
  });
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  kill(child);
  await closed;
}

/** With all that it began. */
function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It has ended, and so has what it began.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
