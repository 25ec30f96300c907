import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WatchLog } from "../../../lib/watch/watch-log.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { Link, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeEach(async () => {
  fleet = await CliFleet.create();
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
});

const link = (name: string, state: LinkState) => ({
  kind: "link" as const,
  value: Link.fromPartial({ name, spec: { a: "hosts/alpha/lans/lan1", b: "hosts/beta/lans/lan1" }, status: { state } }),
});

describe("zor get --watch", () => {
  it("prints what is there, then every change, and ends with 130 on Ctrl-C", async () => {
    const run = fleet.run(["get", "instances", "--watch"]);
    await run.stdout.sees(/NAME[\s\S]*alpha\/vm1 +RUNNING[\s\S]*beta\/vm1 +RUNNING/);
    await fleet.zor(["stop", "alpha/vm1"]);
    await run.stdout.sees(/alpha\/vm1 +STOPPED/);
    fleet.hub.log.remove("instance", "hosts/beta/instances/vm1");
    await run.stdout.sees("beta/vm1 is gone");
    run.interrupt();
    expect((await run.result).code).toBe(130);
  });

  it("goes on after a restart of the server with what changed meanwhile, and nothing twice", async () => {
    const run = fleet.run(["get", "links", "--watch"]);
    fleet.hub.put(link("links/kept", LinkState.LINK_STATE_ACTIVE), link("links/cut", LinkState.LINK_STATE_ACTIVE));
    await run.stdout.sees(/cut +ACTIVE/);
    fleet.hub.stop();
    await run.stderr.sees("the server is lost");
    // Another process has another log: the watch cannot resume and must compare.
    fleet.hub.log = new WatchLog();
    fleet.hub.put(
      link("links/kept", LinkState.LINK_STATE_ACTIVE),
      link("links/cut", LinkState.LINK_STATE_DOWN),
      link("links/new", LinkState.LINK_STATE_PENDING),
    );
    await fleet.hub.start();
    await run.stderr.sees("the server is back");
    await run.stdout.sees(/new +PENDING/);
    run.interrupt("SIGTERM");
    const { code, stdout } = await run.result;
    expect(code).toBe(143);
    expect(stdout).toMatch(/cut +DOWN/);
    expect(stdout.match(/^kept /gm)).toHaveLength(1);
  });

  it("of a query goes on as well, with what is different and what is not there any more", async () => {
    fleet.hub.put(link("links/kept", LinkState.LINK_STATE_ACTIVE), link("links/cut", LinkState.LINK_STATE_ACTIVE));
    const run = fleet.run(["query", "--kinds", "links", "sort by name", "--watch"]);
    await run.stdout.sees(/kept +ACTIVE/);
    fleet.hub.stop();
    await run.stderr.sees("the server is lost");
    fleet.hub.log = new WatchLog();
    fleet.hub.put(link("links/kept", LinkState.LINK_STATE_ACTIVE), link("links/new", LinkState.LINK_STATE_PENDING));
    await fleet.hub.start();
    await run.stdout.sees(/new +PENDI/);
    await run.stderr.sees(/not among them any more: (links\/)?cut/);
    run.interrupt("SIGTERM");
    const { code, stdout } = await run.result;
    expect(code).toBe(143);
    expect(stdout.match(/kept +ACTIVE/g)).toHaveLength(1);
  });

  it("prints one WatchResponse as proto3 JSON a line, filtered, with -o json", async () => {
    const run = fleet.run(["get", "instances", "-w", "-o", "json", "--filter", "status.state = STOPPED"]);
    await run.stdout.sees("snapshotEnd");
    await fleet.zor(["stop", "beta/vm1"]);
    await run.stdout.sees("INSTANCE_STATE_STOPPED");
    run.interrupt();
    const steps = (await run.result).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(steps[0]).toHaveProperty("reset");
    expect(steps.filter((step) => "upsert" in step)).toHaveLength(1);
    expect(steps.at(-1)).toMatchObject({
      position: { epoch: fleet.hub.log.epoch },
      upsert: { "@type": "type.googleapis.com/zor.v1.Instance", name: "hosts/beta/instances/vm1" },
    });
  });

  it("fails at once, with 5 and 6, where waiting cannot help", async () => {
    expect((await fleet.zor(["get", "hosts", "-w", "--filter", "a = = b"])).code).toBe(2);
    fleet.hub.stop();
    expect((await fleet.zor(["get", "hosts", "-w"])).code).toBe(6);
  });
});

describe("operations", () => {
  it("create instance follows the operation, and sends what the flags say", async () => {
    const argv = ["create", "instance", "alpha/c1", "--rootfs", "micro", "--memory", "1.5G"];
    const { code, stdout, stderr } = await fleet.zor([
      ...argv,
      ...["--nic", "lan=lan1,addr=10.0.0.2/24,addr=fd00::2/64", "--label", "tier=web", "--", "sleep", "1d"],
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "instance alpha/c1 created and started\n" });
    expect(stderr).toContain("creating alpha/c1: ");
    expect(fleet.hub.log.find("instance", "hosts/alpha/instances/c1")).toMatchObject({
      labels: { tier: "web" },
      spec: {
        memoryMib: 1536n,
        nics: [{ lan: "lan1", addresses: ["10.0.0.2/24", "fd00::2/64"] }],
        driver: { $case: "crun", value: { rootfs: "micro", command: ["sleep", "1d"] } },
      },
    });
  });

  it("create instance reads a file in the form that get prints", async () => {
    const yaml = (await fleet.zor(["get", "instances", "alpha/vm1", "-o", "yaml"])).stdout;
    const { code } = await fleet.zor(["create", "instance", "beta/copy1", "-f", "-", "--leave-stopped"], {
      input: yaml,
    });
    expect(code).toBe(0);
    const copy = fleet.hub.log.find("instance", "hosts/beta/instances/copy1");
    expect(copy?.status?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    expect(copy?.spec).toEqual(fleet.hub.log.find("instance", "hosts/alpha/instances/vm1")?.spec);
  });

  it("create link waits until the link is ACTIVE", async () => {
    const gate = Promise.withResolvers<void>();
    fleet.hub.linkGate = gate.promise;
    const run = fleet.run(["create", "link", "demo", "alpha/lan1", "beta/lan1"]);
    await run.stderr.sees("linking alpha/lan1 and beta/lan1: probing");
    expect(run.stdout.text).toBe("");
    gate.resolve();
    expect(await run.result).toMatchObject({ code: 0, stdout: "link demo is ACTIVE\n" });
  });

  it("Ctrl-C cancels the operation on the server and ends with 130", async () => {
    fleet.hub.linkGate = new Promise(() => undefined);
    const run = fleet.run(["create", "link", "demo", "alpha/lan1", "beta/lan1"]);
    await run.stderr.sees("probing");
    run.interrupt();
    const { code, stderr } = await run.result;
    expect(code).toBe(130);
    expect(stderr).toContain("link.create of links/demo was cancelled");
    expect(fleet.hub.log.find("link", "links/demo")).toBeUndefined();
  });

  it("go on over a restart of the server, and say so when it knows the operation no more", async () => {
    const gate = Promise.withResolvers<void>();
    fleet.hub.linkGate = gate.promise;
    const kept = fleet.run(["create", "link", "kept", "alpha/lan1", "beta/lan1"]);
    await kept.stderr.sees("probing");
    fleet.hub.stop();
    await fleet.hub.start();
    gate.resolve();
    expect(await kept.result).toMatchObject({ code: 0, stdout: "link kept is ACTIVE\n" });
    fleet.hub.linkGate = new Promise(() => undefined);
    const lost = fleet.run(["create", "link", "lost", "alpha/lan1", "beta/lan1"]);
    await lost.stderr.sees("probing");
    fleet.hub.stop();
    fleet.hub.forgetOperations();
    await fleet.hub.start();
    const { code, stderr } = await lost.result;
    expect(code).toBe(6);
    expect(stderr).toContain("cannot tell how link.create of links/lost ended");
  });

  it("end with the operation's own error", async () => {
    fleet.hub.linkGate = Promise.reject(new Error("lost"));
    fleet.hub.linkGate.catch(() => undefined);
    expect((await fleet.zor(["create", "link", "demo", "alpha/lan1", "beta/lan1"])).code).toBe(1);
    expect((await fleet.zor(["shutdown", "alpha/nobody"])).code).toBe(3);
  });
});

describe("zor console", () => {
  it("shows the console's bytes as they are, in raw mode, and gives the terminal back when detached", async () => {
    const run = fleet.run(["console", "alpha/vm1"], { columns: 80 });
    await run.stdout.sees("\x1b[32mlogin: ");
    expect(run.stdout.text).toMatch(/^Attached to alpha\/vm1\. Detach with Ctrl-\]\./);
    expect(run.input.isRaw).toBe(true);
    run.input.write("root\r");
    await run.stdout.sees("root\r");
    run.input.write("unsent? no\x1dafter");
    const { code, stderr, stdout } = await run.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "alpha/vm1: detached\n" });
    expect(stdout).not.toContain("after");
    expect(run.input.isRaw).toBe(false);
    expect(run.input.listenerCount("data")).toBe(0);
  });

  it("says why it ended when the instance's side closes, and leaves the terminal as it was", async () => {
    const run = fleet.run(["console", "alpha/vm1"], { columns: 80 });
    await run.stdout.sees("login: ");
    run.input.write("exit\r");
    expect(await run.result).toMatchObject({ code: 0, stderr: "alpha/vm1: the instance stopped\n" });
    expect(run.input.isRaw).toBe(false);
  });

  it("attaches again when the server was lost, and gives the terminal back meanwhile when asked, and on SIGTERM", async () => {
    const lost = fleet.run(["console", "alpha/vm1"], { columns: 80 });
    const left = fleet.run(["console", "alpha/vm1"], { columns: 80 });
    await Promise.all([lost, left].map((run) => run.stdout.sees("login: ")));
    fleet.hub.stop();
    await Promise.all([lost, left].map((run) => run.stdout.sees("[zor: the connection was lost")));
    left.input.write("\x1d");
    expect((await left.result).code).toBe(0);
    expect(left.input.isRaw).toBe(false);
    await fleet.hub.start();
    await lost.stdout.sees("[zor: attached again");
    expect(lost.input.isRaw).toBe(true);
    lost.input.write("exit");
    expect((await lost.result).code).toBe(0);
    expect(lost.input.isRaw).toBe(false);
    const ended = fleet.run(["console", "alpha/vm1"], { columns: 80 });
    await ended.stdout.sees("login: ");
    ended.interrupt("SIGTERM");
    expect((await ended.result).code).toBe(143);
    expect(ended.input.isRaw).toBe(false);
  });

  it("types what comes from a pipe, the detach key included", async () => {
    const { code, stdout } = await fleet.zor(["console", "alpha/vm1"], { input: "one\x1dtwo exit" });
    expect(code).toBe(0);
    expect(stdout).toContain("one\x1dtwo exit");
  });
});

describe("zor exec", () => {
  it("ends with 8 when a part of the output is missing, and tells the command's own exit code", async () => {
    const { code, stderr } = await fleet.zor(["exec", "alpha/vm1", "-n", "--", "cut", "3"]);
    expect(code).toBe(8);
    expect(stderr).toContain("a part of the output is missing; the command's own exit code was 3");
  });

  it("ends with the command's exit code and keeps its streams apart", async () => {
    const { code, stdout, stderr } = await fleet.zor(["exec", "alpha/vm1", "-n", "--", "exit", "42", "--help", "-o"]);
    expect(code).toBe(42);
    expect(stdout).toBe("exit|42|--help|-o\n");
    expect(stderr).toBe("warned\x1b[31m\n");
  });

  it("passes standard input on, more of it than fits into one message", async () => {
    const input = "0123456789".repeat(50_000);
    const { code, stdout } = await fleet.zor(["exec", "alpha/vm1", "--", "cat"], { input });
    expect(code).toBe(0);
    expect(stdout).toBe(`cat\n${input}`);
  });

  it("escapes output that would reach a terminal, unless the command has one of its own", async () => {
    const plain = await fleet.zor(["exec", "alpha/vm1", "--", "x\x1b]0;t\x07"], { columns: 80 });
    expect(plain.stdout).toBe("x\\x1b]0;t\\x07\n");
    expect(plain.stderr).toBe("warned\\x1b[31m\n");
    const run = fleet.run(["exec", "alpha/vm1", "-t", "--", "x\x1b[1m"], { columns: 80 });
    await run.stdout.sees("x\x1b[1m");
    expect(run.input.isRaw).toBe(true);
    run.input.end();
    expect((await run.result).code).toBe(0);
    expect(run.input.isRaw).toBe(false);
  });

  it("refuses -t without a terminal, and an instance that does not exist", async () => {
    expect((await fleet.zor(["exec", "-t", "alpha/vm1", "--", "sh"])).code).toBe(2);
  });
});

it("a watch of a fleet keeps up with many changes", async () => {
  const run = fleet.run(["get", "instances", "--watch", "-o", "name"]);
  await run.stdout.sees("hosts/beta/instances/vm1");
  for (let index = 0; index < 3000; index += 1) {
    const value = Instance.fromPartial({ name: `hosts/alpha/instances/n${index}` });
    fleet.hub.put({ kind: "instance", value });
  }
  await run.stdout.sees("hosts/alpha/instances/n2999\n");
  run.interrupt();
  const { stdout } = await run.result;
  expect(stdout.match(/instances\/n\d+\n/g)).toHaveLength(3000);
});
