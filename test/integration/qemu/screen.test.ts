import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { RfbClient } from "../../../tui/client/screen/rfb-client.js";
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

  /** Connects a viewer, and has it used. */
  async function viewing<T>(use: (client: RfbClient) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const [toServer, fromServer] = [new PassThrough(), new PassThrough()];
    const carried = (async () => {
      for await (const output of screenOf(fixture).connectScreen(instance, handle, toServer, {
        signal: abort.signal,
      })) {
        if (output.type === "data") fromServer.write(output.data);
      }
    })();
    carried.catch((error: unknown) => fromServer.destroy(error as Error));
    try {
      return await use(await RfbClient.open({ input: fromServer, send: (data) => void toServer.write(data) }));
    } finally {
      abort.abort();
      await carried.catch(() => undefined);
    }
  }

  beforeAll(async () => {
    fixture = await makeMachineFixture();
    instance = await fixture.create({ kernel: "micro", display: "std" });
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
    // What the keyboard told the guest: a byte for each key that is pressed or released.
    const count = async (): Promise<number> =>
      Number((await fixture.shell(instance, handle, "awk '/ 1-edge +i8042/ { print $2 }' /proc/interrupts")).trim());
    const before = await count();
    await viewing(async (client) => {
      client.key(0x61, true);
      client.key(0x61, false);
      await expect.poll(count).toBe(before + 2);
    });
  });

  it("is not there when none was asked for", async () => {
    const other = await fixture.create({ kernel: "micro" });
    const running = await fixture.driver.start(other, await fixture.networkOf(other), callOptions);
    const none = { reason: "NO_SCREEN" };
    await expect(screenOf(fixture).captureScreen(other, running, callOptions)).rejects.toMatchObject(none);
    const viewer = screenOf(fixture).connectScreen(other, running, new PassThrough(), callOptions);
    await expect(viewer[Symbol.asyncIterator]().next()).rejects.toMatchObject(none);
  });
});
