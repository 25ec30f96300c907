import { describe, expect, it } from "vitest";
import { RfbClient } from "../../../../../tui/client/screen/rfb-client.js";

const greeting = Buffer.from("RFB 003.008\n");

function numbers(...words: readonly (readonly [value: number, bytes: 1 | 2 | 4])[]): Buffer {
  return Buffer.concat(
    words.map(([value, bytes]) => {
      const word = Buffer.alloc(bytes);
      word.writeUIntBE(value < 0 ? value + 2 ** 32 : value, 0, bytes);
      return word;
    }),
  );
}

/** What a server says until its screen has been described. */
function start(width: number, height: number, name = "vm1"): Buffer {
  return Buffer.concat([
    greeting,
    numbers([1, 1], [1, 1], [0, 4], [width, 2], [height, 2]),
    Buffer.alloc(16),
    numbers([name.length, 4]),
    Buffer.from(name),
  ]);
}

function part(
  [x, y, width, height]: readonly [number, number, number, number],
  encoding: number,
  data: Buffer,
): Buffer {
  return Buffer.concat([numbers([x, 2], [y, 2], [width, 2], [height, 2], [encoding, 4]), data]);
}

function update(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([numbers([0, 1], [0, 1], [parts.length, 2]), ...parts]);
}

function pixels(...colours: readonly number[]): Buffer {
  const data = Buffer.alloc(colours.length * 4);
  colours.forEach((colour, index) => void data.writeUInt32LE(colour, index * 4));
  return data;
}

/** A client of a server that says this, in pieces of that many bytes. */
async function open(said: Buffer, pieceBytes = said.length): Promise<{ client: RfbClient; sent: Buffer[] }> {
  const sent: Buffer[] = [];
  async function* input() {
    for (let at = 0; at < said.length; at += pieceBytes) yield said.subarray(at, at + pieceBytes);
  }
  return { client: await RfbClient.open({ input: input(), send: (data) => void sent.push(data) }), sent };
}

describe("the client of screens", () => {
  it.each([1, 3, 1000])("draws what comes in pieces of %i bytes", async (pieceBytes) => {
    const said = Buffer.concat([
      start(3, 2),
      numbers([2, 1]),
      numbers([3, 1], [0, 1], [0, 2], [5, 4]),
      Buffer.from("paste"),
      numbers([1, 1], [0, 1], [0, 2], [1, 2]),
      Buffer.alloc(6),
      update(
        part([0, 0, 3, 1], 0, pixels(0xff0000, 0x00ff00, 0xff0000ff)),
        part([1, 1, 2, 1], 1, numbers([0, 2], [0, 2])),
      ),
    ]);
    const { client, sent } = await open(said, pieceBytes);
    await client.update();
    const row = (y: number) => [0, 1, 2].map((x) => client.screen.mean(x, y, x + 1, y + 1));
    expect(row(0)).toEqual([0xff0000, 0x00ff00, 0x0000ff]);
    expect(row(1)).toEqual([0, 0xff0000, 0x00ff00]);
    // No password, shared, a pixel format, and three encodings.
    expect(Buffer.concat(sent.slice(0, 3)).toString("latin1")).toBe("RFB 003.008\n\x01\x01");
    expect(sent[3]?.length).toBe(20);
    expect(sent[4]).toEqual(numbers([2, 1], [0, 1], [3, 2], [0, 4], [1, 4], [-223, 4]));
  });

  it("copies parts onto themselves, whichever way they overlap", async () => {
    const before = update(part([0, 0, 1, 4], 0, pixels(1, 2, 3, 4)));
    const down = update(part([0, 1, 1, 3], 1, numbers([0, 2], [0, 2])));
    const { client } = await open(
      Buffer.concat([start(1, 4), before, down, update(part([0, 0, 1, 3], 1, numbers([0, 2], [1, 2])))]),
    );
    const column = () => [0, 1, 2, 3].map((y) => client.screen.mean(0, y, 1, y + 1));
    await client.update();
    await client.update();
    expect(column()).toEqual([1, 1, 2, 3]);
    await client.update();
    expect(column()).toEqual([1, 2, 3, 3]);
  });

  it("follows the screen's size, and says what has changed once", async () => {
    const { client } = await open(
      Buffer.concat([
        start(4, 4),
        update(part([0, 0, 8, 6], -223, Buffer.alloc(0))),
        update(part([7, 5, 1, 1], 0, pixels(9))),
      ]),
    );
    await client.update();
    expect(client.screen.takeChanged()).toEqual({ x: 0, y: 0, width: 8, height: 6 });
    await client.update();
    expect(client.screen.takeChanged()).toEqual({ x: 7, y: 5, width: 1, height: 1 });
    expect(client.screen.takeChanged()).toBeUndefined();
  });

  it("presses keys and asks for pictures as the protocol has it", async () => {
    const { client, sent } = await open(start(800, 600));
    client.key(0xff0d, true);
    client.request(true);
    expect(sent.at(-2)).toEqual(numbers([4, 1], [1, 1], [0, 2], [0xff0d, 4]));
    expect(sent.at(-1)).toEqual(numbers([3, 1], [1, 1], [0, 2], [0, 2], [800, 2], [600, 2]));
  });

  it.each([
    ["is no screen", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), "no screen"],
    ["is of an old version", Buffer.from("RFB 003.003\n"), "no screen"],
    ["refuses", Buffer.concat([greeting, numbers([0, 1], [4, 4]), Buffer.from("busy")]), "refuses: busy"],
    [
      "refuses in more words than anybody reads",
      Buffer.concat([greeting, numbers([0, 1], [0xffffffff, 4])]),
      "text of",
    ],
    ["wants a password", Buffer.concat([greeting, numbers([1, 1], [2, 1])]), "password"],
    [
      "fails the handshake",
      Buffer.concat([greeting, numbers([1, 1], [1, 1], [1, 4], [2, 4]), Buffer.from("no")]),
      "refuses: no",
    ],
    ["has no pixels", start(0, 600), "0x600"],
    ["has more pixels than any", start(65_535, 65_535), "65535x65535"],
    ["has an endless name", Buffer.concat([start(1, 1).subarray(0, -7), numbers([0x7fffffff, 4])]), "text of"],
    ["ends in the middle", start(1, 1).subarray(0, 30), "ended the connection"],
  ])("refuses a server that %s", async (_, said, why) => {
    await expect(open(said)).rejects.toThrow(why);
  });

  it.each([
    ["draws outside", update(part([3, 0, 2, 1], 0, pixels(1, 2))), "leads out"],
    ["copies from outside", update(part([0, 0, 2, 2], 1, numbers([3, 2], [3, 2]))), "leads out"],
    ["grows beyond all bounds", update(part([0, 0, 5000, 1], -223, Buffer.alloc(0))), "5000x1"],
    ["shrinks to nothing", update(part([0, 0, 0, 0], -223, Buffer.alloc(0))), "0x0"],
    ["packs what was not to be packed", update(part([0, 0, 1, 1], 16, Buffer.alloc(4))), "encoding"],
    ["speaks another language", numbers([77, 1]), "unknown type"],
    ["sends a clipboard without end", numbers([3, 1], [0, 1], [0, 2], [0xffffffff, 4]), "text of"],
    ["ends in the middle of a row", update(part([0, 0, 4, 1], 0, pixels(1))), "ended the connection"],
  ])("leaves a server that %s", async (_, said, why) => {
    const { client } = await open(Buffer.concat([start(4, 4), said]));
    await expect(client.update()).rejects.toThrow(why);
  });
});
