import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { chooseViewer, protocolsOf } from "../../../../../tui/client/screen/viewers.js";

describe("how the screen of an instance can be shown", () => {
  it.each([
    ["by VNC alone", { spec: { qemu: { display: "std" } } }, ["vnc"]],
    ["by SPICE first", { spec: { qemu: { display: "std", spice: {} } } }, ["spice", "vnc"]],
    [
      "not by what it has from its next start on",
      { spec: { qemu: { spice: {} } }, status: { pendingChanges: ["qemu.spice"] } },
      ["vnc"],
    ],
    ["by VNC of another driver", { spec: { libvirt: {} } }, ["vnc"]],
  ])("%s", (_what, json, expected) => {
    expect(protocolsOf(Instance.fromJSON(json))).toEqual(expected);
  });
});

describe("the viewer to start", () => {
  const protocols = ["spice", "vnc"] as const;
  const wanted = { protocols, viewer: undefined, hasPort: false, env: {} };

  it("is the one that is there for the best protocol, where there is a display", async () => {
    const directory = await mkdtemp(join(tmpdir(), "zt-viewers-"));
    const env = { PATH: `/nonexistent:${directory}`, DISPLAY: ":0" };
    const put = async (name: string) => {
      await writeFile(join(directory, name), "");
      await chmod(join(directory, name), 0o755);
    };
    try {
      expect(await chooseViewer({ ...wanted, env })).toEqual({ protocol: "spice", words: undefined });
      await put("vncviewer");
      expect(await chooseViewer({ ...wanted, env })).toEqual({
        ...{ protocol: "vnc", words: ["vncviewer", "{host}::{port}"] },
      });
      await put("remote-viewer");
      const words = (of: Partial<typeof wanted>) => chooseViewer({ ...wanted, env, ...of }).then((each) => each.words);
      expect(await words({})).toEqual(["remote-viewer", "spice+unix://{socket}"]);
      expect(await words({ hasPort: true })).toEqual(["remote-viewer", "spice://{host}:{port}"]);
      expect(await words({ protocols: ["vnc"] as never })).toEqual(["remote-viewer", "vnc://{host}:{port}"]);
      expect(await words({ env: { PATH: directory } as never })).toBeUndefined();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it.each([
    ["none", undefined],
    ["spicy --uri", ["spicy", "--uri", "spice+unix://{socket}"]],
    ["spicy -h {host} -p {port}", ["spicy", "-h", "{host}", "-p", "{port}"]],
  ])("is as it is said: %s", async (viewer, words) => {
    expect(await chooseViewer({ ...wanted, viewer: viewer as never })).toEqual({ protocol: "spice", words });
  });

  it("must be a program", async () => {
    await expect(chooseViewer({ ...wanted, viewer: " " as never })).rejects.toMatchObject({
      violations: [{ field: "--viewer" }],
    });
  });
});
