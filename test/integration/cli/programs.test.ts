import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandTable } from "../../../tui/cli/command-table.js";
import { loadContext } from "../../../tui/client/contexts.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeAll(async () => {
  fleet = await CliFleet.create();
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

describe("zor --help", () => {
  it("names every command and the programs of the launcher", async () => {
    const { code, stdout } = await fleet.zor(["--help"]);
    expect(code).toBe(0);
    for (const name of [...commandTable.map((entry) => entry.name), "tui", "hub", "agent", "demo", "doctor"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
    }
    expect((await fleet.zor([])).stdout).toBe(stdout);
  });

  const commands = [
    ...commandTable.map(({ name }) => name),
    ...["instance", "lan", "link"].map((name) => `create ${name}`),
    ...["add", "list", "remove"].map((name) => `host ${name}`),
    ...["create", "revoke"].map((name) => `token ${name}`),
    ...["list", "show", "use", "add", "remove"].map((name) => `context ${name}`),
    ...["list", "describe", "call"].map((name) => `api ${name}`),
  ];
  it.each(commands)("%s has help that fits 80 columns, with examples", async (name) => {
    const words = name.split(" ");
    const { code, stdout } = await fleet.zor([...words, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: zor ${name}`);
    const [usage = ""] = stdout.split("Examples:");
    for (const line of usage.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    // Groups of commands show examples with each of them.
    if (!stdout.includes("Commands:")) expect(stdout).toMatch(/Examples:\n {2}\S/);
    expect((await fleet.zor(["help", ...words])).stdout).toBe(stdout);
  });
});

describe("bad command lines end with 2 and say what to do", () => {
  const cases: readonly (readonly [argv: readonly string[], says: RegExp])[] = [
    [["gte", "hosts"], /Did you mean get\?/],
    [["create", "lann", "alpha/x"], /Did you mean lan\?/],
    [["get", "instnces"], /did you mean instances\?/],
    [["get"], /missing required argument.*usage: zor get .*<kind>/],
    [["create", "router"], /there are host, instance, lan, link, a2b.*; see zor create --help/],
    [["create", "link", "demo"], /usage: zor create link .*<name> <a> <b>; see zor create link --help/],
    [["create", "instance", "vm1"], /HOST\/NAME/],
    [["help", "crate"], /no help for "crate"; did you mean create\?/],
    [["help", "agent"], /zor agent --help/],
    [["get", "hosts", "--outptu", "json"], /Did you mean --output\?/],
    [["get", "hosts", "-o", "xml"], /Allowed choices are table, wide, json, yaml, csv, name/],
    [["get", "hosts", "--host", "alpha"], /--filter/],
    [["get", "instances", "--host", "a,b"], /not a valid name/],
    [["get", "instances", "links/demo"], /not the name of an instance/],
    [["start"], /name them, or give --filter/],
    [["start", "-foo"], /unknown option/],
    [["start", "alpha/a=b"], /a=b.*not a valid name/],
    [["start", "alpha/a\nb"], /a\\nb.*not a valid name/],
    [["start", "alpha/vm1", "--timeout", "soon"], /"soon" is not a time/],
    [["start", "alpha/vm1", "--request-id", "a b"], /request-id/],
    [["create", "lan", "lan1"], /HOST\/NAME/],
    [["create", "lan", "alpha/l", "--mtu", "100"], /576 to 9216/],
    [["create", "instance", "alpha/x", "--kernel", "micro", "--memory", "0"], /memory/],
    [["create", "instance", "alpha/x", "--kernel", "micro", "--rootfs", "micro"], /does not go with/],
    [["create", "instance", "alpha/x"], /--image|--rootfs/],
    [["create", "instance", "alpha/x", "--rootfs", "micro", "--nic", "lna=lan1"], /the keys are lan, addr, mac, name/],
    [["create", "instance", "alpha/x", "--kernel", "micro", "--accel", "xen"], /neither kvm nor tcg/],
    [["attach", "alpha/vm1"], /say which NIC/],
    [["attach", "alpha/vm1", "eth0"], /say which lan/],
    [["detach", "alpha/vm1", "eth0", "lan1", "lan2"], /one NIC and one lan/],
    [["token", "create"], /exactly one of/],
    [["token", "create", "--user", "ana", "--role", "king"], /viewer, operator and admin/],
    [["token", "create", "--user", "ana", "--ttl", "never"], /"never" is not a time/],
    [["context", "add", "x", "--address", "hub:7440", "--identity", "."], /identity|address/],
    [["api", "call", "InstanceService"], /SERVICE\/METHOD/],
    [["completion", "tcsh"], /bash, zsh and fish/],
    [["join", "not-a-token"], /token/],
    [["hub", "run"], /launcher/],
  ];
  it.each(cases)("%j", async (argv, says) => {
    const { code, stdout, stderr } = await fleet.zor(argv);
    expect(stderr).toMatch(says);
    expect(stderr.split("\n")).toHaveLength(2);
    expect(stdout).toBe("");
    expect([2, 4]).toContain(code);
  });

  it.each(["create", "set", "link", "host", "token", "context", "api"])("%s alone shows its commands", async (name) => {
    const { code, stdout, stderr } = await fleet.zor([name]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`Usage: zor ${name}`);
    expect(stderr).toContain("Commands:");
  });

  it("no resource is touched by any of them", () => {
    expect(fleet.hub.requests).toEqual([]);
  });
});

describe("contexts", () => {
  it("are listed, shown, chosen and removed", async () => {
    const listed = JSON.parse((await fleet.zor(["context", "list", "-o", "json"])).stdout);
    expect(listed).toMatchObject({ current: "admin", contexts: [{ name: "admin" }, { name: "viewer" }] });
    expect((await fleet.zor(["context", "show", "viewer"])).stdout).toContain("zor://user/viewer");
    expect(await fleet.zor(["context", "use", "viewer"], { env: { ZOR_CONTEXT: "admin" } })).toEqual({
      code: 0,
      stdout: "now using viewer\n",
      stderr:
        "context viewer is the current one now, instead of admin; back with: zor context use admin\nZOR_CONTEXT=admin is set in this shell and goes before it\n",
    });
    expect((await fleet.zor(["stop", "alpha/vm1"])).code).toBe(5);
    expect((await fleet.zor(["stop", "alpha/vm1"], { env: { ZOR_CONTEXT: "admin" } })).code).toBe(0);
    expect((await fleet.zor(["start", "alpha/vm1", "--context", "admin"])).code).toBe(0);
    const identity = listed.contexts[0].identityDirectory;
    const add = ["context", "add", "third", "--address", fleet.hub.address, "--identity", identity];
    expect((await fleet.zor([...add, "--use"])).code).toBe(0);
    expect((await fleet.zor(["get", "hosts"])).code).toBe(0);
    expect(await fleet.zor(["context", "remove", "third"])).toMatchObject({
      code: 0,
      stderr: "no context is current now; choose one with: zor context use NAME\n",
    });
    expect((await fleet.zor(["get", "hosts"])).stderr).toMatch(/no hub is chosen.*admin, viewer/);
    expect((await fleet.zor(["context", "use", "nowhere"])).code).toBe(3);
    expect((await fleet.zor(["context", "use", "admin"])).code).toBe(0);
  });

  it("lie where XDG_CONFIG_HOME says; those of before are named, and ZOR_CONFIG goes before it", async () => {
    const home = join(fleet.configDirectory, "home");
    await cp(join(fleet.configDirectory, "contexts.yaml"), join(home, ".config", "zor", "contexts.yaml"));
    const env = { ZOR_CONFIG: "", HOME: home, XDG_CONFIG_HOME: join(home, "xdg") };
    const none = await fleet.zor(["get", "hosts"], { env });
    expect(none.stderr).toBe(
      `zor: no hub is chosen; use those in ${home}/.config/zor with ZOR_CONFIG=${home}/.config/zor, or join a hub with: zor join TOKEN, or start the demo with: zor demo up\n`,
    );
    const { identityDirectory } = await loadContext({ name: "admin", env: fleet.env() });
    const add = ["context", "add", "mine", "--address", fleet.hub.address, "--identity", identityDirectory];
    expect((await fleet.zor(add, { env })).code).toBe(0);
    expect(await readFile(join(home, "xdg", "zor", "contexts.yaml"), "utf8")).toContain("mine");
    expect((await fleet.zor(["get", "hosts"], { env })).code).toBe(0);
    const list = ["context", "list", "-o", "name"];
    expect((await fleet.zor(list, { env: { ...env, ...fleet.env() } })).stdout).toBe("admin\nviewer\n");
    expect((await fleet.zor(list, { env })).stdout).toBe("mine\n");
  });

  it("of a damaged file are refused with file, line and column", async () => {
    const directory = join(fleet.configDirectory, "broken");
    await mkdir(directory);
    await writeFile(join(directory, "contexts.yaml"), "current: a\ncontexts:\n  - name: a\n    adress: [x]\n");
    const { code, stderr } = await fleet.zor(["get", "hosts"], { env: { ZOR_CONFIG: directory } });
    expect(code).toBe(2);
    expect(stderr).toContain('contexts.yaml:4:5: unknown key "adress"');
  });

  it("of a foreign hub are refused: the certificate is checked", async () => {
    const other = await CliFleet.create();
    await using _ = other;
    const contexts = JSON.parse((await other.zor(["context", "list", "-o", "json"])).stdout).contexts;
    const identity = contexts[0].identityDirectory;
    await fleet.zor(["context", "add", "foreign", "--address", fleet.hub.address, "--identity", identity]);
    const { code, stderr } = await fleet.zor(["get", "hosts", "--context", "foreign"]);
    expect(code).toBe(6);
    expect(stderr).toContain("cannot reach");
    await fleet.zor(["context", "remove", "foreign"]);
  });
});

describe("zor api", () => {
  it("lists, describes and calls what the server tells of itself", async () => {
    expect((await fleet.zor(["api", "list"])).stdout).toMatch(
      /^zor\.v1\.InstanceService\/ListInstances +get instances$/m,
    );
    expect((await fleet.zor(["api", "describe", "InstanceService/StartInstance"])).stdout).toContain(
      "bool validate_only = 3;",
    );
    expect((await fleet.zor(["api", "describe", "zor.v1.InstanceState"])).stdout).toContain(
      "INSTANCE_STATE_RUNNING = 3;",
    );
    const argv = ["api", "call", "InstanceService/GetInstance", '{"name": "hosts/alpha/instances/vm1"}'];
    expect(JSON.parse((await fleet.zor(argv)).stdout).instance.spec.memoryMib).toBe("256");
    const fromInput = await fleet.zor(["api", "call", "zor.v1.InstanceService/ListInstances", "-"], {
      input: '{"parent":"hosts/-"}',
    });
    expect(JSON.parse(fromInput.stdout).instances).toHaveLength(2);
  });

  it("prints a server stream, one response a line, until it is interrupted", async () => {
    const run = fleet.run(["api", "call", "WatchService/Watch", '{"kinds": ["lan"]}']);
    await run.stdout.sees("snapshotEnd");
    run.interrupt();
    const { code, stdout } = await run.result;
    expect(code).toBe(130);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => Object.keys(JSON.parse(line))[1] ?? ""),
    ).toContain("upsert");
  });

  it("refuses what does not fit the types, streams of requests and unknown methods", async () => {
    const call = (...argv: string[]) => fleet.zor(["api", "call", ...argv]);
    expect(await call("InstanceService/GetInstance", '{"nmae": "x"}')).toMatchObject({ code: 2 });
    expect(await call("InstanceService/GetInstance", "{")).toMatchObject({ code: 2 });
    expect(await call("ConsoleService/AttachConsole")).toMatchObject({ code: 2 });
    const unknown = await call("InstanceService/GetInstances");
    expect(unknown.code).toBe(3);
    expect(unknown.stderr).toContain("did you mean GetInstance?");
    expect((await call("InstanceServise/GetInstance")).stderr).toContain("did you mean InstanceService?");
  });
});

describe("hosts, tokens, lans and NICs", () => {
  it("host add prints the join token alone on stdout", async () => {
    const { code, stdout } = await fleet.zor([
      "host",
      "add",
      "gamma",
      "--address",
      "192.0.2.7:7443",
      "--label",
      "site=x",
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "zor1.dG9rZW4\n" });
    expect(fleet.hub.log.find("host", "hosts/gamma")).toMatchObject({
      addresses: ["192.0.2.7:7443"],
      labels: { site: "x" },
    });
    expect((await fleet.zor(["host", "remove", "gamma"])).code).toBe(4);
    expect((await fleet.zor(["host", "remove", "gamma", "--yes"])).code).toBe(0);
    expect((await fleet.zor(["host", "list", "-o", "name"])).stdout).toBe("hosts/alpha\nhosts/beta\n");
  });

  it("token create prints the token alone on stdout and sends whom it is for", async () => {
    const { stdout } = await fleet.zor(["token", "create", "--user", "ana", "--role", "operator", "--ttl", "1h"]);
    expect(stdout).toBe("zor1.c2VjcmV0\n");
    expect(fleet.hub.requests.at(-1)?.request).toMatchObject({
      subject: { $case: "userId", value: "ana" },
      role: 2,
      ttl: { seconds: 3600n },
    });
  });

  it("attach and detach take the NIC as a word or as part of the name, and find the lan of its host", async () => {
    const endpoint = "hosts/alpha/instances/vm1/nics/eth0";
    for (const argv of [
      ["attach", "alpha/vm1", "eth0", "lan1"],
      ["attach", "alpha/vm1/eth0", "alpha/lan1"],
      ["detach", "alpha/vm1", "eth0"],
      ["detach", endpoint, "lan1"],
    ]) {
      expect(await fleet.zor(argv)).toMatchObject({ code: 0 });
      expect(fleet.hub.requests.at(-1)?.request).toMatchObject({ name: "hosts/alpha/lans/lan1", endpoint });
    }
    const elsewhere = await fleet.zor(["attach", "alpha/vm1", "eth0", "beta/lan1"]);
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining("on different hosts") });
    const { code, stderr } = await fleet.zor(["detach", "alpha/vm1", "eth7"]);
    expect(code).toBe(3);
    expect(stderr).toContain("it has eth0");
  });
});
