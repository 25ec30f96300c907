import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { loadContext, saveContext } from "../../../tui/client/contexts.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeAll(async () => {
  fleet = await CliFleet.create();
  const labels = { site: "paris", "a.b/c": "x", owner: "ana maria" };
  fleet.hub.put(
    { kind: "lan", value: Lan.fromPartial({ name: "hosts/alpha/lans/lan2", labels }) },
    {
      kind: "instance",
      value: Instance.fromPartial({
        name: "hosts/beta/instances/web",
        labels: { ...labels, site: "lyon", rude: "$(reboot)\u001b[2J" },
        status: { state: InstanceState.INSTANCE_STATE_STOPPED },
      }),
    },
  );
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** What `zor complete` says, with the directive at the end. A hub on a busy machine is waited for longer than a shell would. */
async function complete(words: readonly string[], options: readonly string[] = []): Promise<string[]> {
  const { code, stdout, stderr } = await fleet.zor(["--timeout", "60s", "complete", ...options, "--", ...words]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd().split("\n");
}

async function offered(...words: readonly string[]): Promise<string[]> {
  const lines = await complete(words);
  expect(lines.pop()).toMatch(/^:[04]$/);
  return lines.map((line) => line.split("\t")[0] ?? "");
}

describe("what may follow on a command line", () => {
  it.each<[string[], string[]]>([
    [["sta"], ["start", "stats"]],
    [
      ["create", "l"],
      ["lan", "link"],
    ],
    [["get", "inst"], ["instances"]],
    [["--context", "admin", "get", "inst"], ["instances"]],
    [
      ["start", ""],
      ["alpha/vm1", "beta/vm1", "beta/web"],
    ],
    [["start", "beta/w"], ["beta/web"]],
    [["get", "lans", "be"], ["beta/lan1"]],
    [
      ["create", "link", "demo", "al"],
      ["alpha/lan1", "alpha/lan2"],
    ],
    [["create", "volume", "alpha/data", "--image", "de"], []],
    [["create", "volume", "gamma/data", "--image", ""], []],
    [["lan", "filters", "alpha/lan1", "--port", ""], ["vm1/eth0"]],
    [
      ["get", "hosts", "-o", "j"],
      ["json", "jsonpath=EXPRESSION"],
    ],
    [["get", "hosts", "--output=ya"], ["--output=yaml"]],
    [["describe", "lan"], ["lans"]],
    [
      ["describe", "vm", "be"],
      ["beta/vm1", "beta/web"],
    ],
    [["label", "lan", "alpha/lan1", "be"], ["beta/lan1"]],
    [["edit", "host", "al"], ["alpha"]],
    [
      ["set", "lan", "al"],
      ["alpha/lan1", "alpha/lan2"],
    ],
    [
      ["set", "host", "alpha", "--und"],
      ["--underlay", "--undialable"],
    ],
    [
      ["delete", "lan", "al"],
      ["alpha/lan1", "alpha/lan2"],
    ],
    [["delete", "al"], ["alpha/vm1"]],
    [["host", "remove", "be"], ["beta"]],
    [["get", "hosts", "--wat"], ["--watch"]],
    [["get", "hosts", "--label"], ["--label-columns"]],
    [["get", "hosts", "--time"], ["--timeout"]],
    [["join", "--no"], ["--no-use"]],
    [["get", "instances", "--host", "a"], ["alpha"]],
    [["context", "use", "v"], ["viewer"]],
    [["--context", "ad"], ["admin"]],
    [
      ["help", "exp"],
      ["explain", "expose"],
    ],
    [["completion", "z"], ["zsh"]],
    [
      ["explain", "instance.status.stat"],
      ["instance.status.state", "instance.status.state_duration"],
    ],
    [["api", "call", "ViewService/"], ["ViewService/WatchView"]],
    [["wave", "run", "start", "--kind", "ins"], ["instance"]],
  ])("%j: %j", async (words, wanted) => {
    const found = await offered(...words);
    if (words[0] === "explain") expect(found).toContain(wanted[0]);
    else expect(found).toEqual(wanted);
  });

  it.each<[string[], string[]]>([
    [
      ["query", "kind=kvm and sta"],
      ["kind=kvm and state", "kind=kvm and started"],
    ],
    [
      ["query", "kind=kvm", "and", "sta"],
      ["state", "started"],
    ],
    [
      ["query", "label.si"],
      ["label.site=", "label.site!="],
    ],
    [
      ["query", "label.site="],
      ["label.site=paris", "label.site=lyon"],
    ],
    [["query", "label.owner=a"], ['label.owner="ana maria"']],
    [["query", "--kinds", "lans", "label.site="], ["label.site=paris"]],
    [["query", "name=beta/w"], ["name=beta/web"]],
    [
      ["query", "state=running so"],
      ["state=running sort by name", "state=running sort by mem"],
    ],
    [
      ["query", "state in (runn"],
      ["state in (running,", "state in (running)"],
    ],
    [
      ["query", "--kinds", "instances,l"],
      ["instances,lans", "instances,links"],
    ],
    [["get", "instances", "--filter", "host=b"], ["host=beta"]],
    [["get", "instances", "--filter=state=ru"], ["--filter=state=running"]],
    [["get", "hosts", "--filter", "state=un"], ["state=unreachable"]],
    [["start", "--filter", "label.site=l"], ["label.site=lyon"]],
    [
      ["start", "--selector", "si"],
      ["site=", "site!=", "site in ("],
    ],
    [["start", "-l", "site="], ["site=lyon"]],
    [["start", "-l", "site=lyon,!a"], ["site=lyon,!a.b/c"]],
    [["start", "-l", "site in (lyon,l"], ["site in (lyon,lyon"]],
    [
      ["get", "lans", "-L", "site,"],
      ["site,owner", "site,a.b/c"],
    ],
    [["get", "instances", "--order-by", "host, mem"], ["host, mem", "host, mem.used"].slice(1)],
    [["wait", "alpha/vm1", "--for", "state=ru"], ["state=running"]],
    [["wait", "links", "demo", "--for", "de"], ["deleted"]],
    [
      ["events", "--filter", "sever"],
      ["severity=", "severity!="],
    ],
  ])("%j: %j among others", async (words, some) => {
    expect(await offered(...words)).toEqual(expect.arrayContaining([...some]));
  });

  it("is nothing of what a shell might run or a terminal obey, and no file where none can be", async () => {
    for (const name of ["$(reboot)", "vm 2", "`id`"]) {
      fleet.hub.put({ kind: "instance", value: Instance.fromPartial({ name: `hosts/alpha/instances/${name}` }) });
    }
    expect(await complete(["start", "alpha/"])).toEqual(["alpha/vm1\t", ":4"]);
    expect(await complete(["query", "label.rude="])).toEqual([":4"]);
    expect(await complete(["apply", "-f", ""])).toEqual([":0"]);
    expect(await complete(["query", "state=)"])).toEqual([":4"]);
  });

  it("is in the form that each shell puts in: in its open quotes, or with backslashes", async () => {
    const bash = (line: string) => complete([line], ["--shell", "bash", "--breaks", " \t\n\"'@><=;|&(:"]);
    expect(await bash("zor query 'label.owner=")).toContain('label.owner="ana maria"');
    expect(await bash('zor query "label.owner=')).toContain('label.owner=\\"ana maria\\""');
    expect(await bash("zor get vms --filter label.owner=")).toEqual(['\\"ana\\ maria\\"', ":4"]);
    expect(await bash("zor query state=ru")).toEqual(["running", ":4"]);
    expect(await bash("zor query mem")).toContain("mem\\>");
    const zsh = (...words: string[]) => complete(words, ["--shell", "zsh"]);
    expect(await zsh("query", "'label.owner=a")).toEqual(['label.owner="ana maria"\t"ana maria"\t', ":4"]);
    expect(await zsh("get", "vms", "--filter='state=ru")).toEqual(["--filter='state=running'\trunning\t", ":4"]);
    expect(await complete(["query", "'label.owner=a"], ["--shell", "fish"])).toEqual([
      'label.owner="ana maria"\t',
      ":4",
    ]);
  });

  it("keeps no shell waiting for a hub that says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const admin = await loadContext({ name: "admin", env: fleet.env() });
    await saveContext(fleet.configDirectory, { ...admin, name: "shell", addresses: [`127.0.0.1:${port}`] }, false);
    // Somebody else asks the same hub at the same time, and waits for as long as the machine may be busy.
    const other = fleet.run(["--context", "shell", "--timeout", "2m", "get", "hosts"]);
    let isWaiting = true;
    const ended = other.result.finally(() => {
      isWaiting = false;
    });
    for (const words of [
      ["start", ""],
      ["query", "label.site="],
    ]) {
      const { code, stdout } = await fleet.zor(["--context", "shell", "complete", "--", ...words]);
      expect({ code, stdout, isWaiting }).toEqual({ code: 0, stdout: ":4\n", isWaiting: true });
    }
    other.interrupt();
    await ended;
  });
});
