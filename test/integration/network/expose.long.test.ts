import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../reach/rig.js";

let rig: ReachRig;
let events: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  events = rig.watchEvents();
  await rig.create("web", { crun: { rootfs: "micro" } });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const zor = (...argv: string[]) => rig.zor(...argv);

async function statusOf(name: string): Promise<Record<string, unknown>> {
  const { stdout } = await zor("get", "expose", name, "-o", "json");
  return JSON.parse(stdout).exposes[0].status;
}

function client(port: number): Socket {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.on("error", () => undefined);
  return socket;
}

/** What a server says to words after which the client sends no more; "": it was not reached. */
async function said(port: number): Promise<string> {
  const socket = client(port);
  socket.end("words\n");
  return text(socket).catch(() => "");
}

it("leads a port of the hub to a server inside, over a restart of the hub, until it is deleted", async () => {
  const made = await zor("expose", "zt/web:7000", "--name", "site");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const [, digits = ""] = /^127\.0\.0\.1:(\d+) of the hub -> zt\/web:7000 \(expose site\)/.exec(made.stdout) ?? [];
  const port = Number(digits);
  // Nobody listens inside yet.
  expect(await said(port)).toBe("");
  await eventually(async () => {
    expect(await statusOf("site")).toMatchObject({
      state: "EXPOSE_STATE_BROKEN",
      reason: expect.stringContaining("nobody listens there"),
      failedConnections: "1",
      creator: "zor://user/admin",
    });
  });
  await zor("exec", "zt/web", "-d", "--", "sh", "-c", "nc -ll -p 7000 -e sh -c 'cat; echo over'");
  await eventually(async () => expect(await rig.shell("web", "netstat -ltn")).toContain(":7000"));
  expect(await Promise.all([said(port), said(port)])).toEqual(["words\nover\n", "words\nover\n"]);
  await eventually(async () => {
    expect(await statusOf("site")).toMatchObject({
      ...{ state: "EXPOSE_STATE_LISTENING", totalConnections: "3", bytesOut: "22" },
    });
  });
  await eventually(() => {
    expect(events.join("\n")).toMatch(
      /^expose\.broken exposes\/site is broken: [\s\S]*^expose\.healed exposes\/site /m,
    );
  });

  // Whoever is there when the hub dies is told so; the port is the same again.
  const before = client(port);
  await once(before, "connect");
  const broken = new Promise((resolve) => before.on("close", resolve));
  before.resume().on("end", () => before.destroy());
  await rig.hub.kill();
  await broken;
  await rig.hub.run();
  await rig.reconnect();
  await eventually(async () => expect(await said(port)).toBe("words\nover\n"));

  // Another instance of the name is another one.
  expect(await zor("delete", "instance", "zt/web", "--yes", "--force")).toMatchObject({ code: 0 });
  await rig.create("web", { crun: { rootfs: "micro" } });
  await zor("exec", "zt/web", "-d", "--", "sh", "-c", "nc -ll -p 7000 -e cat");
  await eventually(async () => expect(await rig.shell("web", "netstat -ltn")).toContain(":7000"));
  expect(await said(port)).toBe("");
  await eventually(async () => {
    expect((await statusOf("site"))["reason"]).toMatch(/another instance has the name|is not the instance/);
  });

  expect(await zor("expose", "zt/web:7000", "--listen", `${port}`, "--name", "two")).toMatchObject({
    stderr: expect.stringContaining("exposes/site listens there"),
  });
  expect(await zor("expose", "zt/web:7000", "--listen", "0.0.0.0:8080")).toMatchObject({
    stderr: expect.stringContaining("exposeListen"),
  });
  expect(await zor("expose", "zt/web:7000", "--to", "169.254.169.254")).toMatchObject({
    stderr: expect.stringContaining("is not an address of"),
  });
  expect(await zor("delete", "expose", "site", "--yes")).toMatchObject({ code: 0 });

  const again = await zor("expose", "zt/web:7000", "--listen", `${port}`);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`127.0.0.1:${port} of the hub`) });
  const there = client(port);
  there.write("here\n");
  await once(there, "data");
  const closed = new Promise((resolve) => there.on("close", resolve));
  expect(await zor("delete", "expose", "web-7000", "--yes")).toMatchObject({ code: 0 });
  await closed;
  const late = client(port);
  await new Promise((resolve) => late.on("close", resolve));
  expect(late.errored).toMatchObject({ code: "ECONNREFUSED" });
});
