import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isQcow2, parseQcow2Header, Qcow2FormatError } from "../../../../../agent/drivers/qemu/qcow2.js";
import { backingFormat, extensionTypes, type HeaderOptions, makeQcow2 } from "./qcow2-image.js";

describe("a qcow2 header", () => {
  it("tells size, backing file and its format", () => {
    const image = makeQcow2({
      virtualSizeBytes: 5n << 30n,
      backingFile: "base.qcow2",
      extensions: [backingFormat("qcow2")],
    });
    expect(parseQcow2Header(image)).toEqual({
      version: 3,
      virtualSizeBytes: 5n << 30n,
      backingFile: "base.qcow2",
      backingFormat: "qcow2",
      encrypted: false,
      externalData: false,
      corrupt: false,
    });
  });

  it("of version 2 has its extensions after 72 bytes", () => {
    const image = makeQcow2({ version: 2, backingFile: "b", extensions: [backingFormat("raw")] });
    expect(parseQcow2Header(image)).toMatchObject({ version: 2, backingFile: "b", backingFormat: "raw" });
  });

  it.each<[string, HeaderOptions, object]>([
    ["an encrypted image", { cryptMethod: 2 }, { encrypted: true }],
    [
      "an encryption extension",
      { extensions: [{ type: extensionTypes.encryption, data: Buffer.alloc(16) }] },
      { encrypted: true },
    ],
    ["data in another file", { incompatible: 4n }, { externalData: true }],
    [
      "the name of a data file",
      { extensions: [{ type: extensionTypes.externalData, data: Buffer.from("/etc/shadow") }] },
      { externalData: true },
    ],
    ["a damaged image", { incompatible: 2n }, { corrupt: true }],
    [
      "a data file named after a long unknown extension",
      {
        extensions: [
          { type: 0x1234, data: Buffer.alloc(5000) },
          { type: extensionTypes.externalData, data: Buffer.from("x") },
        ],
      },
      { externalData: true },
    ],
  ])("shows %s", (_what, options, expected) => {
    expect(parseQcow2Header(makeQcow2(options))).toMatchObject(expected);
  });

  it.each<[string, Buffer]>([
    ["is cut short", makeQcow2().subarray(0, 50)],
    ["of version 3 is cut short", makeQcow2().subarray(0, 80)],
    ["has an unknown version", makeQcow2({ version: 4 })],
    ["has impossible clusters", makeQcow2({ clusterBits: 63 })],
    ["claims more than the format can hold", makeQcow2({ virtualSizeBytes: 2n ** 63n })],
    ["has unknown incompatible features", makeQcow2({ incompatible: 1n << 40n })],
    ["has a header longer than what is there", makeQcow2({ headerLength: 2 ** 31 })],
    ["has a header shorter than its version demands", makeQcow2({ headerLength: 72 })],
    ["has its backing name outside the header", makeQcow2({ backingOffset: 2n ** 40n, backingLength: 8 })],
    [
      "has its backing name beyond its first cluster",
      makeQcow2({ clusterBits: 9, backingOffset: 600n, backingLength: 8 }),
    ],
    ["has an endless backing name", makeQcow2({ backingOffset: 200n, backingLength: 5000 })],
    ["has a backing file without a name", makeQcow2({ backingOffset: 200n, backingLength: 0 })],
    [
      "has an extension beyond the header",
      makeQcow2({ extensions: [{ type: 1, data: Buffer.alloc(8), claimedLength: 2 ** 31 }] }),
    ],
    ["is of another format", Buffer.alloc(64 * 1024)],
  ])("that %s is refused", (_what, image) => {
    expect(() => parseQcow2Header(image)).toThrow(Qcow2FormatError);
  });

  it("never does anything but parse or refuse, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), (noise) => {
        const image = makeQcow2();
        image.set(noise, 4);
        try {
          const header = parseQcow2Header(image);
          return header.backingFile === undefined || header.backingFile.length <= 1023;
        } catch (error) {
          return error instanceof Qcow2FormatError;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("is recognised by its first four bytes", () => {
    expect(isQcow2(makeQcow2())).toBe(true);
    expect(isQcow2(Buffer.from("QFI"))).toBe(false);
  });
});
