import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeEach(async () => {
  fleet = await CliFleet.create();
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** Parses JSON strictly as a message of the API: unknown fields and wrong forms fail. */
function asMessage(typeName: string, text: string): unknown {
  const { registry } = descriptors();
  const type = registry.getMessage(typeName);
  if (type === undefined) throw new Error(`no type ${typeName}`);
  return fromJson(type, JSON.parse(text) as JsonValue, { registry });
}

const vm1 = "hosts/alpha/instances/vm1";

describe("zor map", () => {
  // It asks for every kind at once, which a busy machine may take its time for.
  const map = (...options: readonly string[]) => fleet.zor(["map", "--timeout", "60s", ...options]);

  it("draws hosts with what is in them, in every form", async () => {
    const { code, stdout, stderr } = await map("--zoom", "host");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const text of ["● alpha", "● beta", "● vm1"]) expect(stdout).toContain(text);
    expect((await map("-o", "ascii")).stdout).toMatch(/^[\x20-\x7e\n]+$/);
    expect((await map("-o", "svg")).stdout).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect((await map("-o", "mermaid")).stdout).toMatch(/^flowchart LR\n/);
    const { things } = JSON.parse((await map("--host", "alpha", "-o", "json")).stdout);
    expect(things).toContainEqual(expect.objectContaining({ name: vm1, state: "running" }));
    expect(things).not.toContainEqual(expect.objectContaining({ name: "hosts/beta/instances/vm1" }));
  });

  it("says which host there is not", async () => {
    expect(await map("--host", "nowhere")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("nowhere"),
    });
  });
});

describe("zor get", () => {
  it.each([
    ["hosts", "zor.v1.ListHostsResponse"],
    ["instances", "zor.v1.ListInstancesResponse"],
    ["lans", "zor.v1.ListLansResponse"],
    ["links", "zor.v1.ListLinksResponse"],
    ["operations", "zor.v1.ListOperationsResponse"],
  ])("%s -o json prints the API's response as proto3 JSON", async (kind, type) => {
    const { code, stdout } = await fleet.zor(["get", kind, "-o", "json"]);
    expect(code).toBe(0);
    asMessage(type, stdout);
  });

  it("writes 64-bit numbers as text, durations in seconds and enums by name", async () => {
    const unreachable = { seconds: 1n, nanos: 500_000_000 };
    fleet.hub.unreachable = [
      { name: "hosts/beta", reason: "no answer", lastSeenTime: new Date(), lastSeenAge: unreachable },
    ];
    const { stdout } = await fleet.zor(["get", "instances", "-o", "json"]);
    const json = JSON.parse(stdout);
    expect(json.instances[0].spec.memoryMib).toBe("256");
    expect(json.instances[0].status.state).toBe("INSTANCE_STATE_RUNNING");
    expect(json.unreachable[0].lastSeenAge).toBe("1.500s");
  });

  it("shows all pages of a long list as one", async () => {
    fleet.hub.put(
      ...Array.from({ length: 1203 }, (_, index) => ({
        kind: "instance" as const,
        value: Instance.fromPartial({ name: `hosts/alpha/instances/many${String(index).padStart(4, "0")}` }),
      })),
    );
    const { stdout } = await fleet.zor(["get", "instances", "-o", "name"]);
    const names = stdout.trim().split("\n");
    expect(names).toHaveLength(1205);
    expect(new Set(names).size).toBe(1205);
    const json = JSON.parse((await fleet.zor(["get", "instances", "-o", "json"])).stdout);
    expect(json.instances).toHaveLength(1205);
    expect(json.nextPageToken).toBeUndefined();
  });

  it("shows a table whose rows of an unreachable host are marked, and says so on stderr", async () => {
    const lastSeenAge = { seconds: 14n, nanos: 0 };
    fleet.hub.unreachable = [{ name: "hosts/beta", reason: "no answer", lastSeenTime: undefined, lastSeenAge }];
    const { code, stdout, stderr } = await fleet.zor(["get", "instances"], { columns: 80 });
    expect(code).toBe(0);
    const [header = "", alpha = "", beta = ""] = stdout.split("\n").map(stripColors);
    expect(header).toMatch(/^NAME +STATE +SEEN/);
    expect(alpha).toMatch(/^alpha\/vm1 +RUNNING +now/);
    expect(beta).toMatch(/^beta\/vm1 +RUNNING\? +14s ago/);
    expect(stderr).toBe("host beta is unreachable, last seen 14s ago: no answer; what is shown of it may be old\n");
    expect((await fleet.zor(["get", "instances", "beta/vm1"])).stdout).toContain("14s ago");
  });

  it("finds one resource by its short, host and full name", async () => {
    fleet.hub.put({ kind: "instance", value: Instance.fromPartial({ name: "hosts/beta/instances/only1" }) });
    for (const name of ["only1", "beta/only1", "hosts/beta/instances/only1"]) {
      const { stdout } = await fleet.zor(["get", "instance", name, "-o", "json"]);
      expect(JSON.parse(stdout).instances[0].name).toBe("hosts/beta/instances/only1");
    }
  });

  it.each([[["alpha/vm1"]], [["alpha/vm1", "beta/vm1"]], [[]]])(
    "prints a list's response as JSON and YAML, whatever is asked for: %j",
    async (names) => {
      const lastSeenAge = { seconds: 14n, nanos: 0 };
      fleet.hub.unreachable = [{ name: "hosts/beta", reason: "no answer", lastSeenTime: undefined, lastSeenAge }];
      const { stdout } = await fleet.zor(["get", "instances", ...names, "-o", "json"]);
      asMessage("zor.v1.ListInstancesResponse", stdout);
      const json = JSON.parse(stdout);
      const expected = names.length === 0 ? ["alpha/vm1", "beta/vm1"] : names;
      expect(
        json.instances.map(({ name }: Instance) =>
          name
            .split("/")
            .filter((_, at) => at % 2 === 1)
            .join("/"),
        ),
      ).toEqual(expected);
      expect(json.unreachable?.length ?? 0).toBe(expected.includes("beta/vm1") ? 1 : 0);
      const yaml = (await fleet.zor(["get", "instances", ...names, "-o", "yaml"])).stdout;
      expect(parseAllDocuments(yaml).map((document) => document.toJS())).toEqual([json]);
    },
  );

  it("shows labels in columns of their own, and all of them with -o wide", async () => {
    const instance = fleet.hub.log.find("instance", vm1);
    if (instance === undefined) throw new Error("the fleet has alpha/vm1");
    const labels = { role: "web", owner: "\x1b[31mana 漢字" };
    fleet.hub.put({ kind: "instance", value: Instance.fromPartial({ ...instance, labels }) });
    const columns = await fleet.zor(["get", "instances", "-L", "role,owner", "--label-columns", "none"]);
    expect(columns.stdout).toMatch(
      /^NAME .* ROLE +OWNER +NONE\nalpha\/vm1 .* web +\\x1b\[31mana 漢字 +-\nbeta\/vm1 .* - +- +-\n$/,
    );
    const wide = await fleet.zor(["get", "instances", "-o", "wide"]);
    expect(wide.stdout).toMatch(/ LABELS\nalpha.* role=web owner=\\x1b\[31mana 漢字\n/);
    expect(await fleet.zor(["get", "operations", "-L", "role"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("have no labels"),
    });
    expect((await fleet.zor(["get", "instances", "-L", "a b"])).code).toBe(2);
  });

  it("lists the candidates of a name that several hosts have", async () => {
    const { code, stderr } = await fleet.zor(["get", "instances", "vm1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("say which, alpha/vm1 or beta/vm1");
  });

  it("suggests the nearest name, and ends with 3, when there is none", async () => {
    const { code, stderr } = await fleet.zor(["get", "instances", "vm11"]);
    expect(code).toBe(3);
    expect(stderr).toContain("did you mean vm1?");
  });

  it("passes filter and order on, and refuses a bad filter with 2", async () => {
    const filtered = await fleet.zor(["get", "instances", "--filter", "name : beta", "-o", "name"]);
    expect(filtered.stdout).toBe("hosts/beta/instances/vm1\n");
    const ordered = await fleet.zor(["get", "instances", "--order-by", "name desc", "-o", "name"]);
    expect(ordered.stdout.split("\n")[0]).toBe("hosts/beta/instances/vm1");
    expect((await fleet.zor(["get", "instances", "--filter", "state = = 1"])).code).toBe(2);
  });

  it("escapes what comes from outside in tables, names and JSON", async () => {
    const reason = "\x1b[31mowned\u202e\u009b2J";
    const value = Host.fromPartial({ name: "hosts/evil", state: HostState.HOST_STATE_UNREACHABLE, reason });
    fleet.hub.put({ kind: "host", value });
    for (const output of ["table", "wide", "name", "json", "yaml"]) {
      const { stdout } = await fleet.zor(["get", "hosts", "-o", output]);
      expect(stdout).toContain("evil");
      expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }
  });
});

describe("a change names its context when there are several", () => {
  it.each<[string, readonly string[]]>([
    ["a verb", ["stop", "alpha/vm1"]],
    ["a deletion, before its plan", ["delete", "alpha/vm1", "--force", "--yes"]],
    ["a token", ["token", "create", "--user", "ana"]],
    ["a call by reflection", ["api", "call", "InstanceService/StopInstance", `{"name": "${vm1}"}`]],
    ["a new lan", ["create", "lan", "alpha/new1"]],
  ])("%s", async (_, argv) => {
    const { code, stderr } = await fleet.zor(argv);
    expect(code).toBe(0);
    expect(stderr.split("\n")[0]).toBe(`context admin (${fleet.hub.address})`);
    expect(stderr.match(/context admin/g)).toHaveLength(1);
  });

  it.each<[string, readonly string[]]>([
    ["looking", ["get", "instances"]],
    ["a dry run", ["stop", "alpha/vm1", "--dry-run"]],
    ["a call that looks", ["api", "call", "InstanceService/ListInstances"]],
    ["where errors are JSON", ["stop", "alpha/vm1", "-o", "json"]],
  ])("but not %s", async (_, argv) => {
    expect(await fleet.zor(argv)).toMatchObject({ code: 0, stderr: "" });
  });

  it("but not when there is one", async () => {
    expect((await fleet.zor(["context", "remove", "viewer"])).code).toBe(0);
    expect(await fleet.zor(["stop", "alpha/vm1"])).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("zor verbs", () => {
  it("stop and start tell the state that was observed afterwards", async () => {
    expect(await fleet.zor(["stop", "alpha/vm1"])).toMatchObject({ code: 0, stdout: "alpha/vm1 stopped (STOPPED)\n" });
    expect(await fleet.zor(["start", "alpha/vm1"])).toMatchObject({ code: 0, stdout: "alpha/vm1 started (RUNNING)\n" });
  });

  it("end with 4 when the state does not allow it, and change nothing with --dry-run", async () => {
    expect((await fleet.zor(["start", "alpha/vm1"])).code).toBe(4);
    expect((await fleet.zor(["stop", "alpha/vm1", "--dry-run"])).stdout).toContain("nothing was changed");
    expect(fleet.hub.log.find("instance", vm1)?.status?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });

  it("act on every name and end with the code of the first failure", async () => {
    const { code, stdout, stderr } = await fleet.zor(["stop", "alpha/nobody", "alpha/vm1", "beta/vm1"]);
    expect(code).toBe(3);
    expect(stderr).toContain("hosts/alpha/instances/nobody");
    expect(stdout.trim().split("\n").sort()).toEqual(["alpha/vm1 stopped (STOPPED)", "beta/vm1 stopped (STOPPED)"]);
  });

  it("send the request id of --request-id, apart for each name", async () => {
    await fleet.zor(["stop", "alpha/vm1", "--request-id", "mine"]);
    await fleet.zor(["start", "alpha/vm1", "beta/vm1", "--request-id", "many"]);
    const ids = fleet.hub.requests.map(({ request }) => (request as { requestId: string }).requestId);
    expect(ids.toSorted()).toEqual(["many.0", "many.1", "mine"]);
  });

  it("are refused to a viewer with 5", async () => {
    const { code, stderr } = await fleet.zor(["--context", "viewer", "stop", "alpha/vm1"]);
    expect(code).toBe(5);
    expect(stderr).toContain("viewer");
  });

  it("print errors as one JSON object with -o json", async () => {
    const { code, stderr, stdout } = await fleet.zor(["start", "alpha/vm1", "-o", "json"]);
    expect(stdout).toBe("");
    expect(JSON.parse(stderr).error).toMatchObject({
      status: "FAILED_PRECONDITION",
      reason: "INSTANCE_STATE",
      resource: vm1,
      exitCode: code,
    });
  });
});

describe("zor delete", () => {
  it("refuses without --yes where nobody can be asked, and says what it would delete", async () => {
    await fleet.zor(["stop", "alpha/vm1"]);
    const { code, stderr } = await fleet.zor(["delete", "alpha/vm1"]);
    expect(code).toBe(4);
    expect(stderr).toContain("instance alpha/vm1: stopped; its disks and snapshots go with it; eth0 leaves lan1");
    expect(stderr).toContain("--yes");
    expect(fleet.hub.log.find("instance", vm1)).toBeDefined();
  });

  it("asks on a terminal, and deletes nothing unless the answer is yes", async () => {
    for (const [answer, left] of [
      ["n", true],
      ["", true],
      ["y", false],
    ] as const) {
      const run = fleet.run(["delete", "alpha/vm1", "--force"], { columns: 80 });
      await run.stderr.sees("Delete? [y/N]");
      run.input.write(`${answer}\n`);
      const { code } = await run.result;
      expect(code).toBe(left ? 1 : 0);
      expect(fleet.hub.log.find("instance", vm1) !== undefined).toBe(left);
    }
  });

  it("refuses an instance that runs unless it is forced", async () => {
    expect((await fleet.zor(["delete", "alpha/vm1", "--yes"])).code).toBe(4);
    expect(fleet.hub.requests).toEqual([]);
    expect((await fleet.zor(["delete", "alpha/vm1", "--yes", "--force"])).code).toBe(0);
  });

  it("says in a dry run what it would delete, and what it would refuse", async () => {
    const refused = await fleet.zor(["delete", "alpha/vm1", "--dry-run"]);
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toMatch(/^This deletes:\n {2}instance alpha\/vm1: running.*takes --force, because it runs/s);
    const forced = await fleet.zor(["delete", "alpha/vm1", "--dry-run", "--force"]);
    expect(forced).toMatchObject({ code: 0, stdout: "alpha/vm1 could be deleted; nothing was changed\n" });
    expect(fleet.hub.log.find("instance", vm1)).toBeDefined();
  });

  it("deletes what is chosen by what it is like, and nothing when names are given as well, or nothing is meant", async () => {
    const chosen = ["delete", "instances", "--filter", "name : vm1", "--host", "beta", "--force", "--yes"];
    expect(await fleet.zor(chosen)).toMatchObject({ code: 0, stdout: "beta/vm1 deleted\n" });
    expect(await fleet.zor(chosen)).toMatchObject({ code: 0, stdout: "", stderr: "no instances match\n" });
    expect((await fleet.zor(["delete", "alpha/vm1", "--all", "--force", "--yes"])).code).toBe(2);
    expect((await fleet.zor(["delete", "instances", "--force", "--yes"])).code).toBe(2);
    expect(fleet.hub.log.find("instance", vm1)).toBeDefined();
  });

  it("deletes nothing when one of the names does not exist", async () => {
    expect((await fleet.zor(["delete", "alpha/vm1", "alpha/nobody", "--yes", "--force"])).code).toBe(3);
    expect(fleet.hub.requests).toEqual([]);
  });

  it("deletes lans and links, and waits for the link", async () => {
    expect((await fleet.zor(["delete", "lan", "alpha/lan1", "--yes"])).code).toBe(0);
    await fleet.zor(["create", "link", "demo", "beta/lan1", "beta/lan1"]);
    const { code, stdout } = await fleet.zor(["delete", "links/demo", "--yes"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "demo deleted\n" });
    expect(fleet.hub.log.find("link", "links/demo")).toBeUndefined();
  });
});

function stripColors(line: string): string {
  return line.replaceAll(/\x1b\[\d+m/g, "");
}

describe("zor host set", () => {
  it.each([["host", "set"] as const, ["set", "host"] as const])(
    "changes what is said, as zor %s %s",
    async (...words) => {
      const { code, stdout } = await fleet.zor([...words, "alpha", "--address", "h1.lab:7443", "--label", "site=lab1"]);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^host alpha changed: the hub dials h1\.lab:7443; other hosts reach it /),
      });
      const { request } = fleet.hub.requests.at(-1) ?? {};
      expect(request).toMatchObject({
        host: { name: "hosts/alpha", addresses: ["h1.lab:7443"], labels: { site: "lab1" } },
      });
    },
  );

  it("refuses what is no address, before anything is asked", async () => {
    const { code, stderr } = await fleet.zor(["host", "set", "alpha", "--address", "10.0.1:7443"]);
    expect(code).toBe(2);
    expect(stderr).toContain('--address: "10.0.1:7443" is not an address');
    expect(fleet.hub.requests.filter(({ method }) => method === "updateHost")).toEqual([]);
  });
});
