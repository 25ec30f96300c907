import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SshConfig } from "../../../../lib/ssh/config.js";

async function configOf(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const home = await mkdtemp(join(tmpdir(), "zor-ssh-config-"));
  onTestFinished(() => rm(home, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
  return { home, read: () => SshConfig.read({ env: { HOME: home, ...env }, files: [join(home, ".ssh/config")] }) };
}

test("without a configuration it is what ssh does by itself", async () => {
  const { home, read } = await configOf({}, { SSH_AUTH_SOCK: "/run/agent" });
  expect((await read()).lookUp({ host: "rack7" })).toEqual({
    alias: "rack7",
    hostName: "rack7",
    user: userInfo().username,
    port: 22,
    jumps: [],
    identityFiles: ["id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"].map((name) =>
      join(home, ".ssh", name),
    ),
    identitiesOnly: false,
    agentSocket: "/run/agent",
    knownHostsFiles: [
      join(home, ".ssh/known_hosts"),
      join(home, ".ssh/known_hosts2"),
      "/etc/ssh/ssh_known_hosts",
      "/etc/ssh/ssh_known_hosts2",
    ],
    hashKnownHosts: false,
    hostKeyAlias: undefined,
    unknownKeys: "ask",
    notes: [],
  });
});

test("the first value that fits counts, names are of any case, and keys add up", async () => {
  const { home, read } = await configOf({
    ".ssh/config": `
HOST rack* !rack9
  hostname %h.lab.example
  Port=2222
  IdentityFile "~/keys/lab key"
Host *
  User ops
  Port 22
  IdentityFile ~/.ssh/%r_%h
  IdentitiesOnly yes
  IdentityAgent none
  HashKnownHosts yes
  UserKnownHostsFile ~/lab_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
`,
  });
  const config = await read();
  expect(config.lookUp({ host: "RACK7" })).toMatchObject({
    hostName: "RACK7.lab.example",
    port: 2222,
    user: "ops",
    identityFiles: [join(home, "keys/lab key"), join(home, ".ssh/ops_RACK7.lab.example")],
    identitiesOnly: true,
    agentSocket: undefined,
    hashKnownHosts: true,
    knownHostsFiles: [join(home, "lab_hosts")],
    unknownKeys: "accept-new",
  });
  expect(config.lookUp({ host: "rack9", user: "me", port: 99 })).toMatchObject({
    hostName: "rack9",
    user: "me",
    port: 99,
  });
});

test("hops over several servers, and none when it says so", async () => {
  const { read } = await configOf({
    ".ssh/config":
      "Host direct\n  ProxyJump none\nHost inner\n  ProxyJump ops@outer:2200,[fd00::1]:23\n  ProxyCommand ssh -W x y\n",
  });
  const config = await read();
  expect(config.lookUp({ host: "inner" }).jumps).toEqual([
    { user: "ops", host: "outer", port: 2200 },
    { host: "fd00::1", port: 23 },
  ]);
  expect(config.lookUp({ host: "direct" }).jumps).toEqual([]);
});

test("other files are included where the line stands, patterns in order", async () => {
  const { read } = await configOf({
    ".ssh/config": "Include lab.d/*.conf\nHost rack7\n  Port 1\n  User last\n",
    ".ssh/lab.d/b.conf": "Host rack7\n  Port 3\n  User b\n",
    ".ssh/lab.d/a.conf": "Host rack7\n  Port 2\n",
    ".ssh/lab.d/c.txt": "Host *\n  Port 9\n",
  });
  expect((await read()).lookUp({ host: "rack7" })).toMatchObject({ port: 2, user: "b" });
});

test("files that include each other are told", async () => {
  const { read } = await configOf({ ".ssh/config": "Include b\n", ".ssh/b": "Include config\n" });
  await expect(read()).rejects.toThrow(/\.ssh\/config: its Include lines go in a circle/);
});

test("Match knows names and users; what would run a program is passed over and told", async () => {
  const { read } = await configOf({
    ".ssh/config": `
Match originalhost rack7 user ops
  Port 2
Match !host rack7
  Port 3
Match exec "touch should-not-be"
  Port 4
Match all
  Port 5
`,
  });
  const config = await read();
  expect(config.lookUp({ host: "rack7", user: "ops" })).toMatchObject({ port: 2 });
  expect(config.lookUp({ host: "rack8", user: "ops" })).toMatchObject({ port: 3 });
  expect(config.lookUp({ host: "rack7", user: "me" })).toMatchObject({
    port: 5,
    notes: ['"Match exec" of the ssh configuration is passed over'],
  });
});

test("a ProxyCommand is refused with what to do instead", async () => {
  const { read } = await configOf({ ".ssh/config": "Host a\n  ProxyCommand nc %h %p\n" });
  const config = await read();
  expect(() => config.lookUp({ host: "a" })).toThrow("use ProxyJump instead");
});

test("a port that is none, and a jump that could be an option, are refused", async () => {
  const { read } = await configOf({ ".ssh/config": "Host a\n  Port x\nHost b\n  ProxyJump -oProxyCommand=id\n" });
  const config = await read();
  expect(() => config.lookUp({ host: "a" })).toThrow("x is not a port");
  expect(() => config.lookUp({ host: "b" })).toThrow(/^ProxyJump of b: /);
});
