import { beforeAll, describe, expect, it } from "vitest";
import { instancePids, type TestDemo } from "../test-demo.js";

/** Exit codes of zor that these cases give. */
const usage = 2;
const permission = 5;
const notFound = 3;
const conflict = 4;

interface Case {
  readonly what: string;
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly says: RegExp;
}

const machine = (name: string, ...flags: string[]): string[] => [
  "create",
  "instance",
  name,
  "--kernel",
  "micro",
  ...flags,
];
const call = (method: string, body: object): string[] => ["api", "call", method, JSON.stringify(body)];
const vm1 = "hosts/alpha/instances/vm1";

const cases: readonly Case[] = [
  { what: "a name that looks like an option", argv: machine("alpha/-foo"), exitCode: usage, says: /-foo.*valid name/ },
  { what: "a name with a comma", argv: machine("alpha/a,b"), exitCode: usage, says: /a,b.*valid name/ },
  {
    what: "a name with an equals sign",
    argv: ["create", "lan", "alpha/a=b"],
    exitCode: usage,
    says: /a=b.*valid name/,
  },
  { what: "a name with a newline", argv: ["create", "lan", "alpha/a\nb"], exitCode: usage, says: /a\\nb.*valid name/ },
  {
    what: "a name with NUL in the API",
    argv: call("zor.v1.LanService/CreateLan", { parent: "hosts/alpha", lanId: "a\u0000b", lan: {} }),
    exitCode: usage,
    says: /lan_id.*valid name/,
  },
  {
    what: "a switch's tool that would write a file",
    argv: ["ovs", "alpha", "--", "ovs-vsctl", "--log-file=/tmp/x", "show"],
    exitCode: permission,
    says: /--log-file/,
  },
  {
    what: "a switch's tool that would end the switch",
    argv: ["ovs", "alpha", "--", "ovs-appctl", "exit"],
    exitCode: permission,
    says: /exit.*nobody/,
  },
  {
    what: "a switch's tool that would read a file",
    argv: ["ovs", "alpha", "--", "ovs-ofctl", "add-flows", "lan/lan1", "/etc/shadow"],
    exitCode: permission,
    says: /add-flows.*nobody/,
  },
  { what: "an unknown host", argv: ["create", "lan", "gamma/lan1"], exitCode: notFound, says: /hosts\/gamma/ },
  { what: "an unknown instance", argv: ["start", "alpha/nobody"], exitCode: notFound, says: /nobody/ },
  { what: "an unknown lan", argv: machine("alpha/new1", "--nic", "lan=nowhere"), exitCode: notFound, says: /nowhere/ },
  { what: "the start of a running instance", argv: ["start", "alpha/vm1"], exitCode: conflict, says: /run/ },
  { what: "no memory at all", argv: machine("alpha/new1", "--memory", "0"), exitCode: usage, says: /memory/ },
  {
    what: "more memory than the host has",
    argv: machine("alpha/new1", "--memory", "100000G"),
    exitCode: usage,
    says: /memory/,
  },
  {
    what: "an image that is missing",
    argv: ["create", "instance", "alpha/new1", "--kernel", "no-such-kernel"],
    exitCode: conflict,
    says: /no-such-kernel/,
  },
  {
    what: "an image outside the image directories",
    argv: ["create", "instance", "alpha/new1", "--kernel", "../../../etc/passwd"],
    exitCode: usage,
    says: /kernel/,
  },
  {
    what: "a NIC plugged in twice",
    argv: ["attach", "alpha/vm1/eth0", "alpha/lan1"],
    exitCode: conflict,
    says: /plugged/,
  },
  {
    what: "a link from a lan to itself",
    argv: ["create", "link", "loop", "alpha/lan1", "alpha/lan1"],
    exitCode: usage,
    says: /same lan/,
  },
  {
    what: "a link to an unknown lan",
    argv: ["create", "link", "stray", "alpha/lan1", "beta/nowhere"],
    exitCode: notFound,
    says: /nowhere/,
  },
  { what: "a name that exists", argv: ["create", "lan", "alpha/lan1"], exitCode: conflict, says: /exists/ },
  {
    what: "a lan deleted while things are plugged in",
    argv: ["delete", "lan", "alpha/lan1", "--yes"],
    exitCode: conflict,
    says: /in use/,
  },
  {
    what: "a running instance deleted without force",
    argv: call("zor.v1.InstanceService/DeleteInstance", { name: vm1 }),
    exitCode: conflict,
    says: /run/,
  },
  {
    what: "a token that is none",
    argv: ["join", "zor1.bm9uc2Vuc2U", "--name", "stray"],
    exitCode: usage,
    says: /token/,
  },
  {
    what: "a filter that cannot be read",
    argv: ["get", "instances", "--filter", "state = = 1"],
    exitCode: usage,
    says: /filter/,
  },
  { what: "an unknown command", argv: ["frobnicate"], exitCode: usage, says: /frobnicate/ },
];

/** Bad input gets a clear error, changes nothing and ends no process. */
export function describeBadInput(demo: () => TestDemo): void {
  const snapshot = async () => {
    const status = await demo().status();
    const names = async (kind: string) => (await demo().must(["get", kind, "-o", "name"])).split("\n").toSorted();
    const [lans, hosts] = await Promise.all([names("lans"), names("hosts")]);
    return {
      programs: [status.hub.pid, ...status.agents.map(({ pid }) => pid)],
      instances: instancePids(status),
      link: status.link?.name,
      lans,
      hosts,
    };
  };

  describe("bad input on the command line", () => {
    // Nothing changes from case to case: what was there after one is what must be there after the next.
    let before: Awaited<ReturnType<typeof snapshot>>;
    beforeAll(async () => {
      before = await snapshot();
    });

    it.each(cases)("$what: a clear error and nothing changed", async ({ argv, exitCode, says }) => {
      const result = await demo().zor(argv);
      expect(result.stderr).toMatch(says);
      expect(result.stderr).not.toMatch(/\n\s+at |\/var\/lib\/zor-demo/);
      expect(result.exitCode).toBe(exitCode);
      expect(await snapshot()).toEqual(before);
    });

    it("the same request id with another body: refused, and the first answer stays", async () => {
      const create = (lanId: string) =>
        demo().zor(
          call("zor.v1.LanService/CreateLan", { parent: "hosts/alpha", lanId, lan: {}, requestId: "e2e-twice" }),
        );
      expect((await create("twice1")).exitCode).toBe(0);
      const other = await create("twice2");
      expect(other.stderr).toMatch(/e2e-twice|request_id|request id/);
      expect(other.exitCode).toBe(usage);
      expect((await create("twice1")).exitCode).toBe(0);
      const lans = await demo().must(["get", "lans", "-o", "name"]);
      expect(lans).toContain("alpha/lans/twice1");
      expect(lans).not.toContain("twice2");
      await demo().must(["delete", "lan", "alpha/twice1", "--yes"]);
    });

    it("a join token used twice: refused the second time", async () => {
      const token =
        (await demo().must(["token", "create", "--user", "guest1", "--role", "viewer"])).match(/zor1\.\S+/)?.[0] ?? "";
      await demo().must(["join", token, "--name", "guest1"]);
      const again = await demo().zor(["join", token, "--name", "guest2"]);
      expect(again.stderr).toMatch(/token/);
      expect(again.exitCode).not.toBe(0);
      const refused = await demo().zor(["--context", "guest1", "create", "lan", "alpha/viewer1"]);
      expect(refused.stderr).toMatch(/viewer|role/i);
      expect(refused.exitCode).toBe(5);
      await demo().must(["context", "use", demo().name]);
      await demo().must(["context", "remove", "guest1"]);
    });
  });
}
