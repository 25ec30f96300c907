import { ScalarType } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A value of a field as it is on the wire, however little it fits, and how it is called in reports. */
export interface HostileValue {
  readonly label: string;
  readonly wire: WireType;
  readonly write: (writer: BinaryWriter) => BinaryWriter;
}

const texts: readonly string[] = [
  "",
  " ",
  "-x",
  "--help",
  ".",
  "..",
  "/",
  "a/b",
  "../../etc/passwd",
  "/etc/shadow",
  "/dev/zero",
  "a\nb",
  "a\0b",
  "a\u001b[2Jb",
  "a\u0085b",
  "a\u009b31mb",
  "a\u202eb",
  "a\u2066b",
  "a\u2028b",
  "\ufeff",
  "a,b",
  "a=b,c=on",
  "a:b",
  'json:{"driver":"file","filename":"/etc/shadow"}',
  "nbd://127.0.0.1:1/x",
  "nbd:unix:/run/x.sock",
  "fd:3",
  "/dev/fdset/1",
  "fat:rw:/etc",
  "file:/etc/shadow",
  "https://127.0.0.1/x",
  "$(id)`id`;id",
  "%s%n%x",
  "__proto__",
  "constructor",
  "NaN",
  "-1",
  "99999999999999999999999999",
  "ä💥",
  "a".repeat(64),
  "a".repeat(64 * 1024),
];

const text = (value: string): HostileValue => ({
  label: value.length > 100 ? `${value.length} characters` : JSON.stringify(value),
  wire: WireType.LengthDelimited,
  write: (writer) => writer.string(value),
});

const raw = (label: string, value: Uint8Array): HostileValue => ({
  label,
  wire: WireType.LengthDelimited,
  write: (writer) => writer.bytes(value),
});

/** What is no UTF-8: a lone surrogate, a cut character, bytes that are never in it. */
const brokenTexts = [
  raw("a lone surrogate", Uint8Array.of(0x61, 0xed, 0xa0, 0x80)),
  raw("a cut character", Uint8Array.of(0x61, 0xe2, 0x82)),
  raw("bytes that are no text", Uint8Array.of(0xff, 0xfe, 0x00)),
];

const varint = (value: bigint): HostileValue => ({
  label: String(value),
  wire: WireType.Varint,
  write: (writer) => writer.uint64(BigInt.asUintN(64, value)),
});

/** Also more than 32 bits hold, for fields that have no more. */
const integers = [
  0n,
  -1n,
  1n,
  7n,
  65_536n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  2n ** 53n + 1n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
].map(varint);

const doubles = [NaN, Infinity, -Infinity, -0, -1, 1e308, 5e-324, 2 ** 53 + 2];

/** Hostile values of a type of the protocol. Enums are numbers nobody has given a name; messages are bytes that are none. */
export function hostileValues(type: ScalarType | "enum" | "message"): readonly HostileValue[] {
  switch (type) {
    case ScalarType.STRING:
      return [...texts.map(text), ...brokenTexts];
    case ScalarType.BYTES:
      return [
        new Uint8Array(0),
        new Uint8Array(1),
        new Uint8Array(64 * 1024).fill(0xff),
        Buffer.from("/etc/shadow\0"),
      ].map((value) => raw(`${value.length} bytes`, value));
    case ScalarType.BOOL:
      return [varint(2n), varint(-1n)];
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return integers;
    case ScalarType.DOUBLE:
      return doubles.map((value) => ({
        label: String(value),
        wire: WireType.Bit64,
        write: (writer) => writer.double(value),
      }));
    case ScalarType.FLOAT:
      return doubles.map((value) => ({
        label: String(value),
        wire: WireType.Bit32,
        write: (writer) => writer.float(Math.abs(value) > 3e38 && Number.isFinite(value) ? 3e38 : value),
      }));
    case "enum":
      return [-1n, 99n, 2n ** 31n - 1n, -(2n ** 31n)].map(varint);
    case "message":
      return [
        raw("an empty message", new Uint8Array(0)),
        raw("bytes that are no message", Uint8Array.of(0x0a, 0xff, 0xff)),
      ];
    default:
      throw new Error(`no hostile values of the protocol's type ${ScalarType[type]}: add some`);
  }
}
