import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScreenProtocol } from "../../../agent/drivers/abilities/screen.js";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { runDirectoryOf } from "../../../agent/drivers/qemu/run-directory.js";
import { RfbClient } from "../../../tui/client/screen/rfb-client.js";
import {
  openSpice,
  SpiceChannel,
  type SpiceEnds,
  spiceChannels,
  spiceMessages,
  spiceRequests,
  words,
} from "../../helpers/spice-client.js";
import { leftNetns } from "../../helpers/netns.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "./machine-fixture.js";

describe("the screen of a machine", () => {
  let fixture: MachineFixture;
  let instance: DriverInstance;
  let handle: RecoveryHandle;

  const screenOf = (of: MachineFixture) => {
    const { screen } = of.driver.can;
    if (screen === undefined) throw new Error("machines have screens");
    return screen;
  };

  /** Connects to the screen, and has the connection used. */
  async function connected<T>(protocol: ScreenProtocol, use: (ends: SpiceEnds) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const [toServer, fromServer] = [new PassThrough(), new PassThrough()];
    const viewer = { protocol, input: toServer };
    const carried = (async () => {
      for await (const output of screenOf(fixture).connectScreen(instance, handle, viewer, { signal: abort.signal })) {
        if (output.type === "data") fromServer.write(output.data);
      }
    })();
    carried.catch((error: unknown) => fromServer.destroy(error as Error));
    try {
      return await use({ input: fromServer, send: (data) => void toServer.write(data) });
    } finally {
      abort.abort();
      await carried.catch(() => undefined);
    }
  }

  const viewing = <T>(use: (client: RfbClient) => Promise<T>) =>
    connected("vnc", async (ends) => use(await RfbClient.open(ends)));

  /** What the keyboard told the guest: a byte for each key that is pressed or released. */
  const countKeys = async (): Promise<number> =>
    Number((await fixture.shell(instance, handle, "awk '/ 1-edge +i8042/ { print $2 }' /proc/interrupts")).trim());

  beforeAll(async () => {
    fixture = await makeMachineFixture();
    const spice = { usbRedirections: 2, agent: true };
    instance = await fixture.create({ kernel: "micro", display: "std", spice });
    handle = await fixture.start(instance);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  it("can be taken a picture of, and nothing of that is left", async () => {
    const picture = Buffer.from(await screenOf(fixture).captureScreen(instance, handle, callOptions));
    expect(picture.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
    // Width and height of the header.
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([720, 400]);
    expect(picture.subarray(-8, -4).toString("latin1")).toBe("IEND");
    expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({ state: "running" });
  });

  it("is drawn by viewers, several at a time", async () => {
    const draw = () =>
      viewing(async (client) => {
        client.request(false);
        await client.update();
        const { width, height } = client.screen;
        return { width, height, mean: client.screen.mean(0, 0, width, height) };
      });
    const [first, second] = await Promise.all([draw(), draw()]);
    expect(first).toMatchObject({ width: 720, height: 400 });
    expect(first?.mean).toBeGreaterThan(0);
    expect(second).toEqual(first);
  });

  it("takes keys", async () => {
    const before = await countKeys();
    await viewing(async (client) => {
      client.key(0x61, true);
      client.key(0x61, false);
      await expect.poll(countKeys).toBe(before + 2);
    });
  });

  it("is shown by SPICE as well, with keys and places for USB devices, a connection for each", async () => {
    expect((await stat(join(runDirectoryOf(instance), "spice"))).mode & 0o777).toBe(0o600);
    const before = await countKeys();
    await connected("spice", async (ends) => {
      const { main, session } = await openSpice(ends);
      const { display, inputs, usbRedirection } = spiceChannels;
      expect(await main.channels()).toEqual(expect.arrayContaining([display, inputs, usbRedirection]));
      await connected("spice", async (own) =>
        (await SpiceChannel.open(own, { type: display, session })).sees(720, 400),
      );
      await connected("spice", async (own) => {
        const keys = await SpiceChannel.open(own, { type: inputs, session });
        await keys.message(spiceMessages.inputsInit);
        keys.send(spiceRequests.keyDown, words(0x1e));
        keys.send(spiceRequests.keyUp, words(0x9e));
        await expect.poll(countKeys).toBe(before + 2);
      });
      for (const id of [0, 1]) {
        const hello = await connected("spice", async (own) =>
          (await SpiceChannel.open(own, { type: usbRedirection, id, session })).message(spiceMessages.data),
        );
        // Type 0, its length and id come before what QEMU says it is.
        expect([hello.readUInt32LE(0), hello.toString("latin1", 12, 32)]).toEqual([0, "qemu usb-redir guest"]);
      }
    });
  });

  it("is not there when none was asked for", async () => {
    const other = await fixture.create({ kernel: "micro" });
    const running = await fixture.driver.start(other, await fixture.networkOf(other), callOptions);
    const none = { reason: "NO_SCREEN" };
    await expect(screenOf(fixture).captureScreen(other, running, callOptions)).rejects.toMatchObject(none);
    const unused = { protocol: "spice" as const, input: new PassThrough() };
    const viewer = screenOf(fixture).connectScreen(other, running, unused, callOptions);
    await expect(viewer[Symbol.asyncIterator]().next()).rejects.toMatchObject(none);
  });
});
