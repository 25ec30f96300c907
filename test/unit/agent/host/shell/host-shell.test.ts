import { describe, expect, it } from "vitest";
import { shellCommand, shellEnvironment } from "../../../../../agent/host/shell/host-shell.js";
import {
  admitToShell,
  hostShellSchema,
  shellCapability,
  type WantedShell,
} from "../../../../../agent/host/shell/shell-policy.js";
import { findShellUser, parseUser } from "../../../../../agent/host/shell/shell-user.js";
import type { Caller } from "../../../../../lib/auth/caller.js";
import { Role } from "../../../../../proto/gen/zor/v1/token_service.js";

const ana: Caller = { identity: "zor://user/ana", kind: "user", id: "ana", role: Role.ROLE_ADMIN, serial: "AB" };
const { serial: _, ...throughHub } = ana;

function admit(policy: object | undefined, wanted: Partial<WantedShell> = {}): object {
  const parsed = policy === undefined ? undefined : hostShellSchema.parse({ user: "lab", ...policy });
  return admitToShell(parsed, { host: "h1", caller: ana, command: [], ...wanted });
}

describe("who gets a shell of a host", () => {
  it("is nobody, unless the host's own settings say so", () => {
    expect(() => admit(undefined)).toThrow("hosts/h1 gives nobody a shell");
    expect(admit({})).toMatchObject({ user: "lab", role: "admin", sudo: false, sessions: 4, idleMinutes: 30 });
  });

  it.each<[string, object, Partial<WantedShell>, RegExp]>([
    ["an operator", {}, { caller: { ...ana, role: Role.ROLE_OPERATOR } }, /asks for role admin, and this is operator/],
    ["a viewer, whatever the policy", { role: "operator" }, { caller: { ...ana, role: Role.ROLE_VIEWER } }, /viewer/],
    ["who is not named", { callers: ["zor://user/bob"] }, {}, /names others/],
    [
      "whom only a hub names, where a certificate is wanted",
      { direct: true },
      { caller: throughHub },
      /own certificate/,
    ],
    [
      "a hub for itself",
      {},
      { caller: { ...ana, kind: "hub", identity: "zor://hub/hub" } },
      /only people and services/,
    ],
    ["another host", {}, { caller: { ...ana, kind: "host", role: Role.ROLE_UNSPECIFIED } }, /only people/],
    [
      "who names a command where the policy does",
      { command: ["/bin/rbash"] },
      { command: ["sh"] },
      /leave the command/,
    ],
  ])("is not %s", (_what, policy, wanted, why) => {
    expect(() => admit(policy, wanted)).toThrow(why);
  });

  it("may be operators, and whom hubs name, where the policy has it", () => {
    const caller = { ...throughHub, role: Role.ROLE_OPERATOR };
    expect(admit({ role: "operator", callers: [ana.identity] }, { caller, command: ["true"] })).toBeDefined();
    expect(admit({ direct: true })).toBeDefined();
  });

  it.each([
    [{ user: "lab", shell: true }],
    [{ user: "-lab" }],
    [{ user: "lab", command: [] }],
    [{ user: "lab", command: ["a\0b"] }],
    [{ user: "lab", role: "viewer" }],
    [{ user: "lab", callers: ["ana"] }],
    [{ user: "lab", sessions: 0 }],
    [{}],
  ])("is nothing that settings such as %j could say", (policy) => {
    expect(hostShellSchema.safeParse(policy).success).toBe(false);
  });

  it("is told by the host's capabilities", () => {
    expect(shellCapability(undefined)).toMatchObject({ id: "shell", available: false });
    const policy = hostShellSchema.parse({ user: "lab", callers: [ana.identity], direct: true, sudo: true });
    const reason = "as lab, for admins among 1 named callers, not through a hub, with sudo";
    expect(shellCapability(policy)).toMatchObject({ available: true, reason });
  });
});

describe("a shell's user", () => {
  it("is read from the host's name service", () => {
    const line = "lab:x:1000:1001:Lab,,,:/home/lab:/bin/bash";
    expect(parseUser(line)).toEqual({ name: "lab", uid: 1000, gid: 1001, home: "/home/lab", shell: "/bin/bash" });
    expect(parseUser("lab:x:1000:1001:::")).toMatchObject({ home: "/", shell: "/bin/sh" });
    for (const none of ["", "lab", "lab:x:a:1::/:", ":x:1:1::/:"]) expect(parseUser(none)).toBeUndefined();
  });

  it("has to be there", async () => {
    const { signal } = new AbortController();
    await expect(findShellUser("h1", "zt-nobody-here", signal)).rejects.toMatchObject({ reason: "NO_SUCH_USER" });
    expect(await findShellUser("h1", "root", signal)).toMatchObject({ uid: 0 });
  });
});

describe("a shell", () => {
  const user = { name: "lab", uid: 1000, gid: 1001, home: "/home/lab", shell: "/bin/bash" };

  it("is the user's own, and can become nobody else", () => {
    const become = [
      "setpriv",
      "--reuid=1000",
      "--regid=1001",
      "--init-groups",
      "--no-new-privs",
      "--inh-caps=-all",
      "--",
    ];
    const policy = { sudo: false, command: undefined };
    expect(shellCommand({ policy, user, command: [] })).toEqual([...become, "/bin/bash", "-l"]);
    expect(shellCommand({ policy, user, command: ["id", "-un"] })).toEqual([...become, "id", "-un"]);
    const fixed = { sudo: true, command: ["/usr/local/bin/menu"] };
    const words = shellCommand({ policy: fixed, user, command: [] });
    expect(words).toContain("/usr/local/bin/menu");
    expect(words).not.toContain("--no-new-privs");
  });

  it("has nothing of the agent's environment", () => {
    expect(shellEnvironment(user, "xterm")).toEqual({
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: "/home/lab",
      USER: "lab",
      LOGNAME: "lab",
      SHELL: "/bin/bash",
      LANG: "C.UTF-8",
      TERM: "xterm",
    });
    expect(shellEnvironment({ ...user, uid: 0 }, undefined)["PATH"]).toContain("/usr/sbin");
  });
});
