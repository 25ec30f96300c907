import { describe, expect, it } from "vitest";
import { canOverlay, inMountNamespace } from "../../../../../agent/drivers/crun/mount-namespace.js";
import { checkOptions } from "../../../../../agent/drivers/crun/options-check.js";
import { CrunOptions } from "../../../../../proto/gen/zor/v1/crun.js";

const fieldsOf = (options: Partial<CrunOptions>) =>
  checkOptions(CrunOptions.fromPartial(options)).map(({ field }) => field);

describe("options of a container", () => {
  it("may be any command and any variables", () => {
    expect(fieldsOf({ command: ["/bin/sh", "-c", "a\nb; $(c)"], environment: { A_1: "x=y\tz ä" } })).toEqual([]);
  });

  it.each<[string, Partial<CrunOptions>, string]>([
    ["an empty program", { command: [""] }, "instance.spec.crun.command[0]"],
    ["a NUL byte in a word", { command: ["a", "b\0c"] }, "instance.spec.crun.command[1]"],
    ["far too many words", { command: Array.from({ length: 2000 }, () => "x") }, "instance.spec.crun.command"],
    ["a far too long word", { command: ["x".repeat(1_000_000)] }, "instance.spec.crun.command"],
    ["a variable name with =", { environment: { "A=B": "c" } }, "instance.spec.crun.environment"],
    ["a variable name with a newline", { environment: { "A\nB": "c" } }, "instance.spec.crun.environment"],
    ["an empty variable name", { environment: { "": "c" } }, "instance.spec.crun.environment"],
    ["a newline in a value", { environment: { A: "b\nC=d" } }, 'instance.spec.crun.environment["A"]'],
    ["an escape in a value", { environment: { A: "\u001b[2J" } }, 'instance.spec.crun.environment["A"]'],
    ["a line separator in a value", { environment: { A: "b\u2028c" } }, 'instance.spec.crun.environment["A"]'],
    ["a NUL byte in a value", { environment: { A: "\0" } }, 'instance.spec.crun.environment["A"]'],
  ])("are refused with %s", (_, options, field) => {
    expect(fieldsOf(options)).toEqual([field]);
  });
});

describe("the private mount namespace", () => {
  const plain = { version: "v2", hybrid: false, controllers: new Set<never>(), enter: [] } as const;
  const hybrid = { ...plain, version: "v1", hybrid: true } as const;

  it("is not needed where crun works as it is", () => {
    expect(inMountNamespace(["crun", "list"], { cgroups: plain, root: { kind: "none" } })).toEqual(["crun", "list"]);
  });

  it("hides the hierarchy that crun refuses, and passes the command on as words of its own", () => {
    const command = inMountNamespace(["crun", "; reboot"], { cgroups: hybrid, root: { kind: "none" } });
    expect(command.slice(0, 4)).toEqual(["unshare", "--mount", "--propagation", "private"]);
    const mounts = ["none", "", "", "", "", "", "", "", "", "", "", "", "0", ""];
    expect(command.slice(-18)).toEqual(["zor", "1", ...mounts, "crun", "; reboot"]);
  });

  it("is made from the one that has the control groups", () => {
    const enter = ["nsenter", "--mount=/proc/1/ns/mnt", "--"];
    const command = inMountNamespace(["crun"], { cgroups: { ...hybrid, enter }, root: { kind: "none" } });
    expect(command.slice(0, 4)).toEqual([...enter, "unshare"]);
  });

  it("overlays the root filesystem where device files stay files", () => {
    const lower = { home: "/l", id: "1:2", names: ["0", "1"] };
    const layer = { kind: "tmpfs", sizeMib: 64 } as const;
    const root = { kind: "overlay", lower, layer, writable: "/w", target: "/t" } as const;
    const command = inMountNamespace(["crun"], { cgroups: plain, root });
    const mounts = ["0", "overlay", "/t", "/l", "1:2", "0:1", "tmpfs", "64m", "/w", "", "", "", "", "0", ""];
    expect(command.slice(-16)).toEqual([...mounts, "crun"]);
  });

  it.each(["/a,b", "/a:b", "/a\\b"])("cannot overlay the path %s", (path) => {
    expect(canOverlay(["/fine", path])).toBe(false);
  });
});
