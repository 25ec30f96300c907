import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { SshConfig } from "../../../lib/ssh/config.js";
import { SshConnection } from "../../../lib/ssh/connection.js";
import { SshForwarder } from "../../../lib/ssh/forwarder.js";
import type { SshOptions } from "../../../lib/ssh/login.js";
import { Remembered } from "../../../lib/ssh/questions.js";
import { runScript, SudoError } from "../../../lib/ssh/script.js";
import { freePort } from "../../helpers/free-port.js";
import { newKey, SshServer, type SshServerOptions } from "../../helpers/ssh-server.js";

let key: ReturnType<typeof newKey>;
beforeAll(() => {
  key = newKey();
});

/** A home with a key, and a server that it may log in to. */
async function rig(options: SshServerOptions = {}, config = "") {
  const home = await mkdtemp(join(tmpdir(), "zor-ssh-home-"));
  onTestFinished(() => rm(home, { recursive: true }));
  await mkdir(join(home, ".ssh"));
  const server = await SshServer.start({ keys: [key.public], ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const own = `Host lab\n  HostName 127.0.0.1\n  User ops\n  Port ${server.port}\n  GlobalKnownHostsFile none\n  IdentityAgent none\n  IdentityFile ~/.ssh/key\n`;
  await writeFile(join(home, ".ssh/config"), own + config);
  await writeFile(join(home, ".ssh/key"), key.private, { mode: 0o600 });
  const knownHosts = join(home, ".ssh/known_hosts");
  await writeFile(knownHosts, `[127.0.0.1]:${server.port} ${server.publicKey}\n`);
  const read = async (): Promise<SshOptions> => ({
    config: await SshConfig.read({ env: { HOME: home }, files: [join(home, ".ssh/config")] }),
  });
  return { home, server, knownHosts, read };
}

/** Questions with answers; every question is kept. */
function answering(answers: Readonly<Record<string, string>>, accepts = true) {
  const asked: string[] = [];
  const questions = new Remembered({
    secret: async (prompt) => {
      asked.push(prompt);
      return Object.entries(answers).find(([part]) => prompt.includes(part))?.[1];
    },
    confirm: async (lines) => {
      asked.push(lines.join("\n"));
      return accepts;
    },
  });
  return { asked, questions };
}

async function opened(options: SshOptions, host = "lab"): Promise<SshConnection> {
  const connection = await SshConnection.open({ host }, options);
  onTestFinished(() => connection.close());
  return connection;
}

test("commands run with their input, output and exit codes; more than eight take turns", async () => {
  const { read } = await rig();
  const connection = await opened(await read());
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, at) => connection.exec(`cat; echo e${at} >&2; exit ${at}`, { stdin: `in ${at}` })),
  );
  expect(results).toEqual(
    Array.from({ length: 20 }, (_, at) => ({ code: at, stdout: `in ${at}`, stderr: `e${at}\n` })),
  );
  await expect(connection.exec("yes", { maxOutputBytes: 10_000 })).rejects.toThrow("writes more than 10000 bytes");
  const stop = new AbortController();
  const hanging = connection.exec("sleep 300", { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(hanging).rejects.toThrow("enough");
});

test("a server that lets fewer commands run gets fewer at a time; something else that runs instead is told", async () => {
  const few = await opened(await (await rig({ maxSessions: 2 })).read());
  const results = await Promise.all(Array.from({ length: 5 }, (_, at) => few.exec(`echo ${at}`)));
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 5 }, (_, at) => `${at}\n`));
  const other = await opened(await (await rig({ forced: "echo This account is closed.; exit 1" })).read());
  await expect(runScript(other, "true")).rejects.toMatchObject({
    reason: "SSH_NO_SHELL",
    message: expect.stringContaining("This account is closed."),
  });
});

test("a connection that is lost ends what runs on it, with whom it was to", async () => {
  const { read, server } = await rig();
  const connection = await opened(await read());
  const hanging = connection.exec("sleep 300");
  await expect.poll(() => server.commands).toEqual(["sleep 300"]);
  server.drop();
  await expect(hanging).rejects.toThrow(`the ssh connection to ops@lab:${server.port} was lost`);
  expect((await connection.closed).reason).toBe("SSH_LOST");
  await expect(connection.exec("true")).rejects.toMatchObject({ reason: "SSH_LOST" });
});

test("a key that is not known is shown and asked about, and known from then on", async () => {
  const { read, knownHosts, server } = await rig();
  await writeFile(knownHosts, "");
  await expect(SshConnection.open({ host: "lab" }, await read())).rejects.toMatchObject({
    reason: "SSH_HOST_KEY_UNKNOWN",
    message: expect.stringMatching(/SHA256:.*logging in with ssh once/),
  });
  const no = answering({}, false);
  await expect(SshConnection.open({ host: "lab" }, { ...(await read()), questions: no.questions })).rejects.toThrow(
    "it was not accepted",
  );
  expect(await readFile(knownHosts, "utf8")).toBe("");
  const yes = answering({});
  await opened({ ...(await read()), questions: yes.questions });
  expect(yes.asked[0]).toMatch(/ecdsa-sha2-nistp256 SHA256:/);
  expect(await readFile(knownHosts, "utf8")).toContain(server.publicKey);
  await opened(await read());
  expect(server.logins).toBe(2);
});

test("another key than the known one is refused, with the file and what to do, whatever is allowed for unknown ones", async () => {
  const { read, knownHosts, server } = await rig();
  const wrong = `ecdsa-sha2-nistp256 ${newKey().public.toString("base64")}`;
  await writeFile(knownHosts, `[127.0.0.1]:${server.port} ${wrong}\n`);
  await expect(
    SshConnection.open({ host: "lab" }, { ...(await read()), unknownKeys: "accept-new" }),
  ).rejects.toMatchObject({
    reason: "SSH_HOST_KEY_CHANGED",
    message: expect.stringContaining(`${knownHosts}:1`),
  });
  expect(server.logins).toBe(0);
});

test("a key with a passphrase, a password and a question are asked for once each; a wrong answer is asked again", async () => {
  const locked = newKey("open sesame");
  const { read, home } = await rig({ keys: [locked.public] });
  await writeFile(join(home, ".ssh/key"), locked.private, { mode: 0o600 });
  const { asked, questions } = answering({ passphrase: "open sesame" });
  await Promise.all([opened({ ...(await read()), questions }), opened({ ...(await read()), questions })]);
  expect(asked).toEqual([`passphrase of ${home}/.ssh/key`]);
  for (const asks of [false, true]) {
    const other = await rig({ keys: [], passwords: { ops: "secret" }, asks });
    let tries = 0;
    const twice = new Remembered({
      secret: async () => (++tries === 1 ? "wrong" : "secret"),
      confirm: async () => false,
    });
    await opened({ ...(await other.read()), questions: twice });
    expect(tries).toBe(2);
  }
});

test("a login that fails says what was tried and what would be taken", async () => {
  const { read, home } = await rig({ keys: [newKey().public], passwords: { ops: "secret" } });
  await expect(SshConnection.open({ host: "lab" }, await read())).rejects.toMatchObject({
    reason: "SSH_AUTHENTICATION",
    message: expect.stringContaining(`tried: ${home}/.ssh/key; it takes: publickey, password`),
  });
});

test("a server that closes before it says anything is told apart from one that is away and from what is no sshd", async () => {
  const full = await rig({ isFull: true });
  await expect(SshConnection.open({ host: "lab" }, await full.read())).rejects.toMatchObject({
    reason: "SSH_THROTTLED",
  });
  const port = await freePort();
  await expect(SshConnection.open({ host: "lab", port }, await full.read())).rejects.toThrow(
    `nothing listens on 127.0.0.1:${port}`,
  );
  const http = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  await expect(SshConnection.open({ host: "lab", port }, await full.read())).rejects.toThrow("no sshd");
});

test("a server behind two others is reached, each of them checked", async () => {
  const outer = await rig();
  const middle = await rig();
  const inner = await rig(
    {},
    `Host outer\n  HostName 127.0.0.1\n  Port ${outer.server.port}\nHost middle\n  HostName 127.0.0.1\n  Port ${middle.server.port}\nHost *\n  User ops\n  IdentityFile ~/.ssh/key\n  IdentityAgent none\n  ProxyJump outer,middle\n`,
  );
  const known = [outer, middle, inner].map(({ server }) => `[127.0.0.1]:${server.port} ${server.publicKey}\n`);
  await writeFile(inner.knownHosts, known.join(""));
  const connection = await opened(await inner.read());
  expect((await connection.exec("echo through")).stdout).toBe("through\n");
  expect([outer.server.logins, middle.server.logins, inner.server.logins]).toEqual([1, 1, 1]);
  await writeFile(inner.knownHosts, known.slice(0, 1).join(""));
  await expect(SshConnection.open({ host: "lab" }, await inner.read())).rejects.toThrow(
    /the key of ops@middle.* is not known/,
  );
});

test("what a shell prints at login is no output of a script", async () => {
  const { read } = await rig({ banner: "Welcome to rack 7!\n" });
  const connection = await opened(await read());
  const lines: string[] = [];
  const result = await runScript(connection, "cat; echo 'it''s'; echo err >&2; exit 3", {
    stdin: [Buffer.from("one\n"), Buffer.from("two\n")],
    onLine: (line) => lines.push(line),
  });
  expect(result).toEqual({ code: 3, stdout: "one\ntwo\nits\n", stderr: "err\n" });
  expect(lines).toEqual(["one", "two", "its"]);
});

test("a script that ends before its input does is over", async () => {
  const { read } = await rig();
  const connection = await opened(await read());
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  async function* endless(): AsyncIterable<Buffer> {
    onAsked();
    await new Promise<never>(() => undefined);
    yield Buffer.of();
  }
  await expect(runScript(connection, "exit 75", { stdin: endless() })).resolves.toMatchObject({ code: 75 });
  await asked;
});

/** A sudo that asks on standard error as the real one does with -S, and knows one password. */
const sudo = `#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -S) shift;; -p) p=$2; shift 2;; --) shift; break;; esac; done
case "$SUDO_KIND" in
  free) exec "$@";;
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1;;
  stranger) echo "Sorry, user ops is not allowed to execute '$*' as root on lab." >&2; exit 1;;
esac
for i in 1 2 3; do printf %s "$p" >&2; read -r given || exit 1; [ "$given" = secret ] && exec "$@"; echo "Sorry, try again." >&2; done
exit 1
`;

test("scripts become root by sudo: the password goes there by input alone", async () => {
  const { home } = await rig();
  // Root needs no sudo: whoever logs in must be somebody else for the script, so that "id" says so.
  await writeFile(join(home, "sudo"), sudo, { mode: 0o755 });
  await writeFile(join(home, "id"), "#!/bin/sh\necho 1000\n", { mode: 0o755 });
  const start = async (kind: string) => {
    await writeFile(join(home, "sudo"), sudo.replace('"$SUDO_KIND"', kind), { mode: 0o755 });
    const again = await rig({ path: home });
    return { connection: await opened(await again.read()), server: again.server };
  };
  const asking = await start("asks");
  const root = { password: "secret" };
  const options = { root, stdin: [Buffer.from("input")] };
  await expect(runScript(asking.connection, "cat; exit 4", options)).resolves.toEqual({
    code: 4,
    stdout: "input",
    stderr: "",
  });
  expect(asking.server.commands.join()).not.toContain("secret");
  const trouble = async (connection: SshConnection, password: string | undefined) => {
    const error: unknown = await runScript(connection, "true", { root: { password } }).catch(
      (reason: unknown) => reason,
    );
    return error instanceof SudoError ? error.trouble : error;
  };
  expect(await trouble(asking.connection, "wrong")).toBe("wrong-password");
  expect(await trouble(asking.connection, undefined)).toBe("password-needed");
  const free = await start("free");
  // It asks for nothing: the password must not become input.
  await expect(runScript(free.connection, "cat", options)).resolves.toMatchObject({ code: 0, stdout: "input" });
  expect(await trouble((await start("tty")).connection, "secret")).toBe("needs-terminal");
  expect(await trouble((await start("stranger")).connection, "secret")).toBe("not-allowed");
});

test("places behind a server are Unix sockets here; a lost connection is made again", async () => {
  const { read, server } = await rig();
  const echo = createServer((socket) => socket.end("hello"));
  const port = await freePort();
  await new Promise<void>((resolve) => echo.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void echo.close());
  const forwarder = await SshForwarder.open({ ...(await read()), target: { host: "lab" }, env: {} });
  onTestFinished(() => forwarder.close());
  const { path } = await forwarder.listen("127.0.0.1", port);
  expect(await readAll(connect(path))).toBe("hello");
  server.drop();
  await expect.poll(() => readAll(connect(path)).catch(() => "")).toBe("hello");
  expect(server.logins).toBe(2);
  const nobody = await forwarder.listen("127.0.0.1", await freePort());
  await readAll(connect(nobody.path)).catch(() => "");
  expect(nobody.trouble).toMatchObject({ reason: "SSH_CHANNEL" });
});
