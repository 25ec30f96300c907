import { once } from "node:events";
import { chmod, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { RedirectedDevice } from "../../helpers/redirected-device.js";
import { openSpice, SpiceChannel, spiceChannels, spiceMessages } from "../../helpers/spice-client.js";
import { ReachRig, type Running } from "../../integration/reach/rig.js";

let rig: ReachRig;
const sockets: Socket[] = [];

beforeAll(async () => {
  rig = await ReachRig.start();
  const qemu = { accelerator: "ACCELERATOR_TCG", kernel: "micro", display: "qxl" };
  await rig.create("m1", { qemu: { ...qemu, spice: { usbRedirections: 1, agent: true } } });
  await rig.create("plain", { qemu });
  for (const id of ["m1", "plain"]) await rig.answers(id);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Connects as a viewer's channel does: to a path, or a port of loopback. */
async function dial(to: string | number) {
  const socket = typeof to === "string" ? connect({ path: to }) : connect({ host: "127.0.0.1", port: to });
  socket.on("error", () => undefined);
  sockets.push(socket);
  await once(socket, "connect");
  return { socket, input: socket, send: (data: Uint8Array) => void socket.write(data) };
}

/** Links a viewer with a second channel, which sees the screen; resolves to its first connection. */
async function look(to: string | number) {
  const first = await dial(to);
  const { main, session } = await openSpice(first);
  const display = await SpiceChannel.open(await dial(to), { type: spiceChannels.display, session });
  await display.sees(720, 400);
  return { main, session, socket: first.socket };
}

/** Begins zor without a viewer; resolves to it and the socket that it says. */
async function serve(
  name: string,
  ...flags: readonly string[]
): Promise<{ readonly zor: Running; readonly path: string }> {
  const zor = rig.program("view", name, "--viewer", "none", ...flags);
  const path = /spice\+unix:\/\/(\S+) -> screen/.exec(await zor.said(/-> screen/))?.[1] ?? "";
  return { zor, path };
}

/** Writes a viewer; resolves to the file. */
async function viewer(name: string, script: string): Promise<string> {
  const file = join(rig.directory, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close");
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

describe("the screen of a machine by SPICE, through the whole fleet,", () => {
  it("is shown to a viewer at a private socket, which goes with it, and is told as one visit", async () => {
    const told = rig.watchEvents();
    const file = await viewer("viewer", 'echo "to $1"; exec sleep 600');
    const zor = rig.program("view", "zt/m1", "--viewer", file);
    const path = /^to spice\+unix:\/\/(\/\S+)\n/.exec(await zor.said(/\n/))?.[1] ?? "";
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    const { main, session } = await look(path);
    expect(await main.channels()).toEqual(expect.arrayContaining([spiceChannels.usbRedirection]));
    const usb = await SpiceChannel.open(await dial(path), { type: spiceChannels.usbRedirection, session });
    expect((await usb.message(spiceMessages.data)).toString("latin1", 12, 32)).toBe("qemu usb-redir guest");
    zor.kill("SIGINT");
    await zor.ended;
    expect(await isThere(dirname(path))).toBe(false);
    await eventually(() =>
      expect(told.join("\n")).toMatch(/instance\.viewed a viewer .*\(SPICE, 3 connections\): \d+ bytes in/),
    );
  });

  it("has places for the viewer's USB devices: the guest's firmware finds one that is plugged in from there", async () => {
    const { zor, path } = await serve("zt/m1");
    const { session } = await look(path);
    const channel = await SpiceChannel.open(await dial(path), { type: spiceChannels.usbRedirection, session });
    const device = await RedirectedDevice.plug(channel);
    // The micro guest itself knows no USB.
    expect(await rig.zor("reset", "zt/m1")).toMatchObject({ code: 0 });
    // The beginning of its descriptor, by which hosts of USB tell what there is.
    expect(await device.asked()).toEqual({ requestType: 0x80, request: 6, value: 0x0100 });
    zor.kill("SIGINT");
    await zor.ended;
    await rig.answers("m1");
  });

  it("leaves nothing when the viewer ends, whose code is zor's", async () => {
    const file = await viewer("ending", 'test -S "$1" && echo "$1" && exit 7');
    const { code, stdout } = await rig.program("view", "zt/m1", "--viewer", `${file} {socket}`).ended;
    expect(code).toBe(7);
    expect(await isThere(dirname(stdout.trim()))).toBe(false);
  });

  it("is at a port of loopback where one is asked for, and VNC where that is", async () => {
    const file = await viewer("at-port", 'echo "$1"; exec sleep 600');
    const spice = rig.program("view", "zt/m1", "--viewer", `${file} {port}`);
    const port = Number((await spice.said(/^\d+\n/)).trim());
    const before = await look(port);
    // Another viewer takes its place.
    await look(port);
    await closed(before.socket);
    spice.kill("SIGINT");
    const vnc = rig.program("view", "zt/m1", "--protocol", "vnc", "--viewer", "none");
    const [, at] = /127\.0\.0\.1:(\d+) -> screen of zt\/m1 \(VNC\)/.exec(await vnc.said(/-> screen/)) ?? [];
    const { input } = await dial(Number(at));
    expect(String((await once(input, "data"))[0]).slice(0, 4)).toBe("RFB ");
    vnc.kill("SIGINT");
    await Promise.all([spice.ended, vnc.ended]);
  });

  it("is not there of a machine without it, which says what to do", async () => {
    const { zor, path } = await serve("zt/plain", "--protocol", "spice");
    const { socket } = await dial(path);
    await closed(socket);
    zor.kill("SIGINT");
    expect((await zor.ended).stderr).toMatch(/does not show its screen by SPICE.*--spice/);
  });

  it("is given and taken away by zor set, from the next start on", async () => {
    const set = await rig.zor("set", "instance", "zt/plain", "--spice", "--usb-redirections", "2");
    expect(set).toMatchObject({ code: 0, stdout: expect.stringMatching(/needs restart: qemu\.spice/) });
    expect((await rig.zor("describe", "instance", "zt/plain")).stdout).toMatch(/spice +yes, 2 USB redirections/);
    await rig.zor("stop", "zt/plain");
    expect(await rig.zor("start", "zt/plain")).toMatchObject({ code: 0 });
    const { zor, path } = await serve("zt/plain");
    const { main } = await look(path);
    const channels = await main.channels();
    expect(channels.filter((type) => type === spiceChannels.usbRedirection)).toHaveLength(2);
    zor.kill("SIGINT");
    await zor.ended;
    const bad = await rig.zor("set", "instance", "zt/plain", "--display", "none");
    expect(bad.code).not.toBe(0);
    expect(bad.stderr).toMatch(/spec\.qemu\.spice.*needs a screen/);
    expect(await rig.zor("set", "instance", "zt/plain", "--no-spice")).toMatchObject({ code: 0 });
  });

  it("ends when the machine stops, and is there again after suspending, and after agent and hub began anew", async () => {
    const first = await serve("zt/m1");
    const { socket } = await look(first.path);
    expect(await rig.zor("suspend", "zt/m1")).toMatchObject({ code: 0 });
    await closed(socket);
    expect(await rig.zor("start", "zt/m1")).toMatchObject({ code: 0 });
    await look(first.path);
    first.zor.kill("SIGINT");
    await first.zor.ended;

    await rig.agent.end("SIGKILL");
    await rig.agent.start();
    await rig.hub.kill();
    await rig.hub.run();
    await rig.reconnect();
    const second = await serve("zt/m1");
    await look(second.path);
    second.zor.kill("SIGINT");
    await second.zor.ended;
  });

  it("takes 32 connections of one caller at a time, and more when they have ended", async () => {
    const [one, other] = await Promise.all([serve("zt/m1"), serve("zt/m1")]);
    // Whichever comes last is refused.
    const paths = [other.path, ...Array.from({ length: 32 }, () => one.path)];
    const ends = await Promise.all(paths.map(dial));
    await Promise.race(ends.map(({ socket }) => closed(socket)));
    for (const { socket } of ends) socket.destroy();
    await eventually(() => look(other.path));
    for (const { zor } of [one, other]) zor.kill("SIGINT");
    const said = await Promise.all([one, other].map(async ({ zor }) => (await zor.ended).stderr));
    expect(said.join("")).toMatch(/you have 32 connections to its screen/);
  });
});
