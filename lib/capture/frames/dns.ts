import { ipv4Text, ipv6Text } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

const types: Readonly<Record<number, string>> = {
  ...{ 1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "OPT" },
  ...{ 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY" },
};
const codes = ["no error", "format error", "server failure", "no such name", "not implemented", "refused"] as const;

/** Jumps within a name that are followed, and answers that are read. */
const [mostJumps, mostAnswers] = [16, 12];
const longestName = 255;

/** RFC 1035, and RFC 6762 among neighbours: what is asked, and what is answered, or announced without a question. */
export function decodeDns(reader: FrameReader, draft: FrameDraft, protocol: "DNS" | "mDNS" = "DNS"): void {
  const begin = reader.at;
  const layer = beginLayer(draft, protocol, begin);
  layer.to = reader.end;
  const id = reader.u16();
  const flags = reader.u16();
  const [questions, answers] = [reader.u16(), reader.u16()];
  reader.skip(4);
  const isAnswer = (flags & 0x8000) !== 0;
  layer.fields.push(`id ${id}`, `${isAnswer ? "answer" : "question"}, flags 0x${flags.toString(16).padStart(4, "0")}`);
  draft.info = `${isAnswer ? "answer" : "question"} ${id}`;
  const words: string[] = [];
  for (let count = 0; count < Math.min(questions, mostAnswers); count += 1) {
    const name = readName(reader, begin);
    const type = reader.u16();
    reader.skip(2);
    words.push(`${typeText(type)} ${name}`);
    layer.fields.push(`question ${typeText(type)} ${name}`);
    draft.info = `${isAnswer ? "answer to" : "question"} ${words.join(", ")}`;
  }
  if (!isAnswer) return;
  const code = flags & 0xf;
  const found: string[] = [];
  if (code !== 0) found.push(codes[code] ?? `code ${code}`);
  const head = words.length === 0 ? "announces" : `answer to ${words.join(", ")}:`;
  for (let count = 0; count < Math.min(answers, mostAnswers); count += 1) {
    const { owner, text } = readRecord(reader, begin);
    found.push(words.length === 0 ? `${owner} ${text}` : text);
    layer.fields.push(`${owner} ${text}`);
    draft.info = `${head} ${found.join(", ")}`;
  }
  draft.info = `${head} ${found.length === 0 ? "nothing" : found.join(", ")}`;
}

function readRecord(reader: FrameReader, begin: number): { readonly owner: string; readonly text: string } {
  const owner = readName(reader, begin);
  const type = reader.u16();
  reader.skip(6);
  const length = reader.u16();
  const data = reader.part(length);
  return { owner, text: recordText({ type, length, data }, begin) };
}

function recordText(
  { type, length, data }: { readonly type: number; readonly length: number; readonly data: FrameReader },
  begin: number,
): string {
  if (type === 1 && length === 4) return `A ${ipv4Text(data.bytes(4))}`;
  if (type === 28 && length === 16) return `AAAA ${ipv6Text(data.bytes(16))}`;
  // Names in the data may point back into the message.
  if (type === 2 || type === 5 || type === 12) return `${typeText(type)} ${readName(data, begin)}`;
  return `${typeText(type)}, ${length} bytes`;
}

/** A name; the reader goes on behind it. Jumps lead back only, and not for ever. */
function readName(reader: FrameReader, begin: number): string {
  const labels: string[] = [];
  let length = 0;
  let at: number | undefined;
  let jumps = 0;
  const next = (): number => {
    if (at === undefined) return reader.u8();
    const byte = reader.peek(at);
    if (byte === undefined) return 0;
    at += 1;
    return byte;
  };
  for (;;) {
    const head = next();
    if (head === 0 || length > longestName) break;
    if ((head & 0xc0) === 0xc0) {
      const target = begin + (((head & 0x3f) << 8) | next());
      jumps += 1;
      if (jumps > mostJumps) break;
      at = target;
      continue;
    }
    const size = head & 0x3f;
    let label = "";
    for (let count = 0; count < size; count += 1) label += String.fromCharCode(next());
    labels.push(label);
    length += size + 1;
  }
  return labels.length === 0 ? "." : labels.join(".");
}

function typeText(type: number): string {
  return types[type] ?? `type ${type}`;
}
