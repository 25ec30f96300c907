import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

/** What is read of a message, and shown of one of its words. */
const [mostBytes, mostWord] = [2048, 200];
const requestLine = /^([A-Z]{3,8}) (\S+) HTTP\/1\.[01]\r?\n/;
const statusLine = /^HTTP\/1\.[01] (\d{3})([^\r\n]*)\r?\n/;
const hostLine = /\nHost:[ \t]*([^\r\n]*)/i;

/**
 * RFC 9112: the beginning of a request, or of what answers it, at whatever port; false: it is neither, and nothing was read. A segment
 * may hold a part of the headers only: what is there is shown.
 */
export function decodeHttp(reader: FrameReader, draft: FrameDraft): boolean {
  const begin = reader.at;
  const text = reader.bytes(Math.min(reader.left, mostBytes)).toString("latin1");
  reader.at = begin;
  const [isRequest, method = "", path = ""] = requestLine.exec(text) ?? [];
  const [isAnswer, code = "", why = ""] = statusLine.exec(text) ?? [];
  if (isRequest === undefined && isAnswer === undefined) return false;
  const layer = beginLayer(draft, "HTTP", begin);
  layer.to = reader.end;
  if (isAnswer !== undefined) {
    draft.info = `${code} ${word(why.trim())}`.trimEnd();
    layer.fields.push(`status ${draft.info}`);
    return true;
  }
  const host = hostLine.exec(text)?.[1]?.trim() ?? "";
  layer.fields.push(`${method} ${word(path)}`, ...(host === "" ? [] : [`host ${word(host)}`]));
  draft.info = `${method} ${word(host)}${word(path)}`;
  return true;
}

function word(text: string): string {
  return text.length > mostWord ? `${text.slice(0, mostWord)}…` : text;
}
