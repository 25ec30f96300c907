import { macText } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

/** Entries that are read. */
const mostEntries = 64;
/** What holds text, and the words for it (IEEE 802.1AB, 8.4). */
const texts: Readonly<Record<number, string>> = { 4: "port is for", 5: "name", 6: "system" };
const [chassis, port, lifetime] = [1, 2, 3];
/** Kinds of identities: a MAC address among those of a chassis, and among those of a port. */
const macKinds: Readonly<Record<number, number>> = { [chassis]: 4, [port]: 3 };

/** IEEE 802.1AB: who a neighbour says that it is, and at which of its ports. */
export function decodeLldp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "LLDP", reader.at);
  layer.to = reader.end;
  const said = { name: "", chassis: "", port: "" };
  for (let count = 0; count < mostEntries; count += 1) {
    const head = reader.u16();
    const type = head >> 9;
    if (type === 0) break;
    const data = reader.part(head & 0x1ff);
    const label = texts[type];
    if (type === chassis || type === port) {
      const what = type === chassis ? "chassis" : "port";
      said[what] = identity(data, macKinds[type]);
      layer.fields.push(`${what} ${said[what]}`);
    } else if (type === lifetime) layer.fields.push(`holds for ${data.u16()} s`);
    else if (label !== undefined) {
      const text = data.bytes(data.left).toString("utf8");
      if (label === "name") said.name = text;
      layer.fields.push(`${label} ${text}`);
    }
    draft.info = `${said.name === "" ? said.chassis : said.name}${said.port === "" ? "" : ` at port ${said.port}`}`;
  }
}

function identity(data: FrameReader, macKind: number | undefined): string {
  const kind = data.u8();
  if (kind === macKind && data.left === 6) return macText(data.bytes(6));
  return data.bytes(data.left).toString("utf8");
}
