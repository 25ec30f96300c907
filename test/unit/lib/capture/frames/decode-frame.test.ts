import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv6Text } from "../../../../../lib/capture/frames/addresses.js";
import { decodeFrame } from "../../../../../lib/capture/frames/decode-frame.js";

const macs = "020000000002" + "020000000001";
const u16 = (value: number) => value.toString(16).padStart(4, "0");
const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");

function ipv4(protocol: number, payload: string, flags = "0000"): string {
  const length = u16(20 + payload.length / 2);
  const head = `4500${length}0001${flags}40${protocol.toString(16).padStart(2, "0")}0000`;
  return `${macs}0800${head}0a0000010a000002${payload}`;
}

function ipv6(next: number, payload: string): string {
  const from = "fe800000000000000000000000000001";
  const to = "ff020000000000000000000000000002";
  return `${macs}86dd60000000${u16(payload.length / 2)}${next.toString(16).padStart(2, "0")}ff${from}${to}${payload}`;
}

function udp(from: number, to: number, payload: string): string {
  return `${u16(from)}${u16(to)}${u16(8 + payload.length / 2)}0000${payload}`;
}

const text = (words: string) => Buffer.from(words).toString("hex");
const http = (from: number, to: number, words: string) =>
  `${u16(from)}${u16(to)}00000001000000095018ffff00000000${text(words)}`;
const label = (word: string) => word.length.toString(16).padStart(2, "0") + text(word);
const asked = `${label("www")}${label("example")}00`;

const dhcp = (operation: string, given: string, options: string) =>
  `${operation}010600 12345678 00000000 00000000 ${given} 00000000 00000000 020000000001 ${"00".repeat(10 + 64 + 128)} 63825363 ${options}`.replace(
    /\s/g,
    "",
  );

describe("a frame", () => {
  it.each<readonly [string, string, { protocol: string; info: string; ends?: readonly [string, string] }]>([
    [
      "ARP question",
      `ffffffffffff0200000000010806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`,
      { protocol: "ARP", info: "who has 10.0.0.2? tell 10.0.0.1", ends: ["02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"] },
    ],
    [
      "ARP answer",
      `${macs}0806 0001 0800 06 04 0002 020000000001 0a000001 020000000002 0a000002`,
      { protocol: "ARP", info: "10.0.0.1 is at 02:00:00:00:00:01" },
    ],
    [
      "ping in two tags",
      `${macs}88a80064 8100000a ${ipv4(1, "0800 0000 0007 0003 abcd".replace(/\s/g, "")).slice(24)}`,
      {
        protocol: "ICMP",
        info: "vlan 100/10 echo request, id 7, seq 3",
        ends: ["10.0.0.1", "10.0.0.2"],
      },
    ],
    ["port unreachable", ipv4(1, "0303000000000000"), { protocol: "ICMP", info: "port: unreachable" }],
    [
      "too large",
      ipv4(1, "03040000000005aa"),
      { protocol: "ICMP", info: "too large for the next hop, which takes 1450" },
    ],
    [
      "fragment",
      ipv4(17, "00".repeat(8), "00b9"),
      { protocol: "IPv4", info: "17 UDP fragment at 1480, the last, id 1" },
    ],
    [
      "begin of a connection",
      ipv4(6, `${u16(40000)}0016 00000001 00000000 5002 ffff 0000 0000`.replace(/\s/g, "")),
      { protocol: "TCP", info: "40000 > 22 [SYN] 0 bytes" },
    ],
    [
      "ssh",
      ipv4(6, `0016${u16(40000)} 00000001 00000009 5018 ffff 0000 0000 ${text("SSH-2.0")}`.replace(/\s/g, "")),
      { protocol: "SSH", info: "22 > 40000 [PSH ACK] 7 bytes" },
    ],
    [
      "DNS question",
      ipv4(17, udp(40000, 53, `abcd0100000100000000 0000${asked}001c0001`.replace(/\s/g, ""))),
      { protocol: "DNS", info: "question AAAA www.example" },
    ],
    [
      "DNS answer, with names that point back",
      ipv4(
        17,
        udp(
          53,
          40000,
          `abcd8180000100020000 0000${asked}00010001 c00c00050001000000050004 ${label("a")}c010 c00c0001000100000005 0004 0a000009`.replace(
            /\s/g,
            "",
          ),
        ),
      ),
      { protocol: "DNS", info: "answer to A www.example: CNAME a.example, A 10.0.0.9" },
    ],
    [
      "no such name",
      ipv4(17, udp(53, 40000, `abcd8183000100000000 0000${asked}00010001`.replace(/\s/g, ""))),
      { protocol: "DNS", info: "answer to A www.example: no such name" },
    ],
    [
      "DHCP discover",
      ipv4(17, udp(68, 67, dhcp("01", "00000000", `350101 0c03${text("vm1")} ff`.replace(/\s/g, "")))),
      { protocol: "DHCP", info: "discover as vm1, 02:00:00:00:00:01" },
    ],
    [
      "DHCP offer",
      ipv4(17, udp(67, 68, dhcp("02", "0a000005", "350102330400000e1001 04ffffff00ff".replace(/\s/g, "")))),
      { protocol: "DHCP", info: "offer 10.0.0.5, 02:00:00:00:00:01" },
    ],
    [
      "neighbour",
      ipv6(58, `87000000 00000000 fe800000000000000000000000000009`.replace(/\s/g, "")),
      { protocol: "ICMPv6", info: "who has fe80::9?", ends: ["fe80::1", "ff02::2"] },
    ],
    [
      "ping behind options",
      ipv6(0, `3a00010400000000 80000000 00010002`.replace(/\s/g, "")),
      { protocol: "ICMPv6", info: "echo request, id 1, seq 2" },
    ],
    [
      "spanning tree",
      `0180c2000000 020000000001 0026 424203 0000 02 02 3c 8000 0200000000ff 00000004`,
      { protocol: "STP", info: "rapid spanning tree, root 32768/02:00:00:00:00:ff, cost 4" },
    ],
    [
      "LLDP",
      `${macs}88cc 0207 04 0200000000aa 0405 05 ${text("swp1")} 0602 0078 0a03 ${text("sw1")} 0000`,
      { protocol: "LLDP", info: "sw1 at port swp1" },
    ],
    ["LLDP without a name", `${macs}88cc 0207 04 0200000000aa 0000`, { protocol: "LLDP", info: "02:00:00:00:00:aa" }],
    [
      "HTTP request at any port",
      ipv4(6, http(40000, 8000, "GET /a?b HTTP/1.1\r\nAccept: */*\r\nhost: vm1.example:8000\r\n\r\n")),
      { protocol: "HTTP", info: "GET vm1.example:8000/a?b" },
    ],
    [
      "HTTP answer",
      ipv4(6, http(80, 40000, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
      { protocol: "HTTP", info: "404 Not Found" },
    ],
    ["HTTP body", ipv4(6, http(80, 40000, "<p>")), { protocol: "HTTP", info: "80 > 40000 [PSH ACK] 3 bytes" }],
    [
      "announcement among neighbours",
      ipv4(
        17,
        udp(
          5353,
          5353,
          `0000840000000001 00000000${label("vm1")}${label("local")}00 00018001000000780004 0a000009`.replace(
            /\s/g,
            "",
          ),
        ),
      ),
      { protocol: "mDNS", info: "announces vm1.local A 10.0.0.9" },
    ],
  ])("that is %s", (_, bytes, { protocol, info, ends }) => {
    const frame = decodeFrame(hex(bytes));
    expect({ protocol: frame.protocol, info: frame.info, isCut: frame.isCut }).toEqual({
      protocol,
      info,
      isCut: false,
    });
    if (ends !== undefined) expect([frame.source, frame.destination]).toEqual(ends);
  });

  it("has its layers with what they hold, and where they lie", () => {
    const { layers } = decodeFrame(hex(`${macs}8100000a${ipv4(17, udp(40000, 9999, "616263")).slice(24)}`));
    expect(layers.map(({ name, from, to }) => [name, from, to])).toEqual([
      ["Ethernet", 0, 14],
      ["VLAN", 12, 18],
      ["IPv4", 18, 38],
      ["UDP", 38, 46],
    ]);
    expect(layers[3]?.fields).toEqual(["port 40000 to 9999", "length 11"]);
  });

  it("that is cut tells what is there, and that it is cut", () => {
    const whole = hex(ipv4(17, udp(40000, 53, `abcd0100000100000000 0000${asked}001c0001`.replace(/\s/g, ""))));
    for (let length = 0; length < whole.length; length += 1) {
      const frame = decodeFrame(whole.subarray(0, length));
      expect(frame.isCut, `${length}`).toBe(true);
      for (const { from, to } of frame.layers) {
        expect(from).toBeLessThanOrEqual(to);
        expect(to).toBeLessThanOrEqual(length);
      }
    }
  });

  it("with a name that leads to itself is read to its end", () => {
    const frame = decodeFrame(hex(ipv4(17, udp(5353, 5353, "abcd01000001000000000000c00c00010001"))));
    expect(frame).toMatchObject({ protocol: "mDNS", info: "question A ." });
  });

  it("of random bytes never throws, and neither does one that was changed in places", () => {
    const known = [
      ipv4(
        17,
        udp(53, 40000, `abcd8180000100010000 0000${asked}00010001c00c000100010000000500040a000009`.replace(/\s/g, "")),
      ),
      ipv4(17, udp(68, 67, dhcp("01", "00000000", "350101ff"))),
      ipv6(0, "3a000104000000008000000000010002"),
      ipv4(6, "9c4000160000000100000000f002ffff00000000"),
      ipv4(6, http(40000, 80, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
      `${macs}88cc02070402000000 00aa0405 05${text("swp1")}0602 00780a03${text("sw1")}0000`.replace(/\s/g, ""),
    ].map(hex);
    const changed = fc
      .tuple(
        fc.constantFrom(...known),
        fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
      )
      .map(([frame, changes]) => {
        const copy = Buffer.from(frame);
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy;
      });
    const random = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(changed, random), (bytes) => {
        const frame = decodeFrame(bytes);
        for (const { to } of frame.layers) if (to > bytes.length) return false;
        return frame.info.length < 4096;
      }),
      { numRuns: 3000 },
    );
  });
});

it.each([
  ["00000000000000000000000000000000", "::"],
  ["00000000000000000000000000000001", "::1"],
  ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
  ["20010db8000100020003000400050006", "2001:db8:1:2:3:4:5:6"],
  ["fe800000000000000000000000000000", "fe80::"],
])("the address %s is %s", (bytes, address) => {
  expect(ipv6Text(hex(bytes))).toBe(address);
});
