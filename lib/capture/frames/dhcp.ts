import { ipv4Text, macText } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

const messages = ["", "discover", "offer", "request", "decline", "acknowledge", "refuse", "release", "inform"] as const;
const magic = 0x63825363;
const options = { pad: 0, mask: 1, router: 3, dns: 6, host: 12, wanted: 50, lease: 51, type: 53, server: 54, end: 255 };

/** RFC 2131 and RFC 2132. */
export function decodeDhcp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "DHCP", reader.at);
  layer.to = reader.end;
  const operation = reader.u8();
  reader.skip(3);
  const id = reader.u32().toString(16).padStart(8, "0");
  reader.skip(8);
  const given = ipv4Text(reader.bytes(4));
  reader.skip(8);
  const client = macText(reader.bytes(6));
  draft.info = `${operation === 1 ? "question" : "answer"}, ${client}`;
  layer.fields.push(`transaction ${id}`, `client ${client}`);
  if (given !== "0.0.0.0") layer.fields.push(`address ${given}`);
  reader.skip(10 + 64 + 128);
  if (reader.u32() !== magic) return;
  const words: string[] = [];
  while (reader.left > 0) {
    const code = reader.u8();
    if (code === options.end) break;
    if (code === options.pad) continue;
    const value = reader.part(reader.u8());
    readOption(code, value, { words, fields: layer.fields });
    const address = given === "0.0.0.0" ? "" : ` ${given}`;
    draft.info = `${words.join(" ")}${address}, ${client}`.replace(/^,? /, "");
  }
}

function readOption(
  code: number,
  value: FrameReader,
  { words, fields }: { readonly words: string[]; readonly fields: string[] },
): void {
  switch (code) {
    case options.type: {
      const type = value.u8();
      const name = messages[type] ?? `type ${type}`;
      words.unshift(name);
      fields.push(`message ${name}`);
      return;
    }
    case options.wanted:
      words.push(`wants ${ipv4Text(value.bytes(4))}`);
      return;
    case options.host: {
      const name = value.bytes(value.left).toString("latin1");
      words.push(`as ${name}`);
      fields.push(`host ${name}`);
      return;
    }
    case options.lease:
      fields.push(`lease ${value.u32()} s`);
      return;
    case options.mask:
      fields.push(`mask ${ipv4Text(value.bytes(4))}`);
      return;
    case options.router:
      fields.push(`router ${ipv4Text(value.bytes(4))}`);
      return;
    case options.dns:
      fields.push(`name server ${ipv4Text(value.bytes(4))}`);
      return;
    case options.server:
      fields.push(`server ${ipv4Text(value.bytes(4))}`);
      return;
    default:
  }
}
